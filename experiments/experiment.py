"""The one thing that is trained: what is learned, what it costs, and how it is evaluated.

Recognition differentiates by an encoder's weights, style transfer by an image's pixels, fast style transfer by the weights
of a second network. To the trainer they are the same: a pytree of parameters and a scalar.
"""

import abc
import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

import jax
import numpy as np

from likeness.experiments.fingerprints import Fingerprints
from likeness.research.metrics.intervals import Estimate
from likeness.research.types import Array, Float, PRNGKey, PyTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Part = Literal["validation", "test"]


class Variables(NamedTuple):
    """What an experiment starts from."""

    params: PyTree
    """What is learned: any pytree of float arrays."""
    state: PyTree
    """What changes without being learned, such as batch-norm statistics; ``{}`` when there is none."""


class LossOutput(NamedTuple):
    """What one batch says about the parameters."""

    value: Array
    """The scalar that is minimized."""
    state: PyTree
    """The model state after this batch, of the same structure as before."""
    metrics: Mapping[str, Array]
    """Further scalars for the log."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Everything that changes from step to step."""

    step: Array
    params: PyTree
    model_state: PyTree
    optimizer: Any
    average: PyTree
    """The running mean of ``params``, or None when the run keeps none."""

    @property
    def best_params(self) -> PyTree:
        """What to evaluate and use: the running mean where there is one."""
        return self.params if self.average is None else self.average


class Batches(Protocol):
    """An iterator of batches that knows where it is, such as any Grain iterator."""

    def __iter__(self) -> Iterator[Any]: ...
    def __next__(self) -> Any: ...
    def get_state(self) -> Any:
        """The position after the last batch taken: JSON, or bytes that hold JSON."""
        ...

    def set_state(self, state: Any) -> None:
        """Goes on from a position that :meth:`get_state` returned."""
        ...


class NoBatches:
    """The stream of an experiment without data: each step is given None."""

    def __iter__(self) -> Iterator[None]:
        return self

    def __next__(self) -> None:
        return None

    def get_state(self) -> dict[str, int]:
        """Nothing moves."""
        return {}

    def set_state(self, state: Any) -> None:
        """Nothing moves."""
        del state


class Peekable:
    """A stream whose next batch can be looked at before it is taken, and is made only once for both."""

    def __init__(self, stream: Batches) -> None:
        """Takes over a stream, which nobody else may move."""
        self._stream = stream
        self._seen: tuple[Any, Any] | None = None

    def peek(self) -> Any:
        """The next batch; the stream stays where it is."""
        if self._seen is None:
            before = self._stream.get_state()
            self._seen = before, next(self._stream)
        return self._seen[1]

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._seen is None:
            return next(self._stream)
        (_, batch), self._seen = self._seen, None
        return batch

    def get_state(self) -> Any:
        """The stream's, before what was only looked at."""
        return self._stream.get_state() if self._seen is None else self._seen[0]

    def set_state(self, state: Any) -> None:
        """Goes on from there; what was looked at is forgotten."""
        self._seen = None
        self._stream.set_state(state)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Numbers and images that say how good the parameters are."""

    metrics: Mapping[str, float | Estimate]
    """By path, such as ``verification/eer``."""
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The titles of tables' columns, by what the paths in them begin with; ``""`` is the column of all others. Where none are
    given, the first of three parts or more of a path has a column, and the other metrics are of what was ``trained``."""
    figures: "Mapping[str, Figure]" = dataclasses.field(default_factory=dict)
    """By file name without ending."""
    artifacts: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    """JSON to keep beside the parameters, by file name without ending, such as a calibrated threshold."""
    arrays: Mapping[str, Mapping[str, np.ndarray]] = dataclasses.field(default_factory=dict)
    """What to look at later, such as embeddings: by file name without ending, and by name within the file."""
    images: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    """Images that are the result, (h, w, 3) in [0, 1], by file name without ending."""
    examples: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    """Images that a figure shows, one by one, (h, w, 3) in [0, 1], by path without ending below the figures."""
    notes: tuple[str, ...] = ()
    """Sentences a reader of the numbers must know."""


class Originals(NamedTuple):
    """What an experiment's images were made of: RGB in [0, 1]."""

    before: Mapping[str, Float[np.ndarray, "h w 3"]]
    """What each was before, by the name of the result, as in :attr:`Evaluation.images`."""
    styles: tuple[Float[np.ndarray, "h w 3"], ...] = ()
    """Whose look they were given."""


class Experiment(abc.ABC):
    """Says what is learned, what it costs and how it is evaluated.

    An experiment is a frozen dataclass that derives from this class. Three methods must be written: :meth:`init`, :meth:`cost`
    and :meth:`evaluate`. One that learns from data has :meth:`open` and :meth:`stream` too. All others have defaults.

    ``data`` is whatever :meth:`open` returned, and ``constants`` whatever :meth:`constants` returned. The trainer only hands
    them back.
    """

    evaluating: ClassVar[str] = "evaluating on the test part"
    """What is done at the end of a run. An experiment without a test part says it otherwise: ``evaluating the painting``."""

    indifferent: ClassVar[tuple[str, ...]] = ()
    """Its fields that decide how it is computed and not what comes of it, such as the side of tiles: a run goes on, and its
    result is taken as it is, whatever they are."""

    def open(self) -> Any:
        """Opens the data. Called once in a process; by default there is none."""
        return None

    def stream(self, data: Any, seed: int) -> Batches:
        """The endless training stream: pytrees of NumPy arrays whose leading axis is the batch. By default a batch is None."""
        del data, seed
        return NoBatches()

    def fingerprints(self, data: Any) -> Fingerprints:
        """Identifies the content of everything that was read: a run goes on only with the same, and provenance keeps it.

        By default nothing is read but the config.
        """
        del data
        return Fingerprints()

    def describe(self, data: Any) -> tuple[str, ...]:
        """Sentences a person must know of the data: how much there is, what was left out, whether it is synthetic."""
        del data
        return ()

    @property
    def starts_trained(self) -> bool:
        """Whether it starts from weights that can be evaluated before a step is taken, with ``steps=0``."""
        return False

    def constants(self, data: Any) -> PyTree:
        """Arrays that the cost reads and nothing changes, such as a frozen encoder's weights; by default there are none.

        They are whole on every device and in no checkpoint. A ``NamedTuple`` says what is what.
        """
        del data
        return ()

    @abc.abstractmethod
    def init(self, key: PRNGKey, constants: PyTree, batch: PyTree) -> Variables:
        """The starting point. Runs under ``jit``."""

    @abc.abstractmethod
    def cost(self, params: PyTree, state: PyTree, constants: PyTree, batch: PyTree, key: PRNGKey) -> LossOutput:
        """The cost of one batch. Runs under ``jit``; ``key`` differs at every step."""

    @abc.abstractmethod
    def evaluate(self, data: Any, params: PyTree, state: PyTree, part: Part) -> Evaluation:
        """Evaluates the parameters on what was not trained on."""

    def as_compiled(self) -> "Experiment":
        """What a program of this experiment depends on: equal for two that differ only in what :meth:`constants` hold.

        Such runs of one process share their programs where the shapes agree. By default it is the experiment itself.
        """
        return self

    def shown(self, params: PyTree) -> Mapping[str, Float[np.ndarray, "h w 3"]]:
        """What the parameters are to look at before anything is evaluated: RGB in [0, 1], by name, of those that
        :meth:`evaluate` gives too.

        A painting is one, so that it can be seen while it comes about and at once when it is done. By default there is none.
        """
        del params
        return {}

    def diagnose(self, metrics: Mapping[str, float]) -> str | None:
        """A sentence for the log when the metrics of an interval call for one, such as that embeddings collapse."""
        del metrics
        return None

    def check_sharding(self, params: PyTree, fsdp: int, shard_above: int) -> None:
        """Asked before anything is compiled; by default any number of devices can share the parameters.

        Args:
            params: the shapes of all parameters.
            fsdp: how many devices share a large array; 1 if each has its own.
            shard_above: how many elements an array has at least to be shared.

        Raises:
            UserError: so many devices cannot share them, saying how many could.
        """
        del params, fsdp, shard_above

    def stages(self) -> "tuple[Experiment, ...]":
        """What is run, one after the other; the last is this experiment without its stages.

        A small image first, then a larger one; a coarse problem before a fine one. By default there is one stage.
        """
        return (self,)

    def stage_parts(self) -> tuple[float, ...]:
        """How the run's steps are divided among the stages: a number above 0 for each, of which its share in their sum counts.

        (2, 1, 1) gives the first of three stages half of the steps. By default all get alike.
        """
        return (1.0,) * len(self.stages())

    @property
    def step_cost(self) -> float:
        """What a step of this stage costs beside those of the other stages, above 0: by it the time left is told. By default
        all cost the same; of images of growing sizes it is the number of pixels."""
        return 1.0

    def promote(self, learned: Array, constants: PyTree) -> Array:
        """An array of what the stage before has learned, or of its running mean, in this stage's shape.

        Runs under ``jit``. By default the shapes of all stages are the same.
        """
        del constants
        return learned

    def promote_moment(self, moment: Array, constants: PyTree) -> Array:
        """A moment of the gradient, as Adam keeps its mean and that of its square, in this stage's shape.

        A map that keeps positive what is positive, or a square could have a negative mean. Runs under ``jit``. By default it is
        :meth:`promote`.
        """
        return self.promote(moment, constants)

    @property
    def carries_moments(self) -> bool:
        """Whether the optimizer's moments of the stage before are those of this one, by :meth:`promote_moment`; if not, it
        begins anew, and only its schedule goes on."""
        return True

    def enter(self, learned: Variables, constants: PyTree) -> Variables:
        """What the stage before has learned, as this stage begins with it. Runs under ``jit``.

        By default each array of the parameters by :meth:`promote`, and the state as it is.
        """
        return Variables(jax.tree.map(lambda leaf: self.promote(leaf, constants), learned.params), learned.state)

    def originals(self) -> Originals:
        """What the images among its results were made of, read anew; by default nothing.

        Raises:
            UserError: an image that cannot be read.
        """
        return Originals({})
