"""A film whose optical flow is known: things of all textures that move before a ground that moves, too."""

import dataclasses
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from likeness.research.synthetic.textures import Texture
from likeness.research.types import Float


class KnownFilm(NamedTuple):
    """Frames, and where everything comes from and goes to. Between n frames lie n − 1 flows."""

    frames: Float[np.ndarray, "n size size 3"]
    """sRGB in [0, 1]."""
    to_earlier: Float[np.ndarray, "m size size 2"]
    """For each frame but the first, at each pixel: where that was in the frame before, (x, y) in pixels from here."""
    to_later: Float[np.ndarray, "m size size 2"]
    """For each frame but the last: where it goes."""
    seen_before: Bool[np.ndarray, "m size size"]
    """For each frame but the first: whether the frame before shows it, too."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MovingScene:
    """Discs of drawn textures on a ground of another, each moving by whole pixels from frame to frame, one before the other.

    Whole pixels make the flow exact: nothing is interpolated.

    Example:
        >>> film = MovingScene(frames=3, size=24, things=2)()
        >>> film.frames.shape, film.to_earlier.shape, bool(film.seen_before.all())
        ((3, 24, 24, 3), (2, 24, 24, 2), False)
    """

    frames: int = 5
    """How many."""
    size: int = 96
    """Pixels on a side."""
    things: int = 3
    """How many discs."""
    speed: int = 3
    """Largest shift from one frame to the next along each axis, in pixels."""
    seed: int = 0
    """Which scene."""

    def __post_init__(self) -> None:
        for field, low, high in (("frames", 2, 10_000), ("size", 16, 2048), ("things", 0, 64), ("speed", 1, 64)):
            value = getattr(self, field)
            if not low <= value <= high:
                raise ValueError(f"MovingScene.{field} is {value}; choose a value from {low} to {high}.")

    def __call__(self) -> KnownFilm:
        """Draws the film."""
        rng = np.random.default_rng((self.seed, 77))
        size, room = self.size, self.speed * self.frames
        shifts = rng.integers(-self.speed, self.speed + 1, (self.things + 1, 2))
        # Each thing is a square of its texture, cut out where the disc is; the ground is one with room to move in.
        ground = Texture.draw(rng, 4.0, 24.0)(size + 2 * room, rng)
        radii = rng.uniform(0.12, 0.28, self.things) * size
        centers = rng.uniform(0.2, 0.8, (self.things, 2)) * size
        squares = [Texture.draw(rng, 3.0, 12.0)(2 * int(radius) + 1, rng) for radius in radii]
        drawn = [self._frame(number, ground, room, shifts, radii, centers, squares) for number in range(self.frames)]
        images = np.stack([image for image, _ in drawn])
        owners = np.stack([owner for _, owner in drawn])
        flows = shifts[owners].astype(np.float32)
        seen = [self._seen(owners[number - 1], owners[number], -flows[number]) for number in range(1, self.frames)]
        return KnownFilm(images, -flows[1:], flows[:-1], np.stack(seen))

    def _frame(
        self,
        number: int,
        ground: np.ndarray,
        room: int,
        shifts: np.ndarray,
        radii: np.ndarray,
        centers: np.ndarray,
        squares: list[np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        """A frame, and which thing each pixel is of: 0 for the ground."""
        size = self.size
        left, top = room - number * shifts[0]
        image = ground[top : top + size, left : left + size].copy()
        owner = np.zeros((size, size), np.int64)
        rows, columns = np.mgrid[:size, :size]
        for thing, (radius, center, square) in enumerate(zip(radii, centers, squares, strict=True), 1):
            x, y = np.round(center).astype(int) + number * shifts[thing]
            half = int(radius)
            inside = (columns - x) ** 2 + (rows - y) ** 2 <= half**2
            image[inside] = square[(rows - y + half)[inside], (columns - x + half)[inside]]
            owner[inside] = thing
        return image, owner

    def _seen(self, before: np.ndarray, now: np.ndarray, back: np.ndarray) -> np.ndarray:
        rows, columns = np.mgrid[: self.size, : self.size]
        x, y = columns + back[..., 0].astype(int), rows + back[..., 1].astype(int)
        inside = (x >= 0) & (x < self.size) & (y >= 0) & (y < self.size)
        return inside & (before[np.clip(y, 0, self.size - 1), np.clip(x, 0, self.size - 1)] == now)
