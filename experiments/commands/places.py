"""Which images a command reads, and whether what it makes can be written, found out before anything is read or made."""

import os
from collections.abc import Iterable, Iterator
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


def check_kept(written: Iterable[tuple[str, Path | None]], read: Iterable[str | Path | None]) -> None:
    """Finds out that what is written would take the place of an image that is read, or of something else that is written.

    Args:
        written: flags, and the files that they name; None for none.
        read: files; None for none.

    Raises:
        UserError: two of them are one file.
    """
    from likeness.research.data.paths import printable

    images = {Path(path).resolve() for path in read if path is not None}
    before: dict[Path, str] = {}
    for flag, path in written:
        if path is None:
            continue
        if (place := path.resolve()) in images:
            raise UserError(
                f"{flag} is {printable(path)}, an image that is read, and which would be lost: give {flag} another file."
            )
        if place in before:
            raise UserError(f"{before[place]} and {flag} are both {printable(path)}: give each a file of its own.")
        before[place] = flag


def check_outside(flag: str, made: Path, folder: Path, without: Path | None = None) -> None:
    """Finds out that the next call would read what this one makes, since it goes to where the images come from.

    Args:
        flag: what names it.
        made: a file, or the folder of what is made.
        folder: of the images that are read.
        without: a folder in there that is not looked into.

    Raises:
        UserError: it goes there.
    """
    from likeness.research.data.paths import printable

    around = (made.resolve(), *made.resolve().parents)
    if folder.resolve() not in around or (without is not None and without.resolve() in around):
        return
    raise UserError(
        f"{flag} is {printable(made)}, among the images of {printable(folder)}, where they could be written over and the next "
        f"call would take what is made for one of them: give {flag} another place."
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
