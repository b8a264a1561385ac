"""``likeness enroll``: keeps a gallery of people. No training: a picture is embedded once, when it is enrolled."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from experiments.commands.choose import cli
from experiments.recognizer import Recognizer
from research.data import BadImage, printable
from research.errors import UserError
from research.gallery import Gallery


@dataclasses.dataclass(frozen=True)
class Add:
    """Add pictures of one person: likeness enroll add "Ada Lovelace" ada1.jpg ada2.jpg"""

    name: tyro.conf.Positional[str]
    """Who it is."""
    pictures: tyro.conf.Positional[tuple[str, ...]]
    """One or more pictures; several of different light and pose help."""


@dataclasses.dataclass(frozen=True)
class Folder:
    """Add a folder that has a folder of pictures for each person."""

    path: tyro.conf.Positional[str]
    """The folder of people."""
    on_bad: str = "refuse"
    """What to do with a picture that cannot be read: refuse (nobody is enrolled) or skip."""


@dataclasses.dataclass(frozen=True)
class List:
    """List who is enrolled, with how many pictures."""


@dataclasses.dataclass(frozen=True)
class Rename:
    """Give a person another name."""

    old: tyro.conf.Positional[str]
    new: tyro.conf.Positional[str]


@dataclasses.dataclass(frozen=True)
class Remove:
    """Remove a person with all pictures."""

    name: tyro.conf.Positional[str]


@dataclasses.dataclass(frozen=True)
class Options:
    action: (
        Annotated[Add, tyro.conf.subcommand("add")]
        | Annotated[Folder, tyro.conf.subcommand("folder")]
        | Annotated[List, tyro.conf.subcommand("list")]
        | Annotated[Rename, tyro.conf.subcommand("rename")]
        | Annotated[Remove, tyro.conf.subcommand("remove")]
    )
    workdir: str = "runs/recognition/quickstart"
    """The working directory of a trained recognizer."""
    gallery: str | None = None
    """The gallery's file; by default gallery.sqlite in the working directory."""


def main(arguments: list[str]) -> int:
    options: Options = cli(
        tyro.conf.CascadeSubcommandArgs[tyro.conf.OmitArgPrefixes[Options]], prog="likeness enroll", arguments=arguments
    )
    recognizer = Recognizer.load(options.workdir)
    path = Path(options.gallery or recognizer.default_gallery)
    adds = isinstance(options.action, Add | Folder)
    with recognizer.gallery(path, create=adds) as gallery:
        match options.action:
            case Add(name, pictures):
                _add(recognizer, gallery, name, [Path(picture) for picture in pictures])
            case Folder():
                _add_folder(recognizer, gallery, options.action)
            case List():
                for name, count in gallery.people().items():
                    print(f"{name}  {count} picture{'s' * (count != 1)}")
            case Rename(old, new):
                gallery.rename(old, new)
                print(f"{old} is now {new}")
            case Remove(name):
                print(f"removed {name} and {gallery.remove(name)} pictures")
        print(f"{len(gallery.people())} people in {path}")
    return 0


def _add(recognizer: Recognizer, gallery: Gallery, name: str, pictures: list[Path]) -> None:
    if not pictures:
        raise UserError(f"No picture of {name} is given: likeness enroll add {name!r} PICTURE …")
    done = gallery.add(name, recognizer.embed_files(pictures), [recognizer.note(picture) for picture in pictures])
    print(f"enrolled {done.name} with {len(done.added)} picture{'s' * (len(done.added) != 1)}")
    for duplicate in done.skipped:
        print(f"  {duplicate.source} was enrolled before: skipped")
    for duplicate in done.shared:
        print(f"  warning: {duplicate.source} is also enrolled as {duplicate.name}")


def _add_folder(recognizer: Recognizer, gallery: Gallery, action: Folder) -> None:
    if action.on_bad not in ("refuse", "skip"):
        raise UserError(f"--on-bad is {action.on_bad!r}: choose refuse or skip.")
    root = Path(action.path)
    if not root.is_dir():
        raise UserError(f"There is no folder {printable(action.path)}: give a folder that has a folder for each person.")
    people = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not people:
        raise UserError(f"{printable(action.path)} has no folders: it must have one for each person, with their pictures.")
    with gallery.transaction("enroll a folder"):
        for person in people:
            good = []
            for picture in sorted(path for path in person.iterdir() if not path.name.startswith(".")):
                try:
                    recognizer.decode(picture)
                except BadImage as error:
                    if action.on_bad == "refuse":
                        raise
                    print(f"skipped: {error}")
                else:
                    good.append(picture)
            if good:
                _add(recognizer, gallery, person.name, good)
