"""A film in the look of a painting: each frame begins with the one before, moved along, and stays near it."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.display.phases import telling, tracked
from likeness.experiments.display.progress import Quiet
from likeness.experiments.experiment import Batches, Evaluation, Experiment, LossOutput, Part, TrainState, Variables
from likeness.experiments.run import Run
from likeness.experiments.style.flow import TVL1, OpticalFlow
from likeness.experiments.style.starts import FromImage
from likeness.experiments.style.stylization import OpenedStylization, Stylization, StylizationConstants
from likeness.experiments.training.ahead import Ahead
from likeness.experiments.training.program import Program, build
from likeness.experiments.training.stages import stages
from likeness.research.errors import UserError
from likeness.research.geometry import flowed, trusted_flow
from likeness.research.images.sources import ImageSource
from likeness.research.losses import Temporal
from likeness.research.types import Array, Float, PRNGKey, PyTree

Pixels = Float[np.ndarray, "h w 3"]
_Paint: TypeAlias = Callable[[OpenedStylization, tuple[Pixels, np.ndarray], Callable[[int, int], None]], Pixels]
"""Of an opened frame, of what it is held near and where, and of who is told of its steps."""


class NextFrameConstants(NamedTuple):
    """What the cost of a frame after the first reads, on the device."""

    painting: StylizationConstants
    earlier: Float[Array, "1 h w 3"]
    """The painting before, moved along the flow."""
    trust: Float[Array, "h w"]
    """Where the flow is trusted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class NextFrame(Experiment):
    """Paints a frame that follows another: ``J = J_stylization + weight · J_temporal``."""

    how: Stylization
    """How it is painted; it starts from an image."""
    temporal: Temporal
    """How it is compared with the painting before."""
    weight: float
    """How much that counts."""

    def open(self) -> OpenedStylization:
        """That of the stylization."""
        return self.how.open()

    def constants(self, data: OpenedStylization) -> NextFrameConstants:
        """Of a frame before which nothing is painted yet."""
        kept = self.how.constants(data)
        return NextFrameConstants(kept, jnp.zeros_like(kept.content), jnp.zeros(kept.content.shape[1:3]))

    def stream(self, data: OpenedStylization, seed: int) -> Batches:
        """That of the stylization: its windows, where it is read in tiles."""
        return self.how.stream(data, seed)

    def init(self, key: PRNGKey, constants: NextFrameConstants, batch: PyTree) -> Variables:
        """The painting before, moved along, where the flow is trusted, and the frame elsewhere."""
        trust = constants.trust[None, :, :, None]
        start = trust * constants.earlier + (1.0 - trust) * constants.painting.content
        return self.how.init(key, constants.painting._replace(start={"image": start}), batch)

    def cost(self, params: PyTree, state: PyTree, constants: NextFrameConstants, batch: PyTree, key: PRNGKey) -> LossOutput:
        """J of the frame as it is now, and its parts."""
        found = self.how.cost(params, state, constants.painting, batch, key)
        steady = self.weight * self.temporal(self.how.parametrization.image(params), constants.earlier, constants.trust)
        return LossOutput(found.value + self.how.scale * steady, found.state, {**found.metrics, "temporal": steady})

    def evaluate(self, data: OpenedStylization, params: PyTree, state: PyTree, part: Part) -> Evaluation:
        """That of the stylization."""
        return self.how.evaluate(data, params, state, part)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Film:
    """Paints the frames of a film one after the other, so that they do not flicker (Ruder et al. 2016, "Artistic style transfer
    for videos").

    The first is painted like any image. Each of the others begins with the painting before, moved along the optical flow, and
    where the flow is trusted it is held near that; what comes into sight is painted anew. All frames but the first share one
    program.
    """

    flow: OpticalFlow = TVL1()
    """What estimates the flow between the frames, at the size they are painted in."""
    temporal: Temporal = Temporal()
    """How consecutive paintings are compared."""
    weight: float = 200.0
    """How much the temporal loss counts in a frame's cost."""
    share: float = 0.5
    """Steps for each frame after the first, as a share of the run's: they begin near the end."""

    def __post_init__(self) -> None:
        if not 0 <= self.weight < float("inf"):
            raise ValueError(f"Film.weight is {self.weight}: give a finite number, 0 or more")
        if not 0 < self.share <= 4:
            raise ValueError(f"Film.share is {self.share}: give a number above 0, at most 4")

    def __call__(
        self, run: Run, frames: Sequence[ImageSource], painted: Sequence[Callable[[], Pixels]] = ()
    ) -> Iterator[Pixels]:
        """Paints frame after frame, each given out as soon as it is done: (h, w, 3), RGB in [0, 1], of whole 255ths.

        Args:
            run: of a :class:`~likeness.experiments.style.Stylization`, whose content each frame replaces.
            frames: all of one shape, in order.
            painted: what opens the paintings of the first frames that are there already: it goes on after them.

        Raises:
            UserError: frames of several shapes; a library that is missing; what the stylization refuses.
        """
        how = run.experiment
        if not isinstance(how, Stylization):
            raise UserError(f"A film is painted by a Stylization, and this run is of a {type(how).__name__}: give one.")
        self.flow.check()
        _check_shapes(frames, how.size)
        last, painter, opened = painted[-1]() if painted else None, None, None
        later = range(max(1, len(painted)), len(frames))
        tell = telling(f"painting frames {later.start + 1} to {later.stop}: steps")
        for number in range(len(painted), len(frames)):
            here = dataclasses.replace(how, content=frames[number])
            if number == 0 or last is None:
                last = _first(dataclasses.replace(run, experiment=here))
            else:
                # By what was opened before, which keeps the weights and the targets of the styles.
                opened = _opened(_followed(here), opened)
                steady = self._steady(how, frames[number - 1 : number + 1], last, opened.original.shape)
                if painter is None:
                    telling("compiling what paints the frames after the first")(0, 1)
                    painter = self._painter(run, _followed(here), opened)
                before = number - later.start
                last = painter(opened, steady, lambda done, of, before=before: tell(before * of + done, len(later) * of))
            yield last

    def moved(self, earlier: Pixels, now: Pixels, painted: Pixels) -> tuple[Pixels, Float[np.ndarray, "h w"]]:
        """The painting of an earlier frame moved to where things are now, and where that can be trusted."""
        back, forth = self.flow(now, earlier), self.flow(earlier, now)
        return np.asarray(flowed(painted, back)), np.asarray(trusted_flow(back, forth))

    def _steady(
        self, how: Stylization, frames: Sequence[ImageSource], last: Pixels, shape: tuple[int, ...]
    ) -> tuple[Pixels, Float[np.ndarray, "h w"]]:
        earlier, now = (frame.open(how.size) for frame in frames)
        if last.shape != shape:
            raise UserError(
                f"The frame {frames[1].title} is {shape[1]} × {shape[0]} pixels and the painting of the one before it "
                f"{last.shape[1]} × {last.shape[0]}: the frames of a film have one shape."
            )
        return self.moved(earlier, now, how.colors.compared(last))

    def _painter(self, run: Run, how: Stylization, opened: OpenedStylization) -> _Paint:
        """What paints any frame but the first: one program for all."""
        frame = NextFrame(how=how, temporal=self.temporal, weight=self.weight)
        steps = max(1, math.ceil(self.share * run.steps))
        short = dataclasses.replace(run, experiment=frame, steps=steps)
        batch = next(iter(frame.stream(opened, run.seed)))
        program = build(short, frame.constants(opened), batch)
        key, windows = program.key(run.seed), program.put(batch)

        def paint(opened: OpenedStylization, steady: tuple[Pixels, np.ndarray], tell: Callable[[int, int], None]) -> Pixels:
            earlier, trust = steady
            kept = NextFrameConstants(how.constants(opened), jnp.asarray(earlier)[None], jnp.asarray(trust))
            state = program.init(key, kept, windows)
            for step in range(steps):
                state, report = program.step(state, kept, windows, key)
                jax.block_until_ready(report)
                tell(step + 1, steps)
            return _image(how, program, state)

        return paint


def _followed(how: Stylization) -> Stylization:
    """What paints a frame that follows another: at the last size alone, beginning with an image."""
    last = next(stage for stage in how.stages() if stage.size == how.size)
    return dataclasses.replace(last, start=FromImage(image=how.content))


def _opened(how: Stylization, before: OpenedStylization | None) -> OpenedStylization:
    if before is None:
        return how.open()
    return how.open((before.constants.encoder, before.evaluator), before)


def _check_shapes(frames: Sequence[ImageSource], size: int) -> None:
    """Refuses a film of several shapes before any of it is painted."""
    shapes = [frame.shape(size) for frame in tracked("reading the frames", frames)]
    for before, frame, shape in zip(frames, frames[1:], shapes[1:], strict=False):
        if shape != shapes[0]:
            raise UserError(
                f"The frame {frame.title} is {shape[1]} × {shape[0]} pixels at the size that is painted, and {before.title} "
                f"before it {shapes[0][1]} × {shapes[0][0]}: the frames of a film have one shape."
            )


def _first(run: Run) -> Pixels:
    """An image painted as in any run, through all its sizes."""
    how = run.experiment
    assert isinstance(how, Stylization)
    plan, opened, state, ahead = stages(run), None, None, None
    for stage, following in itertools.zip_longest(plan, plan[1:]):
        many = f", size {stage.number} of {stage.of}" if stage.of > 1 else ""
        telling(f"compiling what paints the first frame{many}")(0, 1)
        opened = stage.open(Quiet().say) if ahead is None else ahead.opened(Quiet())
        ahead = Ahead(following)
        state = opened.start() if state is None else opened.promote(state)
        tell, begin = telling(f"painting the first frame{many}: steps"), int(state.step)
        for step in range(begin, stage.end):
            state, report = opened.step(state, opened.put(opened.draw()))
            ahead.begin()
            jax.block_until_ready(report)
            tell(step + 1 - begin, stage.end - begin)
    assert opened is not None and state is not None
    return _image(how, opened.program, state)


def _image(how: Stylization, program: Program, state: TrainState) -> Pixels:
    image = how.image(program.variables(state).params)
    if not np.isfinite(image).all():
        raise UserError(f"The painting of {how.content.title} is not finite any more: lower the learning rate.")
    # As a file of 8 bits keeps it, so that a film that was interrupted goes on to the same paintings.
    return (np.round(255.0 * image) / 255.0).astype(np.float32)
