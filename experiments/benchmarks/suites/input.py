"""Batches of images, read, decoded and augmented, beside ``torch.utils.data.DataLoader`` with as many workers.

Faces of 160 pixels become 112 pixels, cropped at random, mirrored, and changed in brightness and contrast. PyTorch's workers do
all of it by Pillow, as torchvision's transforms do; ours decode by Pillow in threads and augment in one compiled program. A
round goes through all images once. Where they fit into memory Likeness decodes images once and keeps them, which is a row of
its own.
"""

import functools
import io
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import jax
import numpy as np
from PIL import Image

from likeness.experiments.benchmarks.protocol import OURS, Contender, Goal, Row, Size, Work
from likeness.research.data import Augmentation, Faces, Folder, Shuffled, Source, Tfds
from likeness.research.data.pipeline import stream

PEER = "torch DataLoader"
Kind: TypeAlias = Literal["PNG", "JPEG", "ArrayRecord"]
SIDE, RESULT, BATCH = 160, 112, 64
CROP, TONES = 0.8, 0.2
AUGMENTATION = Augmentation(crop=CROP, mirror=0.5, brightness=TONES, contrast=TONES)
_FASTER = 1.2


def rows(size: Size) -> tuple[Row, ...]:
    """A row a kind of file, and one where decoded images are kept."""
    count = BATCH if size == "tiny" else 8 * BATCH
    kinds: tuple[Kind, ...] = ("PNG", "JPEG", "ArrayRecord")
    read = tuple(_row(f"{count} images from {kind}, decoded each time", kind, count, kept=False) for kind in kinds)
    return (*read, _row(f"{count} images from JPEG, kept decoded", "JPEG", count, kept=True))


def _row(name: str, kind: Kind, count: int, *, kept: bool) -> Row:
    contenders = (
        Contender(OURS, functools.partial(_ours, kind, count, kept=kept), ("jax",)),
        Contender(PEER, functools.partial(_theirs, kind, count), ("torch",), peer=True),
    )
    return Row(name, contenders, Goal(PEER, _FASTER), memory=False)


def faces(count: int) -> Iterator[tuple[str, Image.Image]]:
    """Synthetic faces, with the name of whom each shows."""
    images = Faces(people=count // 8, images=8, size=SIDE, channels=3).open()
    for row in range(count):
        yield images.people[images.labels[row]], Image.fromarray(images.read(np.array([row]))[0])


def write(kind: Kind, count: int, folder: Path) -> None:
    """Writes them into a folder: one folder a person, or one data set of TFDS."""
    if kind == "ArrayRecord":
        return _write_records(count, folder)
    for number, (person, image) in enumerate(faces(count)):
        (folder / person).mkdir(exist_ok=True)
        image.save(folder / person / f"{number}.{'png' if kind == 'PNG' else 'jpg'}", quality=95)
    return None


def _write_records(count: int, folder: Path) -> None:
    logging.getLogger("absl").setLevel(logging.ERROR)
    _builder(count)(data_dir=str(folder), file_format="array_record").download_and_prepare()


@functools.cache
def _builder(count: int) -> Any:
    """TFDS registers a class by its name, once in a process."""
    import tensorflow_datasets as tfds

    class LikenessBenchmark(tfds.core.GeneratorBasedBuilder):
        """Faces as JPEG."""

        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path: Any = Path(__file__).parent

        def _info(self) -> Any:
            features = {"image": tfds.features.Image(shape=(None, None, 3)), "label": tfds.features.Text()}
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager: Any) -> Any:
            del dl_manager
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Any:
            for number, (person, image) in enumerate(faces(count)):
                encoded = io.BytesIO()
                image.save(encoded, "JPEG", quality=95)
                encoded.seek(0)
                yield number, {"image": encoded, "label": person}

    return LikenessBenchmark


def _ours(kind: Kind, count: int, *, kept: bool) -> Work:
    held = tempfile.TemporaryDirectory()
    write(kind, count, Path(held.name))
    megabytes = 2048.0 if kept else 0.0
    source: Source = (
        Tfds("likeness_benchmark", data_dir=held.name, size=RESULT, cache_megabytes=megabytes)
        if kind == "ArrayRecord"
        else Folder(held.name, size=RESULT, cache_megabytes=megabytes)
    )
    images = source.open()
    batches, key = Shuffled(BATCH).batches(images, 0), jax.random.key(0)
    began = time.perf_counter()
    example = jax.ShapeDtypeStruct((BATCH, RESULT, RESULT, 3), np.uint8)
    augment = jax.jit(AUGMENTATION.__call__).lower(example, key).compile()
    compiling = time.perf_counter() - began

    def once() -> None:
        # The folder lives as long as the work does.
        assert held.name
        iterator = stream(images, batches, threads=None if kept else len(os.sched_getaffinity(0)))
        for number in range(count // BATCH):
            jax.block_until_ready(augment(next(iterator)["images"], jax.random.fold_in(key, number)))
        iterator.close()

    return Work(once, compiling)


def _theirs(kind: Kind, count: int) -> Work:
    from likeness.experiments.benchmarks.peers.torch_input import loading

    held = tempfile.TemporaryDirectory()
    write(kind, count, Path(held.name))
    once = loading(kind, Path(held.name), RESULT, BATCH, CROP, TONES)

    def read() -> None:
        assert held.name
        once()

    return Work(read)
