"""Procedural textures as a data source: which texture is it? Every row is drawn from (seed, texture, draw) alone."""

import dataclasses
import hashlib
import json
from typing import ClassVar

import numpy as np

from likeness.research.data.drawn import DrawnNames, DrawnReader
from likeness.research.data.images import Images
from likeness.research.data.preprocessing import Preprocessing
from likeness.research.synthetic.textures import CHANGES, VERSION, Texture
from likeness.research.types import UInt8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Textures:
    """Squares of ``families`` × 5 textures with ``images`` images each, drawn when read; to be told apart like people.

    A family (a group of the table) is a texture, the same in other colors, at another size, in another direction, and with or
    without grain. So a network that is to tell them all apart must see what the pattern is, its colors, its scale, its
    direction and the finest noise, and must not care which piece of it is shown, or in which light. Baradad et al. 2021,
    "Learning to see by looking at noise".

    Example:
        >>> images = Textures(families=2, images=2, size=32).open()
        >>> len(images), images.counted(len(images.people)), images.groups.tolist(), images.read(np.array([5])).shape
        (20, '10 textures', [0, 0, 0, 0, 0, 1, 1, 1, 1, 1], (1, 32, 32, 3))
    """

    synthetic: ClassVar[bool] = True
    """No number measured on them says anything of real textures."""

    families: int = 1000
    """How many families of five textures."""
    images: int = 4
    """Images of each texture."""
    size: int = 64
    """Pixels on a side."""
    smallest: float = 3.0
    """Least period of a pattern, in pixels."""
    largest: float = 28.0
    """Largest period of a pattern, in pixels."""
    seed: int = 0
    """Which textures."""
    cache: int = 1024
    """Mebibytes of drawn images to keep in memory; a larger table is drawn anew at every reading, as with 0."""

    def __post_init__(self) -> None:
        for field, low, high in (
            ("families", 1, 10**6),
            ("images", 1, 10**6),
            ("size", 16, 1024),
            ("smallest", 1.0, 1024.0),
            ("largest", 1.0, 1024.0),
            ("seed", 0, 2**63 - 1),
            ("cache", 0, 2**40),
        ):
            value = getattr(self, field)
            if not low <= value <= high:
                raise ValueError(f"Textures.{field} is {value}; choose a value from {low} to {high}.")
        if self.smallest > self.largest:
            raise ValueError(f"Textures.smallest is {self.smallest} and largest is {self.largest}; give the smaller one first.")

    @property
    def preprocessing(self) -> Preprocessing:
        """Files of the table's own size, which nothing is done to: a texture at another size is another texture."""
        return Preprocessing(size=(self.size, self.size), channels=3, fit="exact")

    @property
    def description(self) -> str:
        """What the data is, for people who read a report."""
        return f"synthetic: {self._count} procedural textures, {self.images} images each"

    @property
    def _count(self) -> int:
        return len(CHANGES) * self.families

    def open(self) -> Images:
        """The table of all images; ``groups`` are the families, each called by its first texture."""
        digits = max(4, len(str(self.families - 1)))
        people = tuple(
            f"texture-{family:0{digits}d}-{number}-{change}"
            for family in range(self.families)
            for number, change in enumerate(CHANGES)
        )
        what = {field: value for field, value in dataclasses.asdict(self).items() if field != "cache"}
        what["version"] = VERSION
        rows = np.arange(self._count * self.images)
        return Images(
            labels=(rows // self.images).astype(np.int32),
            people=people,
            shape=(self.size, self.size, 3),
            read=DrawnReader(self.drawn, len(rows), (self.size, self.size, 3), self.cache),
            names=DrawnNames(people, self.images),
            fingerprint=hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest(),
            groups=np.repeat(np.arange(self.families, dtype=np.int32), len(CHANGES)),
            group_names=people[:: len(CHANGES)],
            noun=("texture", "textures"),
        )

    def texture(self, number: int) -> Texture:
        """The texture of a number."""
        family, change = divmod(number, len(CHANGES))
        rng = np.random.default_rng((self.seed, family))
        first = Texture.draw(rng, self.smallest, self.largest)
        # Each change draws on from the one before, whether or not that is asked for.
        return [first.changed(each, rng) for each in CHANGES[: change + 1]][-1]

    def drawn(self, rows: np.ndarray) -> UInt8[np.ndarray, "b size size 3"]:
        """The images of some rows."""
        images = np.empty((len(rows), self.size, self.size, 3), np.uint8)
        for image, row in zip(images, rows.tolist(), strict=True):
            number, draw = divmod(row, self.images)
            pixels = self.texture(number)(self.size, np.random.default_rng((self.seed, number, draw)))
            image[:] = np.round(255.0 * pixels).astype(np.uint8)
        return images
