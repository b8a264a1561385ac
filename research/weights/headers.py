"""What a file of weights says of its arrays before one of them is read, and how it is refused."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np

from likeness.research.data.npz import BadArchive, check_unpacked
from likeness.research.data.paths import printable
from likeness.research.errors import UserError


class Header(NamedTuple):
    """What a file says of an array that has not been read."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def nbytes(self) -> int:
        """Bytes that the array takes."""
        return math.prod(self.shape) * self.dtype.itemsize


Check: TypeAlias = Callable[[Mapping[str, Header]], None]
"""Told the headers by name before an array is read; raises a ``UserError`` where they will not do."""

_MOST = 16 * 2**30


def unreadable(path: Path, why: str, remedy: str) -> UserError:
    """The one paragraph for weights that cannot be read."""
    return UserError(f"The weights {printable(path)} cannot be read: {why}. {remedy}")


def damaged(path: Path, kind: str, error: Exception) -> UserError:
    """The paragraph for a file that a library cannot make sense of."""
    return unreadable(path, f"it is not a whole {kind} file ({line(error)})", "It may be cut short: fetch or copy it again.")


def line(error: Exception) -> str:
    """What a library said, in one short line."""
    return printable(" ".join(str(error).split())[:120].rstrip(".")) or type(error).__name__


def check_headers(path: Path, headers: Mapping[str, Header], stored: int, check: Check | None) -> None:
    """Refuses what is too large or holds no numbers, before an array is read.

    Args:
        path: the file, for the error.
        headers: of its arrays, by name.
        stored: bytes of the file, or of all files of a folder.
        check: what the reader's caller has to say.

    Raises:
        UserError: an array holds no numbers, all would take more than 16 GB, or they unpack to far more than the file's size.
    """
    for name, header in headers.items():
        if not (jnp.issubdtype(header.dtype, jnp.number) or header.dtype == np.bool_):
            why = f"{printable(name)} holds {header.dtype}, and numbers are expected"
            raise unreadable(path, why, "Save its arrays of numbers alone.")
    size = sum(header.nbytes for header in headers.values())
    try:
        check_unpacked(size, stored)
    except BadArchive as error:
        raise unreadable(path, str(error), "Fetch or copy it again.") from error
    if size > _MOST:
        raise unreadable(path, f"its arrays take {size / 1e9:,.0f} GB, and at most {_MOST / 1e9:.0f} are read", "Bring a part.")
    if check is not None:
        check(headers)
