"""Whether what a command makes can be written, found out before it is made."""

import os
from pathlib import Path

from likeness.research.errors import UserError

_FIGURES = (".png", ".pdf", ".svg", ".jpg")


def check_place(flag: str, out: Path) -> None:
    """Finds out that a file cannot be written.

    Raises:
        UserError: a folder stands there, or its own may not be written to.
    """
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    if out.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"The image cannot be written to {out}: give {flag} a file in a folder that you may write to.")


def check_figure(flag: str, out: Path) -> None:
    """The same for a figure.

    Raises:
        UserError: a kind of file that holds no figure, or a place that may not be written to.
    """
    if out.suffix.lower() not in _FIGURES:
        raise UserError(f"{flag} is {out}: a figure ends in {', '.join(_FIGURES[:-1])} or {_FIGURES[-1]}.")
    check_place(flag, out)
