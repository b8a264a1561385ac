"""From rows to batches of images: a Grain iterator that knows where it is."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from likeness.research.data.images import Images
from likeness.research.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False)
class ReadBatch:
    """Reads one process's share of a batch: rows -> images (uint8), labels (int32) and rows (int64)."""

    images: Images
    process_index: int = 0
    process_count: int = 1

    def __call__(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        share = len(rows) // self.process_count
        rows = rows[self.process_index * share : (self.process_index + 1) * share]
        return {"images": self.images.read(rows), "labels": self.images.labels[rows], "rows": rows}


def stream(
    images: Images,
    batches: Sequence[np.ndarray],
    *,
    start: int = 0,
    process_index: int = 0,
    process_count: int = 1,
    threads: int | None = None,
    prefetch: int = 4,
):
    """Iterates over batches, reading ahead in threads.

    Each process of a distributed run gets its contiguous slice of every batch, in the order of ``process_index``,
    as ``jax.make_array_from_process_local_data`` puts them together again.

    Args:
        images: the table to read from.
        batches: rows of each batch, from a sampler's ``batches(images, seed)``.
        start: the first batch.
        process_index: this process.
        process_count: how many processes there are.
        threads: how many batches are read at a time; 0 reads in the caller's thread. Default: one where the images
            are in memory, since threads that only copy wait for each other; else one for each processor.
        prefetch: how many batches are read ahead; 0 reads in the caller's thread.

    Returns:
        A ``grain.DatasetIterator`` over dictionaries: ``images`` uint8 (b, h, w, c), ``labels`` int32 (b,), ``rows``
        int64 (b,). ``get_state()`` is a JSON-able dictionary that holds the number of the next batch, whatever
        ``start`` was; ``set_state(state)`` goes on from there, to the bit. Orbax saves it as it is.

    Raises:
        UserError: the batch does not divide by the processes.

    Example:
        >>> from likeness.research.data import Digits, Shuffled
        >>> images = Digits().open()
        >>> iterator = stream(images, Shuffled(8).batches(images, seed=0))
        >>> batch = next(iterator)
        >>> batch["images"].shape, batch["labels"].dtype.name, iterator.get_state()
        ((8, 8, 8, 1), 'int32', {'next_index': 1})
        >>> iterator.close()
    """
    import grain

    size = len(batches[0])
    if size % process_count:
        raise UserError(f"A batch of {size} rows cannot be shared evenly by {process_count} processes: choose a multiple.")
    if not 0 <= process_index < process_count:
        raise ValueError(f"process_index must be from 0 to {process_count - 1}, not {process_index}")
    dataset: Any = grain.MapDataset.source(batches).map(ReadBatch(images, process_index, process_count))
    if threads is None:
        threads = 1 if images.in_memory else os.cpu_count() or 1
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=prefetch if threads else 0)
    iterator = iter(dataset.to_iter_dataset(options))
    # Set, and not sliced off, so that the state counts batches from the first of all.
    iterator.set_state({"next_index": start})
    return iterator
