"""Who is evaluated: a trained encoder, or a baseline that any encoder must beat, behind one interface."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import flax.linen as nn
import jax
import numpy as np
from jaxtyping import Float

from likeness.experiments.display.phases import tracked
from likeness.experiments.distributed import processes
from likeness.research.data.images import Images
from likeness.research.data.preprocessing import to_unit
from likeness.research.distances import Distance
from likeness.research.losses import DistanceLoss, RecognitionLoss
from likeness.research.types import AnyArray, Array, PyTree

_BATCH = 256
_FEW = 8
_BLOCK = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Embedder:
    """Embeds images and says how far apart two embeddings are. Smaller is more alike."""

    embed: Callable[[AnyArray], Float[np.ndarray, "n d"]]
    """uint8 images (n, h, w, c) to embeddings."""
    distance: Callable[[AnyArray, AnyArray], Float[np.ndarray, "n m"]]
    """Of each of n embeddings to each of m."""
    compared_by: Distance | None = None
    """The distance itself, where it has no weights: protocols of millions of pairs compute it on the device."""
    paired: Callable[[AnyArray, AnyArray], Float[np.ndarray, "n"]] | None = None
    """Of each of n embeddings to its partner, for few pairs of many embeddings; None leaves it to ``distance``."""

    def embed_all(self, images: Images) -> Float[np.ndarray, "n d"]:
        """Embeds a whole table, a batch at a time; several processes share it, and each gets all of it."""
        shares = [len(part) for part in np.array_split(np.arange(len(images)), jax.process_count())]
        start = sum(shares[: jax.process_index()])
        rows = np.arange(start, start + shares[jax.process_index()])
        # One read even of no rows at all: it says how wide an embedding is.
        batches = [rows[i : i + _BATCH] for i in range(0, max(1, len(rows)), _BATCH)]
        parts = [self.embed(images.read(batch)) for batch in tracked("embedding images", batches, len)]
        return processes.gathered_rows(np.concatenate(parts), shares)


def trained(encoder: nn.Module, by: Distance | RecognitionLoss, params: PyTree, state: PyTree) -> Embedder:
    """A trained encoder, compared by a distance, or as its loss does."""
    variables = {"params": params["encoder"], **state}

    def embed(images: AnyArray) -> np.ndarray:
        parts = _batches(images)
        return np.concatenate([np.asarray(_embed(encoder, variables, _padded(part, n)))[: len(part)] for part, n in parts])

    def distance(first: AnyArray, second: AnyArray) -> np.ndarray:
        return _in_blocks(functools.partial(_distance, by, params["loss"]), first, second)

    def paired(first: AnyArray, second: AnyArray) -> np.ndarray:
        size = _power_of_two(len(first))
        return np.asarray(_paired(by, params["loss"], _padded(first, size), _padded(second, size)))[: len(first)]

    return Embedder(embed=embed, distance=distance, compared_by=_without_weights(by), paired=paired)


def _without_weights(by: Distance | RecognitionLoss) -> Distance | None:
    if isinstance(by, Distance):
        return by
    return by.distance if isinstance(by, DistanceLoss) and type(by).compare is DistanceLoss.compare else None


@runtime_checkable
class Baseline(Protocol):
    """A method without a network, fitted to the training images."""

    @property
    def name(self) -> str: ...
    def fit(self, train: Images) -> Embedder: ...


@dataclasses.dataclass(frozen=True)
class RawPixels:
    """Images compared pixel by pixel: squared Euclidean distance."""

    name = "raw_pixels"

    def fit(self, train: Images) -> Embedder:
        """Nothing is learned; ``train`` only has to be of the same shape."""
        del train
        return Embedder(embed=_flat, distance=_euclidean, paired=_euclidean_pairs)


@dataclasses.dataclass(frozen=True)
class Eigenfaces:
    """Images projected on the training images' principal components (Turk & Pentland, 1991)."""

    components: int = 100
    """Components kept, at most one fewer than there are training images."""

    name = "eigenfaces"

    def __post_init__(self) -> None:
        if self.components < 1:
            raise ValueError(f"Eigenfaces.components is {self.components}: give 1 or more")

    def fit(self, train: Images) -> Embedder:
        """Finds the components in at most 2,000 training images, evenly spaced over the table."""
        # Most of a second, for which commands that fit nothing do not wait.
        from sklearn.decomposition import PCA

        rows = np.unique(np.linspace(0, len(train) - 1, min(len(train), 2000)).astype(np.int64))
        pixels = _flat(train.read(rows))
        projection = PCA(min(self.components, *(side - 1 for side in pixels.shape)), random_state=0).fit(pixels)
        return Embedder(embed=lambda images: projection.transform(_flat(images)), distance=_euclidean, paired=_euclidean_pairs)


@functools.partial(jax.jit, static_argnums=0)
def _embed(encoder: nn.Module, variables: PyTree, images: Any) -> Array:
    if images.dtype != np.uint8:
        raise ValueError(f"Images to embed are uint8, and these are {images.dtype}: nothing else says what 1 is.")
    activations: Any = encoder.apply(variables, to_unit(images), train=False)
    return activations["embedding"]


@functools.partial(jax.jit, static_argnums=0)
def _distance(by: Distance | RecognitionLoss, params: PyTree, first: Any, second: Any) -> Array:
    return _paired(by, params, first[:, None, :], second[None, :, :])


@functools.partial(jax.jit, static_argnums=0)
def _paired(by: Distance | RecognitionLoss, params: PyTree, first: Any, second: Any) -> Array:
    # A loss's weights are an argument, so that those of another step compile nothing anew.
    return by.compare(params, first, second) if isinstance(by, RecognitionLoss) else by.paired(first, second)


def _batches(images: AnyArray) -> Iterator[tuple[AnyArray, int]]:
    """Parts of a table, each with the size to embed it at: of two sizes, since each is compiled.

    A few images go in small batches: padded to a full one, two faces would cost what 256 cost.
    """
    start = 0
    while start < len(images):
        size = _BATCH if 4 * (len(images) - start) > _BATCH else _FEW
        yield images[start : start + size], size
        start += size


def _in_blocks(distance: Callable[[Any, Any], Any], first: AnyArray, second: AnyArray) -> np.ndarray:
    # Sizes are rounded up to powers of two so that few shapes are compiled.
    columns = _padded(second, _power_of_two(len(second)))
    block = min(_BLOCK, _power_of_two(len(first)))
    parts = []
    for start in range(0, len(first), block):
        rows = first[start : start + block]
        parts.append(np.asarray(distance(_padded(rows, block), columns))[: len(rows), : len(second)])
    return np.concatenate(parts) if parts else np.zeros((0, len(second)), np.float32)


def _euclidean(first: AnyArray, second: AnyArray) -> np.ndarray:
    # Not a `Distance`, which is float32: a baseline that others are measured by is exact, and no gradient is asked of it.
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    center = b.mean(axis=0)
    a, b = a - center, b - center
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
    return np.maximum(squares, 0)


def _euclidean_pairs(first: AnyArray, second: AnyArray) -> np.ndarray:
    return np.square(np.asarray(first, np.float64) - np.asarray(second, np.float64)).sum(axis=1)


def _flat(images: AnyArray) -> np.ndarray:
    return np.asarray(images).reshape(len(images), -1).astype(np.float64) / 255


def _padded(rows: AnyArray, count: int) -> np.ndarray:
    rows = np.asarray(rows)
    return np.concatenate([rows, np.zeros((count - len(rows), *rows.shape[1:]), rows.dtype)]) if len(rows) < count else rows


def _power_of_two(number: int) -> int:
    return 1 << max(0, number - 1).bit_length()


__all__ = ["Baseline", "Eigenfaces", "Embedder", "RawPixels", "trained"]
