"""What a recognition experiment asks of its loss."""

import abc
import dataclasses
from typing import Any, Protocol, runtime_checkable

import numpy as np

from likeness.research.checks import UncheckedEmbeddings
from likeness.research.distances import Distance
from likeness.research.losses.metric.pairs import LabelsOrSame
from likeness.research.types import AnyArray, Array, Embeddings, Float, PRNGKey, PyTree, Scalar


@runtime_checkable
class RecognitionLoss(Protocol):
    """A loss on a batch of embeddings that also says how far apart two embeddings are.

    These members are asked of every loss; a loss that compares by a :class:`~likeness.research.distances.Distance` inherits
    two of them from :class:`DistanceLoss`. More are used where a loss has them: ``collapsed_value`` (:class:`KnowsCollapse`),
    ``check_identities`` (:class:`LimitsIdentities`), ``check_sharding`` (:class:`LimitsSharding`), and ``init_state`` with
    ``value_state_and_diagnostics`` (:class:`CarriesState`).
    """

    def init(self, key: PRNGKey, dimension: int) -> PyTree:
        """The loss's own weights for embeddings of this dimension; ``{}`` if it has none."""
        ...

    def value_and_diagnostics(
        self,
        params: PyTree,
        embeddings: Embeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of a batch and what to watch beside it.

        Args:
            params: the loss's own weights, as :meth:`init` makes them.
            embeddings: one row an image.
            labels_or_same: integer labels ``(b,)`` or a boolean same-person mask ``(b, b)``, or what else
                :data:`~likeness.research.losses.metric.pairs.LabelsOrSame` names, where a loss takes it.
            key: for a loss that draws at random; the others do not use it.

        Returns:
            The value, float32, and float32 scalars by name.
        """
        ...

    def compare(self, params: PyTree, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
        """How far apart embeddings are; leading shapes broadcast. Two are of the same person iff this is at most τ."""
        ...


class DistanceLoss(abc.ABC):
    """A loss without weights of its own that compares embeddings by its field ``distance``. Derive your own from it, as a
    frozen dataclass that has the field and ``value_and_diagnostics``."""

    distance: Distance

    def init(self, key: PRNGKey, dimension: int) -> PyTree:
        """No weights."""
        return {}

    def __call__(self, embeddings: UncheckedEmbeddings, labels_or_same: LabelsOrSame, key: PRNGKey | None = None) -> Scalar:
        """The loss of a batch.

        Args:
            embeddings: one row an image.
            labels_or_same: integer labels ``(b,)`` or a boolean same-person mask ``(b, b)``.
            key: for a loss that draws at random.

        Returns:
            float32 scalar.

        Raises:
            ValueError: what ``value_and_diagnostics`` refuses.
        """
        return self.value_and_diagnostics({}, embeddings, labels_or_same, key)[0]

    @abc.abstractmethod
    def value_and_diagnostics(
        self,
        params: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of a batch and what to watch beside it, as :class:`RecognitionLoss` says."""

    def compare(self, params: PyTree, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
        """The distance of two embeddings; leading shapes broadcast. Smaller is more alike."""
        return self.distance.paired(first, second)


def distance_of(loss: RecognitionLoss, params: PyTree) -> Distance:
    """How a trained loss compares embeddings: by its ``distance`` where it is a :class:`DistanceLoss` that has not redefined
    ``compare``, and by ``compare`` with these weights otherwise, of which nothing else is known."""
    if isinstance(loss, DistanceLoss) and type(loss).compare is DistanceLoss.compare:
        return loss.distance
    return _Learned(loss, params)


@dataclasses.dataclass(frozen=True, eq=False)
class _Learned(Distance):
    # Weights have no hash, so one is equal to itself alone: what is compiled for it is compiled for these weights.
    loss: RecognitionLoss
    params: PyTree

    def paired(self, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
        return self.loss.compare(self.params, first, second)

    def __repr__(self) -> str:
        return repr(self.loss)


@runtime_checkable
class CarriesState(Protocol):
    """A loss that carries something from batch to batch which no gradient trains: running averages, a memory of embeddings.

    Its ``value_and_diagnostics`` is that of a first batch. Training keeps the state beside the encoder's own, in checkpoints
    too.
    """

    def init_state(self, dimension: int) -> PyTree:
        """The state before the first batch, for embeddings of this dimension: arrays by name, of shapes that stay."""
        ...

    def value_state_and_diagnostics(
        self,
        params: PyTree,
        state: PyTree,
        embeddings: Embeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, PyTree, dict[str, Scalar]]:
        """The loss of a batch, the state after it, and what to watch. No gradient goes through the state.

        Args:
            params: the loss's own weights.
            state: as :meth:`init_state` or the batch before left it.
            embeddings: one row an image.
            labels_or_same: as :class:`RecognitionLoss` says.
            key: for a loss that draws at random.
        """
        ...


def initial_state(loss: RecognitionLoss, dimension: int) -> PyTree:
    """The state of a loss before the first batch; ``{}`` for one that carries none.

    Args:
        loss: any.
        dimension: of the embeddings.
    """
    return loss.init_state(dimension) if isinstance(loss, CarriesState) else {}


def advance(
    loss: RecognitionLoss,
    params: PyTree,
    state: PyTree,
    embeddings: Embeddings,
    labels_or_same: LabelsOrSame,
    key: PRNGKey | None = None,
) -> tuple[Scalar, PyTree, dict[str, Scalar]]:
    """The loss of a batch, the state after it, and what to watch, whether the loss carries a state or not.

    Args:
        loss: any.
        params: its own weights.
        state: as :func:`initial_state` or the batch before left it.
        embeddings: one row an image.
        labels_or_same: as :class:`RecognitionLoss` says.
        key: for a loss that draws at random.

    Example:
        >>> import jax.numpy as jnp
        >>> from likeness.research.losses import CurricularFace
        >>> loss, params = CurricularFace(classes=2), {"centers": jnp.eye(2)}
        >>> state = initial_state(loss, 2)
        >>> for _ in range(2):
        ...     value, state, diagnostics = advance(loss, params, state, jnp.eye(2), jnp.array([0, 1]))
        ...     print(f"{state['t']:.4f}")
        0.0100
        0.0199
    """
    if isinstance(loss, CarriesState):
        return loss.value_state_and_diagnostics(params, state, embeddings, labels_or_same, key)
    value, diagnostics = loss.value_and_diagnostics(params, embeddings, labels_or_same, key)
    return value, state, diagnostics


def of_first_batch(
    loss: CarriesState,
    params: PyTree,
    embeddings: UncheckedEmbeddings,
    labels_or_same: LabelsOrSame,
    key: PRNGKey | None = None,
) -> tuple[Scalar, dict[str, Scalar]]:
    """The loss of a batch before which there was none, and what to watch: ``value_and_diagnostics`` of what carries a state.

    Raises:
        ValueError: what the loss refuses.
    """
    # What is no table is refused by the loss, in its own words.
    given: Any = embeddings
    state = loss.init_state(np.shape(given)[-1] if np.ndim(given) else 0)
    value, _, diagnostics = loss.value_state_and_diagnostics(params, state, given, labels_or_same, key)
    return value, diagnostics


@runtime_checkable
class KnowsCollapse(Protocol):
    """A loss whose value is known when all embeddings are equal. Without, no loss is taken for that of a constant encoder."""

    @property
    def collapsed_value(self) -> float:
        """What a constant encoder costs: in the units of the diagnostic ``loss_per_triplet`` where the loss reports it, and of
        the loss itself where it does not."""
        ...


@runtime_checkable
class LimitsIdentities(Protocol):
    """A loss that has room for so many people only. Without, it takes any number."""

    def check_identities(self, identities: int, counted: str) -> None:
        """Asked before training.

        Args:
            identities: the people of the training part; labels are below this number.
            counted: the same in the words of the data, such as ``"1,200 people"``.

        Raises:
            UserError: there are too many of them, saying what to set.
        """
        ...


@runtime_checkable
class LimitsSharding(Protocol):
    """A loss whose own weights cannot be shared by any number of devices. Without, the mesh decides by their shapes alone."""

    def check_sharding(self, params: PyTree, fsdp: int, shard_above: int) -> None:
        """Asked before anything is compiled, where several devices share what is large.

        Args:
            params: the shapes of the loss's own weights, in the structure that ``init`` gives them.
            fsdp: how many devices share a large array, each with an equal part of it.
            shard_above: how many elements an array has at least to be shared; smaller ones stay whole.

        Raises:
            UserError: so many devices cannot share them, saying how many could.
        """
        ...
