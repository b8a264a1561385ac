"""The sizes in which an image is painted, one after the other."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pyramid:
    """Smaller sizes that are painted before the last one, for strokes larger than what the encoder sees at once.

    From the last size down, each is ``factor`` times smaller than the one before, as long as none is below ``smallest``:

        size, size/f, size/f², …  ≥ smallest

    Painted are the smallest first. Each goes on from the painting before it, enlarged, and with the moments of its gradient
    (:meth:`~likeness.experiments.experiment.Experiment.promote`). Each size compiles a program of its own, so few are cheaper.

    Example:
        >>> crowson = Pyramid(smallest=128, factor=2**0.5, steps=(2, 1))
        >>> crowson.sizes(512)
        (128, 181, 256, 362, 512)
        >>> crowson.parts(512)  # of 3,000 steps, 1,000 at 128 pixels and 500 at each of the others
        (2, 1, 1, 1, 1)
    """

    smallest: int | None = None
    """No size is below so many pixels along the longer side; None paints the last size alone."""
    factor: float = 2.0
    """How many times larger each size is than the one before; 1.414 is Crowson's."""
    steps: tuple[float, ...] = (1.0,)
    """How the run's steps are divided among the sizes, the smallest first; the last number holds for all that follow. (2, 1)
    gives the smallest twice as many as each of the others, (1,) gives all alike."""

    def __post_init__(self) -> None:
        if self.smallest is not None and not 16 <= self.smallest <= 16384:
            raise ValueError(f"Pyramid.smallest is {self.smallest}: give 16 to 16384 pixels, or None for one size")
        if not 1.05 <= self.factor <= 16:
            raise ValueError(f"Pyramid.factor is {self.factor}: give a number from 1.05 to 16")
        if not self.steps or not all(0 < part < math.inf for part in self.steps):
            raise ValueError(f"Pyramid.steps is {self.steps}: give at least one finite number above 0")

    def sizes(self, size: int) -> tuple[int, ...]:
        """All sizes on the way to the last one, the smallest first."""
        if self.smallest is None:
            return (size,)
        found, count = [size], 1
        while (smaller := round(size / self.factor**count)) >= self.smallest:
            found.append(smaller)
            count += 1
        return tuple(sorted(set(found)))

    def parts(self, size: int) -> tuple[float, ...]:
        """How the steps are divided among :meth:`sizes`, a part for each."""
        count = len(self.sizes(size))
        return (*self.steps, *(self.steps[-1] for _ in range(count)))[:count]
