"""What SQLite and the file system refuse, said in one paragraph with what to do."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from likeness.research.errors import UserError
from likeness.research.files import is_full

_ADVICE = {
    "SQLITE_FULL": "the disk is full; free some space and run the same command again",
    "SQLITE_READONLY": "the file or its directory cannot be written; check its permissions or copy it elsewhere",
    "SQLITE_CANTOPEN": "the file cannot be opened; check that the directory exists and that you may read and write it",
    "SQLITE_BUSY": "another process has been writing to it for too long; wait for that one to end and try again",
    "SQLITE_NOTADB": "it is not a gallery (not an SQLite file); give another path, or move it away and enroll anew",
    "SQLITE_CORRUPT": "the file is damaged; restore it from a backup, or move it away and enroll anew",
    "SQLITE_IOERR": "the disk failed to read or write; check the disk and the file's permissions, and try again",
}


@contextlib.contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turns errors of SQLite and the file system into one paragraph.

    Args:
        path: the gallery's file.
        doing: what was being done, continuing "could not".

    Raises:
        UserError: in place of ``sqlite3.Error`` and ``OSError``.
    """
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        family = "_".join(name.split("_")[:2])
        # SQLite tells a full disk from others only when it writes the gallery itself, not when it makes the files beside it.
        if family in ("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN") and is_full(path.parent):
            family = "SQLITE_FULL"
        advice = _ADVICE.get(family, f"SQLite says: {error}; if this stays, restore the file from a backup")
        raise UserError(f"Gallery {path}: could not {doing}: {advice}. Nothing was changed.") from error
    # Python decodes names and messages of SQLite, which in a damaged file may be anything.
    except UnicodeDecodeError as error:
        advice = "a text in it is not UTF-8, so it is damaged; restore the file from a backup"
        raise UserError(f"Gallery {path}: could not {doing}: {advice}. Nothing was changed.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"Gallery {path}: could not {doing}: {reason}; check the path and its permissions. Nothing was changed."
        ) from error
