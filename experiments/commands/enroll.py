"""``likeness enroll``: keeps a gallery of people. No training: an image is embedded once, when it is enrolled."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from likeness.experiments.commands.flags import Face, GalleryFile, Images, Model, Template, TrustCode, cli, trust
from likeness.experiments.commands.recognizers import gallery_of, is_published, opened, recognizer_named

if TYPE_CHECKING:
    from likeness.research.gallery import PersonTemplate

Name = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")]


@dataclasses.dataclass(frozen=True)
class Add:
    """Add images of one person: likeness enroll add "Ada Lovelace" ada1.jpg ada2.jpg"""

    name: Name
    """Who it is."""
    image: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="IMAGE")]
    """An image of this person."""
    more: Images = ()
    """More images; several of different light and pose help."""


@dataclasses.dataclass(frozen=True)
class Folder:
    """Add a folder that has a folder of images for each person."""

    path: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FOLDER")]
    """The folder of people."""
    on_bad: Literal["refuse", "skip"] = "refuse"
    """What to do with an image that cannot be read: refuse (nobody is enrolled) or skip."""


@dataclasses.dataclass(frozen=True)
class List:
    """List who is enrolled, with how many images."""


@dataclasses.dataclass(frozen=True)
class Rename:
    """Give a person another name."""

    old: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="OLD")]
    """The name until now."""
    new: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NEW")]
    """The name from now on."""


@dataclasses.dataclass(frozen=True)
class Remove:
    """Remove a person with all images."""

    name: Name
    """Who it is."""


@dataclasses.dataclass(frozen=True)
class Replace:
    """Put images in the place of all that a person has: likeness enroll replace "Ada Lovelace" new.jpg"""

    name: Name
    """Who it is."""
    image: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="IMAGE")]
    """An image of this person."""
    more: Images = ()
    """More images."""


@dataclasses.dataclass(frozen=True)
class History:
    """Tell who was added, removed, replaced or renamed, when, and from which file."""

    name: Annotated[
        tyro.conf.Positional[str | None], tyro.conf.arg(metavar="[NAME]", help_behavior_hint="(default: everybody)")
    ] = None
    """One person, whatever they were called before or after."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the history as JSON and nothing else."""


@dataclasses.dataclass(frozen=True)
class Export:
    """Write the gallery for other programs: .npz, .parquet, or an index for FAISS (.faiss, .index)."""

    file: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE")]
    """The file to write."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Keep a gallery of people, for `likeness identify`."""

    action: (
        Annotated[Add, tyro.conf.subcommand("add")]
        | Annotated[Folder, tyro.conf.subcommand("folder")]
        | Annotated[List, tyro.conf.subcommand("list")]
        | Annotated[Rename, tyro.conf.subcommand("rename")]
        | Annotated[Replace, tyro.conf.subcommand("replace")]
        | Annotated[Remove, tyro.conf.subcommand("remove")]
        | Annotated[History, tyro.conf.subcommand("history")]
        | Annotated[Export, tyro.conf.subcommand("export")]
    )
    model: Model = None
    """A published recognizer, which finds the faces in photographs itself, or the working directory of a trained one."""
    face: Face = None
    """Which face of each photograph: the largest, which is the default, or one by its number, counted from the left."""
    gallery: GalleryFile = None
    """The gallery's file."""
    template: Annotated[Template, tyro.conf.arg(help_behavior_hint="(default: as it is)")] = None
    """How `identify` compares a person of several images from now on: by the nearest of them, as a new gallery does, or by
    their average."""
    trust_code: TrustCode = False


def main(arguments: list[str]) -> int:
    options: Options = cli(
        tyro.conf.CascadeSubcommandArgs[tyro.conf.OmitArgPrefixes[Options]], prog="likeness enroll", arguments=arguments
    )
    from likeness.experiments.storage.workdir import Workdir as RunFiles
    from likeness.research.errors import UserError

    model = recognizer_named(options.model)
    if options.gallery is None and not is_published(model):
        # A path that is mistyped is said to be no run, and not a gallery to be made.
        RunFiles(model).check_run()
    trust(model, options)
    path = Path(options.gallery or gallery_of(model))
    if options.template is not None and isinstance(options.action, History | Export):
        raise UserError("--template changes how people are compared, and this changes nothing: leave it out.")
    match options.action:
        case Add() | Replace() | Folder():
            _conclude(path, options.template, _enroll(options.action, model, path, options))
        case History(name, as_json):
            _tell(path, name, as_json)
        case Export(file):
            _export(path, Path(file), model)
        case List() | Rename() | Remove():
            _conclude(path, options.template, _keep(options.action, path, options.template))
    return 0


def _enroll(action: Add | Replace | Folder, model: str, path: Path, options: Options) -> list[str]:
    """Embeds the images, which only the model can; names who was enrolled."""
    from likeness.experiments.commands.shown import check_photographs, remark
    from likeness.experiments.display.phases import watched
    from likeness.experiments.display.progress import Phases
    from likeness.research.errors import UserError

    recognizer = opened(model)
    asked = check_photographs(recognizer, options.face, None)
    if asked == "all":
        raise UserError("--face all is for identify: a face is enrolled for each image, the largest or --face N.")
    with Phases() as phases, watched(phases.tell):
        match action:
            case Add(name, image, more) | Replace(name, image, more):
                done = recognizer.enroll(
                    path,
                    {name: [image, *more]},
                    face=asked or "largest",
                    tell=lambda seen: remark([seen]),
                    earlier="replaced" if isinstance(action, Replace) else "kept",
                    template=options.template,
                )
            case Folder(folder, on_bad):
                people, skipped, notes = recognizer.find_people(folder, on_bad)
                for error in skipped:
                    print(f"skipped: {error}")
                for note in notes:
                    print(note)
                done = recognizer.enroll(path, people, face=asked or "largest", template=options.template)
    for enrollment in done:
        print(f"enrolled {enrollment.name} with {_count(len(enrollment.added), 'image')}")
        for duplicate in enrollment.skipped:
            print(f"  {duplicate.source} was enrolled before: skipped")
        for duplicate in enrollment.shared:
            print(f"  warning: {duplicate.source} is also enrolled as {duplicate.name}")
    return [enrollment.name for enrollment in done]


def _tell(path: Path, name: str | None, as_json: bool) -> None:
    """Prints what was changed in a gallery."""
    import json

    from likeness.research.data.paths import printable
    from likeness.research.gallery.store import Gallery

    with Gallery.open(path) as gallery:
        changes = gallery.history(name)
    if as_json:
        print(json.dumps([dataclasses.asdict(change) for change in changes]))
        return
    for change in changes:
        print(change)
    print(f"{_count(len(changes), 'change')} in {printable(path)}")


def _export(path: Path, out: Path, model: str) -> None:
    """Writes a gallery for other programs. Only an index has to know how the model compares."""
    from likeness.experiments.commands.places import check_place
    from likeness.experiments.recognition.exported import FAISS_ENDINGS, check_ending, export_gallery
    from likeness.research.data.paths import printable
    from likeness.research.errors import require
    from likeness.research.gallery.store import Gallery

    check_ending(out)
    check_place("FILE", out, "gallery")
    if out.suffix.lower() in FAISS_ENDINGS:
        require("faiss", "faiss", f"{printable(out)}")
        recognizer = opened(model)
        with recognizer.gallery(path) as gallery:
            rows, files = export_gallery(gallery, out, recognizer.distance)
    else:
        with Gallery.open(path) as gallery:
            rows, files = export_gallery(gallery, out)
    print(f"wrote {_count(rows, 'embedding')} of {printable(path)} to {' and '.join(map(printable, files))}")


def _keep(action: List | Rename | Remove, path: Path, template: "PersonTemplate | None") -> list[str]:
    """Lists and changes names, which needs no model and does not wait for one; the names that are new."""
    from likeness.research.data.names import identity_name
    from likeness.research.gallery.store import Gallery

    said: list[str] = []
    named: list[str] = []
    with Gallery.open(path) as gallery:
        # A name that is refused leaves the template as it was. A list alone takes no lock: a file may be there to be read only.
        alters = template is not None or not isinstance(action, List)
        with gallery.transaction() if alters else contextlib.nullcontext():
            if template is not None:
                gallery.set_template(template)
            match action:
                case List():
                    said = [f"{name}  {_count(images, 'image')}" for name, images in gallery.people().items()]
                case Rename(old, new):
                    gallery.rename(old, new)
                    old, new = identity_name(old), identity_name(new)
                    said = [f"{old} is now {new}" if old != new else f"{old} has this name already: it was not changed"]
                    named = [new]
                case Remove(name):
                    said = [f"removed {identity_name(name)} with {_count(gallery.remove(name), 'image')}"]
    for line in said:
        print(line)
    return named


def _conclude(path: Path, template: "PersonTemplate | None", named: Sequence[str]) -> None:
    """Says what a gallery holds now; warns of names that are easily confused with those that are new."""
    from likeness.research.data.paths import printable
    from likeness.research.gallery.store import Gallery

    if template is not None:
        print(f"people of several images are compared by the {template.replace('nearest', 'nearest of them')}")
    with Gallery.open(path) as gallery:
        for group in gallery.easily_confused(named):
            print(f"warning: these are different people, whose names differ by little: {', '.join(group)}")
        print(f"{_count(len(gallery.people()), 'person', 'people')} in {printable(path)}")


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
