"""Libraries that reading some files of weights takes, and whether they are here."""

import importlib.util
from pathlib import Path

from likeness.research.data.paths import printable
from likeness.research.errors import how_to_install

_HDF5 = ("HDF5, as Keras writes it", "h5py", "keras")
_PICKLE = ("a PyTorch state dict", "torch", "peers")
_BY_ENDING = {".h5": _HDF5, ".hdf5": _HDF5, ".pth": _PICKLE, ".pt": _PICKLE}


def what_is_missing(path: Path) -> str:
    """What to install before a file of weights can be read, told by its ending; empty where nothing is missing."""
    kind, library, extra = _BY_ENDING.get(path.suffix.lower(), ("", "", ""))
    if not library or importlib.util.find_spec(library) is not None:
        return ""
    return f"{printable(path.name)} is {kind}, and {library} is not installed: {how_to_install(extra)}."
