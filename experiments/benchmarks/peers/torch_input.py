"""Batches of augmented images by PyTorch's DataLoader, with what torchvision's transforms do by Pillow."""

import io
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from PIL import Image, ImageEnhance
from torch.utils.data import DataLoader, Dataset  # pyright: ignore[reportMissingImports]


class Pictures(Dataset):
    """Images, each cropped at random, mirrored, and changed in brightness and contrast."""

    def __init__(self, sources: Sequence[Path] | None, records: str, side: int, crop: float, tones: float) -> None:
        """Of files, or of a data set of TFDS where there are none.

        Args:
            sources: the files.
            records: the folder of the data set.
            side: of the result, in pixels.
            crop: the smallest side of the window, as a share of the image's.
            tones: the largest change of brightness and contrast.
        """
        self._files, self._side, self._crop, self._tones = sources, side, crop, tones
        self._records = None
        if sources is None:
            import tensorflow_datasets as tfds

            builder = tfds.builder_from_directory(f"{records}/likeness_benchmark/1.0.0")
            self._records = builder.as_data_source("train", decoders={"image": tfds.decode.SkipDecoding()})  # pyright: ignore

    def __len__(self) -> int:
        return len(self._files if self._records is None else self._records)  # pyright: ignore

    def __getitem__(self, row: int) -> torch.Tensor:
        file = io.BytesIO(self._records[row]["image"]) if self._records is not None else self._files[row]  # pyright: ignore
        with Image.open(file) as opened:
            image = opened.convert("RGB")
        share = random.uniform(self._crop, 1.0)
        width, height = (share * side for side in image.size)
        left, top = random.uniform(0, image.width - width), random.uniform(0, image.height - height)
        box = (left, top, left + width, top + height)
        image = image.resize((self._side, self._side), Image.Resampling.BILINEAR, box)
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for change in (ImageEnhance.Brightness, ImageEnhance.Contrast):
            image = change(image).enhance(random.uniform(1 - self._tones, 1 + self._tones))
        # As torchvision's ToTensor.
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)


def loading(kind: str, folder: Path, side: int, batch: int, crop: float, tones: float) -> Callable[[], None]:
    """Goes through all images once, with a worker a core; the workers are started before and stay.

    Args:
        kind: ``PNG``, ``JPEG`` or ``ArrayRecord``.
        folder: where they are.
        side: of the result, in pixels.
        batch: images at a time.
        crop: as of :class:`Pictures`.
        tones: as of :class:`Pictures`.
    """
    files = None if kind == "ArrayRecord" else sorted(path for path in folder.rglob("*.*") if path.suffix in (".png", ".jpg"))
    workers = len(os.sched_getaffinity(0))
    torch.set_num_threads(workers)
    pictures = Pictures(files, str(folder), side, crop, tones)
    # A process that has loaded JAX has threads, which a fork would break.
    loader = DataLoader(
        pictures, batch, shuffle=True, num_workers=workers, persistent_workers=True, multiprocessing_context="forkserver"
    )

    def once() -> None:
        for images in loader:
            assert images.shape[0] == batch

    return once
