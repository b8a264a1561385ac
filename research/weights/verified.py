"""Remembers which checksum a file was found to have, so that what is loaded is verified each time and hashed once."""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from likeness.research.data.regular import open_regular, read_regular
from likeness.research.errors import UserError
from likeness.research.files import parse_json, write_atomically
from likeness.research.weights.directories import cache

_MOST = 1000


def digest(path: Path) -> str:
    """A file's SHA-256.

    Raises:
        UserError: it cannot be read, or is no file.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified_digest(path: Path) -> str:
    """A file's SHA-256, computed where it is not remembered of a file of this place, size, inode and times.

    What was computed is kept in ``verified.json`` in the cache. The time of the last change of the inode is among what is
    compared, which copying and ``touch`` cannot set back.

    Raises:
        UserError: it cannot be read, or is no file.
    """
    known, state = _remembered(), _state(path)
    key = str(path.absolute())
    entry = known.get(key)
    if isinstance(entry, dict) and entry.get("state") == state and isinstance(entry.get("sha256"), str):
        return entry["sha256"]
    found = digest(path)
    if _state(path) == state:
        kept = {name: value for name, value in known.items() if name != key} | {key: {"state": state, "sha256": found}}
        newest = dict(list(kept.items())[-_MOST:])
        # Where nothing can be kept, such as on a full or a read-only disk, it is computed again the next time.
        with contextlib.suppress(UserError):
            write_atomically(_place(), json.dumps(newest, indent=1) + "\n")
    return found


def note_digest(path: Path) -> None:
    """Writes a file's SHA-256 beside it, as ``sha256sum`` does, for :func:`noted_digest`."""
    write_atomically(_beside(path), f"{digest(path)}  {path.name}\n")


def noted_digest(path: Path) -> str | None:
    """The SHA-256 that a file had when :func:`note_digest` was called; None where it never was."""
    if not _beside(path).is_file():
        return None
    return read_regular(_beside(path)).decode(errors="replace").split(" ", 1)[0]


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _place() -> Path:
    return cache() / "verified.json"


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _remembered() -> dict[str, Any]:
    try:
        known = parse_json(read_regular(_place()))
    # It only saves time: what cannot be read is computed again.
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}
