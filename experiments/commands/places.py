"""Which images a command reads, and whether what it makes can be written, found out before anything is read or made."""

import os
from collections.abc import Iterator
from pathlib import Path

from likeness.research.errors import UserError

_FIGURES = (".png", ".pdf", ".svg", ".jpg")


def images_below(folder: Path, without: Path | None = None) -> list[Path]:
    """The image files of a folder and of those below it, told by their names, in the order of these.

    Hidden ones, and what systems leave behind, are no images.

    Args:
        folder: where they are.
        without: a folder that is not looked into, such as that of what an earlier call has made.

    Raises:
        UserError: a folder cannot be read, or there is no image.
    """
    from likeness.research.data.paths import printable

    found = list(_below(folder, () if without is None else (without.resolve(),)))
    if not found:
        raise UserError(f"The folder {printable(folder)} holds no image: give one that does, or an image.")
    return found


def _below(folder: Path, passed: tuple[Path, ...]) -> Iterator[Path]:
    from likeness.research.data.folder import CLUTTER
    from likeness.research.data.image_guard import SUFFIXES
    from likeness.research.data.paths import printable

    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"The folder {printable(folder)} cannot be read: {error.strerror}.") from error
    # A link may lead back to a folder that it lies in.
    passed = (*passed, folder.resolve())
    for entry in entries:
        if entry.name.startswith(".") or entry.name in CLUTTER:
            continue
        if entry.is_dir():
            if entry.resolve() not in passed:
                yield from _below(entry, passed)
        elif entry.suffix.lower() in SUFFIXES:
            yield entry


def check_place(flag: str, out: Path, what: str = "image") -> None:
    """Finds out that a file cannot be written.

    Args:
        flag: what names the file.
        out: the file.
        what: is to be written to it.

    Raises:
        UserError: a folder stands there, or its own may not be written to.
    """
    from likeness.research.data.paths import printable

    folder = next(parent for parent in out.absolute().parents if parent.exists())
    if out.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(
            f"The {what} cannot be written to {printable(out)}: give {flag} a file in a folder that you may write to."
        )


def check_folder(folder: Path) -> None:
    """The same for a folder of paintings, which --out names.

    Raises:
        UserError: the name of an image, a file that stands there, or a place that may not be written to.
    """
    from likeness.research.data.image_guard import SUFFIXES
    from likeness.research.data.paths import printable

    if folder.suffix.lower() in SUFFIXES or (folder.exists() and not folder.is_dir()):
        raise UserError(
            f"Several paintings go into a folder, and --out is {printable(folder)}: name a folder, such as painted."
        )
    check_place("--out", folder / "painting.png")


def check_figure(flag: str, out: Path) -> None:
    """The same for a figure.

    Raises:
        UserError: a kind of file that holds no figure, or a place that may not be written to.
    """
    if out.suffix.lower() not in _FIGURES:
        raise UserError(f"{flag} is {out}: a figure ends in {', '.join(_FIGURES[:-1])} or {_FIGURES[-1]}.")
    check_place(flag, out, "figure")
