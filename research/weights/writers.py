"""Writes arrays by name, as safetensors or .npz."""

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from likeness.research.data.paths import printable
from likeness.research.errors import UserError
from likeness.research.files import write_atomically


def write(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes ``.safetensors`` or ``.npz``, by the name's ending; whole or not at all, and the same bytes each time.

    Args:
        path: the file.
        arrays: what to write; reading it back gives the same bits.

    Raises:
        UserError: the name ends otherwise, or the file cannot be written.
    """
    path = Path(path)
    whole = {name: np.asarray(array, order="C") for name, array in sorted(arrays.items())}
    if path.suffix == ".safetensors":
        write_atomically(path, save(whole))
    elif path.suffix == ".npz":
        write_atomically(path, _npz(whole))
    else:
        raise UserError(f"Weights are written as .safetensors or .npz, and {printable(path)} ends in neither: rename it.")


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    # np.savez puts the time into the file, and takes no array called "file".
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return buffer.getvalue()
