"""``likeness weights``: published weights on this machine, where they come from, and what of them fits."""

import dataclasses
import json
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from likeness.experiments.commands.flags import TrustCode, cli, trust
from likeness.experiments.commands.streams import say_first
from likeness.research.errors import UserError

if TYPE_CHECKING:
    from likeness.research.weights import Release

Names = Annotated[
    tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[NAME …]", help_behavior_hint="(default: all that are here)")
]


@dataclasses.dataclass(frozen=True)
class List:
    """List the known weights: size, licence, where they are, and what they are."""

    origin: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Also print where they come from, what they were trained on, and what they may be used for."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print all that is known of them as JSON and nothing else."""


@dataclasses.dataclass(frozen=True)
class Fetch:
    """Download known weights, or go on where a download broke; nothing is kept that has another checksum."""

    names: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="NAME …", help_behavior_hint="")]
    """Which ones, see `likeness weights list`."""


@dataclasses.dataclass(frozen=True)
class Import:
    """Turn a file of any known format into safetensors in the cache, with a report of what matched."""

    file: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE")]
    """safetensors, .npz, Keras .h5, a PyTorch state dict, dlib's, a folder with manifest.json; or the name of known ones."""
    name: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: told by the file)")] = None
    """The known weights that it holds: they are put under the names of their encoder."""


@dataclasses.dataclass(frozen=True)
class Export:
    """Write weights as .safetensors or .npz: known ones, or those of the encoder that a working directory trained."""

    source: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME|WORKDIR")]
    """The name of known weights, or a working directory."""
    file: Annotated[
        tyro.conf.Positional[str | None], tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: NAME.safetensors, here)")
    ] = None
    """What to write; its ending says the format."""
    keys: Literal["own", "published"] = "own"
    """The names and the order of axes in the file: this project's own, or those that the weights were published under."""
    trust_code: TrustCode = False


@dataclasses.dataclass(frozen=True)
class Check:
    """Verify checksums, and report what of the weights matches their encoder."""

    names: Names = ()
    """Which ones."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Keep published weights: list, fetch, import, export, check."""

    action: (
        Annotated[List, tyro.conf.subcommand("list")]
        | Annotated[Fetch, tyro.conf.subcommand("fetch")]
        | Annotated[Import, tyro.conf.subcommand("import")]
        | Annotated[Export, tyro.conf.subcommand("export")]
        | Annotated[Check, tyro.conf.subcommand("check")]
    )


def main(arguments: list[str]) -> int:
    options: Options = cli(tyro.conf.OmitArgPrefixes[Options], prog="likeness weights", arguments=arguments)
    match options.action:
        case List(_, json=True):
            _list_json()
        case List(origin):
            _list()
            if origin:
                _print_origins()
            else:
                print("\nWhere they come from, and what they may be used for: likeness weights list --origin")
        case Fetch(names):
            _fetch(names)
        case Import(file, name):
            _import(file, name)
        case Export(source, file, keys):
            trust(source, options.action)
            _export(source, _exported(source) if file is None else Path(file), keys)
        case Check(names):
            _check(names)
    return 0


def _list() -> None:
    # Not the table with the encoders, which takes JAX.
    from likeness.research.weights import releases
    from likeness.research.weights.release import megabytes

    known = [
        (one.name, megabytes(one.size) if one.size else "", one.licence, _where(one), one.summary) for one in releases.RELEASES
    ]
    rows = [("name", "size", "licence", "here", "what"), *known]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    for one in releases.RELEASES:
        if missing := one.missing():
            print(f"→ {one.name} cannot be read: {missing}")


def _print_origins() -> None:
    from likeness.research.weights import releases

    print("\nWhere they come from, and what they may be used for as far as that is said there:\n")
    width = max(len(one.name) for one in releases.RELEASES)
    indent = " " * (width + 2)
    for one in releases.RELEASES:
        # A citation ends with the paper; a stop behind "2016" would be one more.
        told = f"{one.citation.rstrip('.')}. Trained on: {one.trained_on}. Use: {one.use}."
        print(textwrap.fill(told, 110, initial_indent=f"{one.name:<{width}}  ", subsequent_indent=indent))
    print("\nThis is no legal advice: read the licence before you rely on it.")


def _list_json() -> None:
    from likeness.research.weights import releases

    told = [
        {
            "name": one.name,
            "what": one.summary,
            "bytes": one.size or None,
            "licence": one.licence,
            "origin": one.citation,
            "trained_on": one.trained_on,
            "use": one.use,
            "preprocessing": one.preprocessing,
            "path": None if (found := one.find()) is None else str(found),
        }
        for one in releases.RELEASES
    ]
    print(json.dumps(told, indent=1))


def _where(release: "Release") -> str:
    from likeness.research.weights import cache

    path = release.find()
    if path is None:
        return "no"
    carried = next((file.package or "likeness" for file, place in release.files(path) if place == file.installed()), "")
    if carried:
        place = f"package {carried}"
    else:
        place = ("imported" if path == release.imported else "fetched") if path.is_relative_to(cache()) else "LIKENESS_DATA"
    return f"{place}, unreadable" if release.missing() else place


def _fetch(names: tuple[str, ...]) -> None:
    from likeness.research.weights.releases import released

    if not names:
        raise UserError("`likeness weights fetch` needs the names of weights; `likeness weights list` has all.")
    refused = []
    # A name that is none of theirs is told before the first download.
    for release in [released(name) for name in dict.fromkeys(names)]:
        try:
            _fetch_one(release)
        except UserError as error:
            refused.append(str(error))
    if refused:
        raise UserError(" ".join(refused))


def _fetch_one(release: "Release") -> None:
    from likeness.research.data import printable
    from likeness.research.weights import fetch

    path = _carried(release)
    if path is None:
        if missing := release.will_be_missing():
            say_first(f"What is fetched cannot be read here yet: {missing} {release.converted()}")
        with _Download() as download:
            path = fetch(release, progress=download.show)
    print(f"{release.name} is in {printable(path)}")
    if missing := release.missing():
        print(f"→ it cannot be read yet: {missing} {release.converted()}")


def _carried(release: "Release") -> "Path | None":
    """Where they are, if all came whole with an installed package: then there is nothing to fetch."""
    path = release.find()
    files = [] if path is None else release.files(path)
    return path if files and all(place == file.installed() and file.intact(place) for file, place in files) else None


class _Download:
    """A bar for each file on a terminal, a line every few seconds in a log file."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True, highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._tasks = {}
        self._last_line = time.monotonic()

    def __enter__(self) -> "_Download":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def show(self, file: str, done: int, total: int) -> None:
        if file not in self._tasks:
            self._tasks[file] = self._bar.add_task(file, total=total)
        self._bar.update(self._tasks[file], completed=done)
        if not self._console.is_terminal and time.monotonic() - self._last_line > 5:
            self._last_line = time.monotonic()
            self._console.print(f"{file}: {done / 1e6:.1f} of {total / 1e6:.1f} MB", markup=False, soft_wrap=True)


def _import(file: str, name: str | None) -> None:
    from likeness.research.data import expand_path, printable
    from likeness.research.weights import KNOWN, cache, named, own, read, recognize, take, write
    from likeness.research.weights.report import shape
    from likeness.research.weights.verified import note_digest

    path = expand_path(file, "FILE")
    published = named(name) if name else recognize(path)
    if not path.exists() and name is None and file in {one.name for one in KNOWN}:
        published = named(file)
        found = published.find()
        if found is None:
            raise UserError(f"The weights {file} are not on this machine: {published.how_to_get()}")
        path = found
    if published is not None and published.encoder is not None:
        variables, report = published.read(path)
        print("\n".join(report.lines()))
        arrays = take(variables, own(variables))
    else:
        arrays = read(path)
        for key, array in arrays.items():
            print(f"  {printable(key)}  {shape(array.shape)}  {array.dtype}")
    target = published.imported if published else cache() / f"{path.stem}.safetensors"
    write(target, arrays)
    note_digest(target)
    print(f"{len(arrays)} arrays are in {printable(target)}")


def _exported(source: str) -> Path:
    """Where weights go of which nothing else is said: into a new file of their name."""
    from likeness.research.data import printable

    file = Path(f"{Path(source).resolve().name}.safetensors")
    if file.exists():
        raise UserError(
            f"There is a {printable(file)} here already: say what to write, as in `likeness weights export {source} FILE`."
        )
    return file


def _export(source: str, file: Path, keys: Literal["own", "published"]) -> None:
    from likeness.experiments.detection.detector import LearnsDetector
    from likeness.experiments.frozen import LearnsEncoder
    from likeness.experiments.training.evaluation import read_run, restore
    from likeness.research.data import printable
    from likeness.research.weights import KNOWN, named, own, read, take, write

    kept_back = ""
    if source in {one.name for one in KNOWN} or not Path(source).is_dir():
        published = named(source)
        found = published.find()
        if found is not None and published.encoder is None:
            published.verify(found)
            arrays = read(found)
        else:
            variables, _ = published.load()
            arrays = take(variables, published.layouts[0] if keys == "published" else own(variables))
    elif keys == "published":
        raise UserError(f"What {printable(source)} learned was published nowhere: export it with --keys own.")
    else:
        run = read_run(source)
        if not isinstance(run.experiment, LearnsEncoder):
            raise UserError(
                f"{printable(source)} did not train an encoder: give the working directory of a recognizer or of a detector."
            )
        if isinstance(run.experiment, LearnsDetector):
            kept_back = ": those of the encoder. The head, which says where objects are, stays in the working directory."
        variables = run.experiment.encoder_variables(restore(source, run)[1])
        arrays = take(variables, own(variables))
    write(file, arrays)
    print(f"{len(arrays)} arrays are in {printable(file)}{kept_back}")


def _check(names: tuple[str, ...]) -> None:
    from likeness.research.data import printable
    from likeness.research.weights import KNOWN, named

    unusable = []
    for published in [named(name) for name in names] or KNOWN:
        found = published.find()
        if found is None:
            if names:
                raise UserError(f"The weights {published.name} are not on this machine: {published.how_to_get()}")
            continue
        print(f"{published.name}: {printable(found)}")
        files = published.files(found)
        damaged = [file for file, path in files if not file.intact(path)]
        for file in damaged:
            print(f"  DAMAGED: {file.name} has not the SHA-256 {file.sha256}: remove it, and fetch it again")
        if damaged:
            unusable.append(published.name)
            continue
        if files:
            print(f"  intact: {files[0][0].sha256}" if len(files) == 1 else f"  intact: {len(files)} files")
        if published.encoder is None:
            print("  there is no encoder for it yet")
        else:
            try:
                print("\n".join(published.read(found)[1].lines()))
            except UserError as error:
                print(f"  {error}")
                unusable.append(published.name)
    if not names and not any(published.find() for published in KNOWN):
        print("No known weights are on this machine; `likeness weights list` shows what can be fetched.")
    if unusable:
        raise UserError(f"These weights cannot be used as they are: {', '.join(unusable)}. Why is said above.")
