"""Many paintings by one command: each content in the look of each style, one after the other, and what is there is not painted
again."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from likeness.experiments.commands.painted import painted_in, write_painting
from likeness.experiments.commands.places import check_folder, check_kept, check_outside, check_place, images_below
from likeness.experiments.display import contact_sheet
from likeness.experiments.display.glossary import legend
from likeness.experiments.display.progress import Phases, Quiet
from likeness.experiments.run import Run
from likeness.experiments.storage.checkpoints import finished
from likeness.experiments.storage.workdir import Workdir, plain_metrics, read_json
from likeness.experiments.style import Stylization
from likeness.experiments.training.evaluation import restore
from likeness.research.errors import UserError
from likeness.research.images import fit, read_image, resize

_SHOWN = ("held_out/content/relative", "held_out/style/relative", "content/ssim", "style/color_distance", "identity/distance")
SIDE = 256
"""Of the images of a contact sheet, in pixels."""


@dataclasses.dataclass(frozen=True)
class Work:
    """One painting of many."""

    content: str
    styles: tuple[str, ...]
    """Mixed; () for the preset's own."""
    out: Path


@dataclasses.dataclass(frozen=True)
class Placed:
    """One that is to be painted: how, where its files are, and where it goes."""

    run: Run
    experiment: Stylization
    workdir: Path
    out: Path


class Part(Quiet):
    """One painting of many: its steps are told as steps of all, and its image is written when there is one."""

    def __init__(self, phases: Phases, what: str, before: int, total: int, shown: Callable[[np.ndarray], None]) -> None:
        """After ``before`` of ``total`` steps."""
        self._phases, self._what, self._before, self._total, self._shown = phases, what, before, total, shown

    def advance(self, step: int, metrics: Mapping[str, float]) -> None:
        del metrics
        # The clock begins after the first step, whose compilation says nothing of the others.
        done = 0 if self._before == 0 and step == 1 else min(self._before + step, self._total)
        self._phases.tell(self._what, done, self._total)

    def show(self, name: str, image: np.ndarray) -> None:
        del name
        self._shown(image)


def works(contents: Sequence[str], styles: Sequence[str], folder: Path) -> list[Work]:
    """Every content in the look of the styles that are mixed, or in that of each image of a folder of them.

    Args:
        contents: files, or folders of them.
        styles: files, which are mixed, or one folder of them.
        folder: where the paintings go.

    Raises:
        UserError: a folder without images, a folder of styles beside other styles, or a file where a folder is to be made.
    """
    check_folder(folder)
    folders = [style for style in styles if Path(style).is_dir()]
    if folders and len(styles) > 1:
        raise UserError(
            f"{folders[0]} is a folder of styles, and others are given beside it: give one folder, for a painting in the look "
            "of each image in it, or images, which are mixed."
        )
    looks = [(str(path),) for path in images_below(Path(folders[0]), without=folder)] if folders else [tuple(styles)]
    read = [
        str(path)
        for content in contents
        for path in (images_below(Path(content), without=folder) if Path(content).is_dir() else [content])
    ]
    names = _names(read)
    styled = _names([look[0] for look in looks]) if folders else [""]
    pairs = list(itertools.product(zip(read, names, strict=True), zip(looks, styled, strict=True)))
    outs = _apart([f"{name}{'_' * bool(style)}{style}" for (_, name), (_, style) in pairs])
    return [Work(content, look, folder / f"{out}.png") for ((content, _), (look, _)), out in zip(pairs, outs, strict=True)]


def check_apart(
    asked: Sequence[Work], read: Sequence[str], folder: Path | None, sheet: Path | None, *, only_sheet: bool = False
) -> None:
    """Finds out that a painting or a contact sheet would take the place of an image, or be taken for one by the next call.

    Args:
        asked: all paintings.
        read: the contents and the styles, files or folders of them.
        folder: where the paintings go; None for a single file.
        sheet: where a contact sheet goes; None for none.
        only_sheet: the paintings are not written.

    Raises:
        UserError: it would.
    """
    for among in (each for each in map(Path, read) if each.is_dir()):
        if folder is not None and not only_sheet and among.resolve() == folder.resolve():
            check_outside("--out", folder, among)
        if sheet is not None:
            check_outside("--grid", sheet, among, without=folder)
    outs = [] if only_sheet else [("--out", work.out) for work in asked]
    check_kept([*outs, ("--grid", sheet)], [name for work in asked for name in (work.content, *work.styles)])


def _apart(names: Sequence[str]) -> list[str]:
    """The same, with a number behind what comes again: a in the look of b_c, and a_b in that of c."""
    found: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in itertools.count(2))
        found.append(name if name not in found else next(one for one in numbered if one not in found and one not in names))
    return found


def _names(paths: Sequence[str]) -> list[str]:
    """The names of files without ending, and with as many folders before it as tell it from the others."""
    stems = [Path(path).stem for path in paths]
    return [
        stem if stems.count(stem) == 1 else "_".join([*Path(path).with_suffix("").parts[-2:], str(number)])
        for number, (stem, path) in enumerate(zip(stems, paths, strict=True), 1)
    ]


def check_sheet(path: Path) -> None:
    """Finds out before anything is painted that a contact sheet cannot be written.

    Raises:
        UserError: it is no .png, or may not be written.
    """
    if path.suffix.lower() != ".png":
        raise UserError(f"--grid is {path}: a contact sheet is a .png.")
    check_place("--grid", path)


def paint_all(asked: Sequence[Work], placed: Callable[[Work], Placed], grid: Path | None) -> int:
    """Paints what is not there yet, and prints a line for each painting.

    Args:
        asked: all of them.
        placed: how each is painted.
        grid: where a contact sheet of all goes.

    Returns:
        the exit code: 2 where an image could not be painted.
    """
    console = Console(stderr=True, highlight=False)
    found: list[Placed] = []
    failed = 0

    def fail(work: Work | Placed, error: UserError) -> None:
        nonlocal failed
        failed += 1
        console.print(f"{work.out} is left out: {error}", style="yellow", markup=False, soft_wrap=True)

    for work in asked:
        try:
            found.append(placed(work))
        except UserError as error:
            fail(work, error)
    due = [one for one in found if not finished(one.run, one.workdir)]
    there = len(found) - len(due)
    console.print(f"{len(due)} to paint{f', {there} painted before' if there else ''}, in {len(found)} directories of runs")
    total, taken = sum(one.run.steps for one in due), 0
    done: list[Placed] = []
    with Phases(console) as phases:
        for one in found:
            try:
                if one in due:
                    console.print(f"painting {one.out}", markup=False, soft_wrap=True)
                    what = f"steps of {len(due)} painting{'s' * (len(due) != 1)}"
                    _paint(one, Part(phases, what, taken, total, lambda image, one=one: _write(one, image)))
                    taken += one.run.steps
                else:
                    _, variables = restore(one.workdir, one.run)
                    _write(one, one.experiment.image(variables.params))
                done.append(one)
            except UserError as error:
                fail(one, error)
    if done:
        _print_table(done)
    if grid is not None and done:
        _draw(asked, done, grid)
        print(f"grid     {grid}")
    if found:
        print(f"images   {found[0].out.parent}")
    return 2 if failed else 0


def _paint(one: Placed, reporter: Part) -> None:
    painted_in(one.run, one.experiment, one.workdir, one.out, reporter)


def _write(one: Placed, image: np.ndarray) -> None:
    write_painting(one.out, image, one.experiment.content)


def _print_table(done: Sequence[Placed]) -> None:
    read = [plain_metrics(read_json(Workdir(one.workdir).summary)["metrics"]) for one in done]
    shown = [name for name in _SHOWN if any(name in metrics for metrics in read)]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("painting")
    for name in shown:
        table.add_column(name, justify="right")
    for one, metrics in zip(done, read, strict=True):
        table.add_row(escape(one.out.name), *(f"{metrics[name]:.4g}" if name in metrics else "" for name in shown))
    if len(done) > 1:
        means = [np.mean([metrics[name] for metrics in read if name in metrics]) for name in shown]
        table.add_row("mean", *(f"{mean:.4g}" for mean in means))
    console = Console(highlight=False, soft_wrap=True, width=200)
    console.print(table, soft_wrap=False)
    for line in legend(shown):
        print(line)


def _draw(asked: Sequence[Work], done: Sequence[Placed], grid: Path) -> None:
    """A row for each content, with it in front, and a column for each style, with it on top."""
    painted = {one.out: one for one in done}
    contents = list(dict.fromkeys(work.content for work in asked))
    looks = list(dict.fromkeys(work.styles for work in asked))
    by_place = {(work.content, work.styles): work.out for work in asked}
    first: dict[tuple[str, ...], Placed] = {}
    for work in asked:
        if work.out in painted:
            first.setdefault(work.styles, painted[work.out])
    blank = np.ones((1, SIDE, 3), np.float32)
    tile = contact_sheet.Tile

    def opened(look: tuple[str, ...]) -> np.ndarray:
        return thumbnail(first[look].experiment.styles[0].image.open(SIDE)) if look in first else blank

    names = ["", *(" + ".join(Path(one).stem for one in look) for look in looks)]
    rows = [[tile(*each) for each in zip(of_one_height([blank, *map(opened, looks)]), names, strict=True)]]
    for content in contents:
        outs = [by_place[content, look] for look in looks]
        seen = [thumbnail(read_image(out).pixels) if out in painted else blank for out in outs]
        known = any(out in painted for out in outs)
        shown = of_one_height([thumbnail(read_image(content).pixels) if known else blank, *seen])
        rows.append([tile(shown[0], Path(content).stem), *map(tile, shown[1:])])
    contact_sheet.draw(rows, grid)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """As wide as a column, in its middle."""
    height, width = fit((image.shape[0], image.shape[1]), SIDE)
    made = np.ones((height, SIDE, 3), np.float32)
    left = (SIDE - width) // 2
    made[:, left : left + width] = np.clip(np.asarray(resize(jnp.asarray(image), (height, width))), 0.0, 1.0)
    return made


def of_one_height(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """With white above, so that each stands on its caption."""
    height = max(len(image) for image in images)
    return [np.pad(image, ((height - len(image), 0), (0, 0), (0, 0)), constant_values=1.0) for image in images]
