"""Random squares cut out of images of any size: crop i is a function of the seed and i alone."""

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from typing import SupportsIndex

import numpy as np
from PIL import Image

from likeness.research.data.image_sets.dead_leaves import DeadLeaves
from likeness.research.data.image_sets.image_set import ImageSet, ImageSetSource
from likeness.research.data.image_sets.photographs import Photographs
from likeness.research.data.image_sets.procedural import FaceImages
from likeness.research.types import UInt8

# Grain wants a length; this many batches are never reached, and fit an index into every integer type there is.
_ENDLESS = 1 << 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomCrops:
    """Squares at random places and scales of random images, half of them mirrored.

    A source is drawn, each with its weight, then one of its images, then a window: its side is ``size/zoom`` pixels of the
    image, the logarithm of the zoom uniform between its bounds, and at most the image's shorter side. The window is
    resampled (Lanczos, antialiased) to ``size``.
    """

    sources: tuple[ImageSetSource, ...] = (Photographs(), DeadLeaves(), FaceImages())
    """Where the images come from."""
    weights: tuple[float, ...] = ()
    """How often each source is drawn; () for all alike."""
    size: int = 128
    """Side of the squares, in pixels."""
    zoom: tuple[float, float] = (0.3, 1.0)
    """Pixels of the square for one of the image: least and most."""
    mirror: float = 0.5
    """Share of the squares in which left and right are exchanged."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("RandomCrops.sources is empty: give at least one source of images.")
        if self.weights and (len(self.weights) != len(self.sources) or not all(0 < w < float("inf") for w in self.weights)):
            raise ValueError(
                f"RandomCrops.weights is {self.weights} for {len(self.sources)} sources: give one finite number above 0 a "
                "source, or () to draw all alike."
            )
        if not 8 <= self.size <= 4096:
            raise ValueError(f"RandomCrops.size is {self.size}: give 8 to 4096 pixels.")
        if not 0 < self.zoom[0] <= self.zoom[1] < float("inf"):
            raise ValueError(f"RandomCrops.zoom is {self.zoom}: give two finite numbers above 0, the smaller first.")
        if not 0 <= self.mirror <= 1:
            raise ValueError(f"RandomCrops.mirror is {self.mirror}: give a share from 0 to 1.")

    def open(self) -> "Crops":
        """Opens all sources.

        Raises:
            UserError: as the sources do.
        """
        return Crops(self, tuple(source.open() for source in self.sources))


class Crops:
    """An endless sequence of squares, uint8 (size, size, 3)."""

    def __init__(self, config: RandomCrops, image_sets: tuple[ImageSet, ...]) -> None:
        self.config, self.image_sets = config, image_sets
        weights = np.asarray(config.weights or (1.0,) * len(image_sets))
        self._shares = weights / weights.sum()

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of what identifies the images."""
        return hashlib.sha256("".join(image_set.fingerprint for image_set in self.image_sets).encode()).hexdigest()

    @property
    def description(self) -> tuple[str, ...]:
        """How many images there are, which are synthetic, and what was left out."""
        parts = [
            f"{len(image_set):,} {'synthetic ' if image_set.synthetic else ''}of {type(source).__name__}"
            for source, image_set in zip(self.config.sources, self.image_sets, strict=True)
        ]
        size, total = self.config.size, sum(map(len, self.image_sets))
        sentences = [f"{size} × {size} pixels out of {total:,} image{'' if total == 1 else 's'}: {'; '.join(parts)}"]
        skipped = [entry for image_set in self.image_sets for entry in image_set.skipped]
        if skipped:
            shown = "; ".join(f"{name}: {why}" for name, why in skipped[:5])
            more = f"; and {len(skipped) - 5} more" if len(skipped) > 5 else ""
            files = "1 file was" if len(skipped) == 1 else f"{len(skipped):,} files were"
            sentences.append(f"{files} skipped ({shown}{more})")
        return tuple(sentences)

    def draw(self, *key: int) -> UInt8[np.ndarray, "h w 3"]:
        """The square that a key gives, such as (seed, number)."""
        config, rng = self.config, np.random.default_rng(key)
        image_set = self.image_sets[rng.choice(len(self.image_sets), p=self._shares)]
        pixels = image_set.read(int(rng.integers(len(image_set))))
        zoom = np.exp(rng.uniform(*np.log(config.zoom)))
        window = min(config.size / zoom, *pixels.shape[:2])
        top, left = rng.uniform(0.0, 1.0, 2) * (np.asarray(pixels.shape[:2]) - window)
        mirrored = rng.uniform() < config.mirror
        square = Image.fromarray(pixels).resize(
            (config.size, config.size), Image.Resampling.LANCZOS, box=(left, top, left + window, top + window)
        )
        cut = np.asarray(square)
        return cut[:, ::-1] if mirrored else cut


@dataclasses.dataclass(frozen=True, eq=False)
class _Batches:
    """Batch i of every name: square k is drawn by (seed, name's place, i, k)."""

    crops: Mapping[str, Crops]
    batch_size: int
    seed: int

    def __len__(self) -> int:
        return _ENDLESS

    def __getitem__(self, index: SupportsIndex) -> dict[str, np.ndarray]:
        number = int(index)
        return {
            name: np.stack([crops.draw(self.seed, place, number, k) for k in range(self.batch_size)])
            for place, (name, crops) in enumerate(self.crops.items())
        }


def crop_stream(crops: Mapping[str, Crops], batch_size: int, seed: int, *, threads: int | None = None):
    """Iterates over batches of squares, reading ahead in threads.

    Args:
        crops: by name in the batch: content images, and style images where they vary too.
        batch_size: squares of each.
        seed: another seed, other squares.
        threads: how many batches are read at a time; 0 reads in the caller's thread. Default: one for each processor.

    Returns:
        A ``grain.DatasetIterator`` over dictionaries of uint8 (b, size, size, 3). ``get_state()`` is a JSON-able dictionary
        that holds the number of the next batch; ``set_state(state)`` goes on from there, to the bit.

    Example:
        >>> iterator = crop_stream({"images": RandomCrops(sources=(Photographs(),), size=16).open()}, 2, seed=0)
        >>> next(iterator)["images"].shape, iterator.get_state()
        ((2, 16, 16, 3), {'next_index': 1})
        >>> iterator.close()
    """
    import grain

    threads = (os.cpu_count() or 1) if threads is None else threads
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
    dataset = grain.MapDataset.source(_Batches(crops, batch_size, seed))
    return iter(dataset.to_iter_dataset(options))
