"""Paths as people type them, and file names as a terminal can show them."""

import os
import re
from pathlib import Path

from likeness.research.errors import UserError


def printable(name: str | bytes | os.PathLike) -> str:
    r"""A file's name as text that any terminal, log or JSON file takes.

    Bytes that are not UTF-8 and characters that do not print (newlines, escape sequences) are written as
    backslash escapes, and a backslash as two, so that no two names come out the same.

    >>> printable(b"caf\xe9.jpg"), printable("new\nline.png"), printable("Zoë.png")
    ('caf\\xe9.jpg', 'new\\nline.png', 'Zoë.png')
    """
    return "".join(c if c.isprintable() else _escaped(c) for c in os.fsdecode(name).replace("\\", "\\\\"))


def _escaped(character: str) -> str:
    # A byte that is not UTF-8 reaches Python as a lone surrogate.
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else character.encode("unicode_escape").decode()


def expand_path(path: str, field: str = "path") -> Path:
    """Replaces ``~`` and environment variables in a path.

    Args:
        path: what the config says, such as ``"$LIKENESS_DATA/orl_faces"``.
        field: the config's field, to name it in the error.

    Raises:
        UserError: the path is empty, or names a variable that is not set.
    """
    if not path:
        raise UserError(f"No path is given: set the field `{field}` to where the data lies.")
    expanded = os.path.expandvars(Path(path).expanduser())
    # A `$` that is left is a variable that is not set, unless a file is really called that.
    missing = re.search(r"\$(\w+|\{[^}]*\})", expanded)
    if missing and not Path(expanded).exists():
        variable = missing.group(1).strip("{}")
        raise UserError(
            f"The path {printable(path)} uses the environment variable {variable}, which is not set: run "
            f"`export {variable}=/where/the/data/lies`, or give the field `{field}` the path itself."
        )
    return Path(expanded)
