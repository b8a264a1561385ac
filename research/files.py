"""Files that are written whole or not at all, and what to say when they cannot be."""

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from research.errors import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_SMALL = 1 << 16
_IN_THE_WAY = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Writes a file so that a reader, or a crash, sees the old content or the new, never a part.

    Raises:
        UserError: when the disk is full or the directory cannot be written to.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
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
