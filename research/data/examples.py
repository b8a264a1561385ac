"""Labelled arrays of any number of dimensions: what classification learns from."""

import dataclasses
import functools
import hashlib
import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Int32, Int64, Shaped

from likeness.research.data.sampling import IndexBatches
from likeness.research.errors import UserError

__all__ = ["Examples", "Parts", "stream_examples"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Examples in memory: row ``i`` is of class ``classes[labels[i]]``.

    Raises:
        ValueError: the columns contradict each other.

    Example:
        >>> examples = Examples(values=np.zeros((3, 512, 1), np.float32), labels=np.array([0, 1, 1], np.int32),
        ...                     classes=("calm", "wild"))
        >>> len(examples), examples.shape, examples.counts().tolist()
        (3, (512, 1), [1, 2])
    """

    values: Shaped[np.ndarray, "n *space c"]
    """Signals (n, t, c), images (n, h, w, c), volumes or films (n, d, h, w, c): floating point in [0, 1], or unsigned
    integers whose largest value stands for 1."""
    labels: Int32[np.ndarray, "n"]
    """The class of each."""
    classes: tuple[str, ...]
    """What the classes are called."""

    def __post_init__(self) -> None:
        if self.labels.dtype != np.int32 or self.labels.shape != self.values.shape[:1]:
            raise ValueError(
                f"labels must be int32, one for each of {len(self.values)} examples, not {self.labels.dtype} "
                f"{self.labels.shape}"
            )
        if not 3 <= self.values.ndim <= 5 or self.values.dtype.kind not in "uf":
            raise ValueError(
                f"values must be (n, …, c) of one to three spatial axes, floating point or unsigned integers, not "
                f"{self.values.dtype} {self.values.shape}"
            )
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise ValueError(f"labels must lie in [0, {len(self.classes)}), the number of classes")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example."""
        return self.values.shape[1:]

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the content."""
        digest = hashlib.sha256(repr((self.values.shape, self.values.dtype.str, self.classes)).encode())
        digest.update(np.ascontiguousarray(self.values).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()

    def counts(self) -> Int64[np.ndarray, "classes"]:
        """How many examples each class has."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)


class Parts(NamedTuple):
    """Examples to learn from, to decide by, and to be evaluated by."""

    train: Examples
    validation: Examples
    test: Examples


class Epochs(IndexBatches):
    """All rows in a fresh order every epoch; epochs follow without a gap."""

    def __init__(self, batch_size: int, n: int, seed: int) -> None:
        self.batch_size, self._n, self._seed = batch_size, n, seed
        self.batches_per_epoch = math.ceil(n / batch_size)
        self._order = functools.lru_cache(maxsize=8)(self._permutation)

    def rows(self, i: int) -> Int64[np.ndarray, "batch_size"]:
        places = np.arange(i * self.batch_size, (i + 1) * self.batch_size)
        epochs, within = np.divmod(places, self._n)
        return np.concatenate([self._order(int(epoch))[within[epochs == epoch]] for epoch in np.unique(epochs)])

    def _permutation(self, epoch: int) -> np.ndarray:
        return np.random.default_rng((self._seed, epoch)).permutation(self._n)


@dataclasses.dataclass(frozen=True, eq=False)
class _ReadShare:
    """One process's share of a batch: rows -> values and labels."""

    examples: Examples
    process_index: int
    process_count: int

    def __call__(self, rows: Int[np.ndarray, "b"]) -> dict[str, np.ndarray]:
        share = len(rows) // self.process_count
        rows = rows[self.process_index * share : (self.process_index + 1) * share]
        return {"values": self.examples.values.take(rows, axis=0), "labels": self.examples.labels[rows]}


def stream_examples(examples: Examples, batch: int, seed: int, *, process_index: int = 0, process_count: int = 1):
    """Iterates without end over batches of ``batch`` examples, in a fresh order every epoch.

    Batch i is a function of the seed and i alone. Each of several processes gets its contiguous slice of every batch.

    Returns:
        A ``grain.DatasetIterator`` over dictionaries: ``values`` (b, …, c) and ``labels`` int32 (b,). Its state is JSON.

    Raises:
        UserError: there are no examples, or the batch does not divide by the processes.

    Example:
        >>> examples = Examples(values=np.zeros((3, 8, 1), np.uint8), labels=np.zeros(3, np.int32), classes=("one",))
        >>> iterator = stream_examples(examples, 2, seed=0)
        >>> next(iterator)["values"].shape
        (2, 8, 1)
        >>> iterator.close()
    """
    import grain

    if not len(examples):
        raise UserError("There are no examples to train on: give the data some.")
    if batch % process_count:
        raise UserError(f"A batch of {batch} examples cannot be shared evenly by {process_count} processes: choose a multiple.")
    rows = Epochs(batch, len(examples), seed)
    dataset: Any = grain.MapDataset.source(rows).map(_ReadShare(examples, process_index, process_count))
    # Reading is copying, which one thread does as fast as several.
    return iter(dataset.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=4)))
