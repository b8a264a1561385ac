"""Files that are written whole or not at all, what to say when they cannot be, and JSON that somebody else may have written."""

import contextlib
import errno
import json
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Any

from likeness.research.errors import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_SMALL = 1 << 16
_IN_THE_WAY = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR)
_DEEPEST = 100


def parse_json(text: str | bytes) -> Any:
    """Parses JSON that somebody else may have written: whatever is wrong with it is a ``ValueError``.

    Raises:
        ValueError: it is not JSON, not UTF-8, has a number of thousands of digits, or is nested more than a hundred deep, which
            no file of this project is and which whoever walks through the value would have to survive.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(f"it is nested more than {_DEEPEST} deep") from None
    level, depth = [value], 0
    while level := [inner for outer in level for inner in _inside(outer)]:
        depth += 1
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} deep")
    return value


def _inside(value: Any) -> list[Any]:
    """The lists and objects directly inside one."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [item for item in items if isinstance(item, dict | list)]


def write_atomically(path: Path, content: bytes | str) -> None:
    """Writes a file so that a reader, or a crash, sees the old content or the new, never a part.

    The file gets the permissions that the ``umask`` leaves, or keeps those that it had. A symbolic link stays, and what it
    points to is written. A pipe or a device, such as ``/dev/stdout``, is written into.

    Raises:
        UserError: when the disk is full or the directory cannot be written to.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                file.write(data)
            return
        target = Path(os.path.realpath(path))
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        # A name as long as is allowed leaves no room for the whole of it in another.
        temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(6)}")
        # Unlike the tempfile module's, which nobody else may ever read, this file gets what the umask leaves.
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise cannot_write(path, error) from error


def is_full(directory: Path) -> bool:
    """Whether a directory's disk, or one's share of it, has no room for another small file."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(_SMALL))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno in _FULL
    return False


def cannot_write(path: Path, error: OSError) -> UserError:
    """Says why a path could not be written to and what to do."""
    if error.errno in _FULL:
        remedy = "the disk is full: free some space, or give another directory, and launch the same command again"
    elif error.errno in _FORBIDDEN:
        remedy = "it may not be written to: give a directory that you may write to"
    elif error.errno in _IN_THE_WAY:
        remedy = "a file stands where a directory is needed: give another directory"
    elif error.errno == errno.ENOENT:
        remedy = "the system makes no such directory there: give another one"
    else:
        remedy = f"the system says: {os.strerror(error.errno or 0)}"
    return UserError(f"Cannot write {path}: {remedy}.")
