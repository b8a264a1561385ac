"""Reads the arrays of HDF5 files, as Keras writes them: what is in the file itself, and nothing that it points to."""

from pathlib import Path
from typing import Any

import numpy as np

from likeness.research.data.paths import printable
from likeness.research.data.regular import open_regular
from likeness.research.errors import UserError, how_to_install
from likeness.research.weights.headers import Check, Header, check_headers, damaged, unreadable

# Deflate, shuffle, a checksum, and HDF5's own three; others are libraries that HDF5 looks for on this machine and loads.
_FILTERS = (1, 2, 3, 4, 5, 6)


def read_keras(path: Path, check: Check | None = None) -> dict[str, np.ndarray]:
    """Reads the arrays of an HDF5 file by their path in it; of a whole Keras model, only its weights.

    An HDF5 file can say that the numbers of an array lie in another file of this machine (external storage, virtual datasets,
    external links), or under another name (soft links). Keras writes none of these, and all are refused: otherwise whoever made
    the file could have any file here read as numbers.

    Args:
        path: the file.
        check: told the headers before an array is read.

    Raises:
        UserError: h5py is not installed, or the file is damaged, points elsewhere, needs a plugin of HDF5, or would unpack to
            far more than its size.
    """
    try:
        import h5py  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise unreadable(
            path,
            "it is HDF5, as Keras writes it, and h5py is not installed",
            f"Install the `keras` extra ({how_to_install('keras')}; it is h5py), or bring the weights as safetensors.",
        ) from error
    with open_regular(path) as opened:
        stored = opened.seek(0, 2)
    try:
        with h5py.File(path, "r") as file:
            found = _datasets(path, file, h5py)
            headers = {name: Header(tuple(item.shape), item.dtype) for name, item in found.items()}
            check_headers(path, headers, stored, check)
            return {name: np.asarray(item[()]) for name, item in found.items()}
    except (UserError, OSError, MemoryError):
        raise
    # Of a damaged file h5py raises nearly anything: KeyError, RuntimeError, TypeError, UnicodeDecodeError.
    except Exception as error:
        raise damaged(path, "HDF5", error) from error


def _datasets(path: Path, file: Any, h5py: Any) -> dict[str, Any]:
    """The arrays of numbers by name, each found to lie in the file."""
    root = file
    if "model_weights" in file:
        _check_link(path, "model_weights", file.get("model_weights", getlink=True), h5py)
        root = file["model_weights"]
        if not isinstance(root, h5py.Group):
            raise unreadable(
                path, "its model_weights is an array and no group of them", "It is no file of Keras: bring another."
            )
    # What is raised while HDF5 walks through a file it turns into something else, so it is looked at afterwards.
    links: dict[str, Any] = {}
    root.visititems_links(links.__setitem__)
    for name, link in links.items():
        _check_link(path, name, link, h5py)
    items: dict[str, Any] = {}
    root.visititems(items.__setitem__)
    found = {
        name: item
        for name, item in items.items()
        if isinstance(item, h5py.Dataset) and item.shape is not None and item.dtype.kind in "fiu"
    }
    for name, item in found.items():
        _check_place(path, name, item)
    return found


def _check_link(path: Path, name: str, link: Any, h5py: Any) -> None:
    if not isinstance(link, h5py.HardLink):
        why = f"its {printable(name)} is a link to what lies elsewhere, and only what is in the file itself is read"
        raise unreadable(path, why, "Save the weights into one file.")


def _check_place(path: Path, name: str, item: Any) -> None:
    """Refuses an array whose numbers lie in another file, or are unpacked by a library that HDF5 would look for."""
    if item.external or item.is_virtual:
        why = f"the numbers of its {printable(name)} lie in other files, and only what is in the file itself is read"
        raise unreadable(path, why, "Save the weights into one file.")
    made = item.id.get_create_plist()
    filters = [made.get_filter(index)[0] for index in range(made.get_nfilters())]
    if any(number not in _FILTERS for number in filters):
        why = f"its {printable(name)} is packed by a plugin of HDF5 (filter {filters[0]})"
        raise unreadable(path, why, "Save the weights without it.")
