"""``likeness stylize … --model``: images painted in one pass each, by a network that has been trained for that."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from likeness.experiments.commands.painted import check_writable
from likeness.experiments.commands.painted_folders import SIDE, Work, check_apart, check_sheet, of_one_height, thumbnail, works
from likeness.experiments.display.contact_sheet import Tile, draw
from likeness.experiments.display.progress import Phases
from likeness.experiments.style.painting import Stylizer, paint, resized
from likeness.research.errors import UserError
from likeness.research.images import read_image

_ACROSS = 7
"""Images beside each other on a sheet of one content."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be painted, and how."""

    contents: tuple[str, ...]
    """Files, or folders of them."""
    several: bool
    """Whether paintings go into a folder, however few contents there are."""
    styles: tuple[str, ...]
    """Names of learned styles, or image files, which are mixed; or a folder of image files."""
    weights: tuple[float, ...] = ()
    strength: float = 1.0
    size: int | None = None
    out: str | None = None
    """The file, or the folder of several paintings; None where the user has said nothing."""
    grid: str | None = None
    """A contact sheet, instead of paintings."""

    def works(self) -> list[Work]:
        """Every painting, and where it goes."""
        sheet = None if self.grid is None else Path(self.grid)
        if self.several or any(Path(style).is_dir() for style in self.styles):
            found = works(self.contents, self.styles, folder := Path(self.out or "stylized"))
        else:
            found, folder = [Work(self.contents[0], self.styles, Path(self.out or "stylized.png"))], None
        check_apart(found, (*self.contents, *self.styles), folder, sheet, only_sheet=sheet is not None)
        return found


def paint_in_one_pass(model: str, asked: Asked) -> int:
    """Paints each content in the styles; or a sheet of each content in each style that the network has learned.

    Args:
        model: a working directory, or the name of published weights.
        asked: what to paint.

    Returns:
        the exit code: 2 where an image of several could not be painted.

    Raises:
        UserError: there is no content or no such network, or what it is asked for cannot be.
    """
    if not asked.contents:
        raise UserError("--model paints an image of your own: name it, as in `likeness stylize photo.jpg --model pastiche26`.")
    due = asked.works()
    if asked.grid is not None:
        _check_sheet(asked, Path(asked.grid))
        return _sheet(Stylizer.load(model), [work.content for work in due], asked, Path(asked.grid))
    if not asked.several:
        check_writable("--out", due[0].out)
    stylizer = Stylizer.load(model)
    if len(due) == 1:
        _paint(stylizer, due[0], asked)
        print(f"image  {due[0].out}")
        return 0
    console, failed = Console(stderr=True, highlight=False), 0
    with Phases(console) as phases:
        for number, work in enumerate(due, 1):
            try:
                _paint(stylizer, work, asked)
            except UserError as error:
                failed += 1
                console.print(f"{work.out} is left out: {error}", style="yellow", markup=False, soft_wrap=True)
            phases.tell("images", number, len(due))
    print(f"images   {due[0].out.parent}, {len(due) - failed} of {len(due)}")
    return 2 if failed else 0


def _paint(stylizer: Stylizer, work: Work, asked: Asked) -> None:
    work.out.parent.mkdir(parents=True, exist_ok=True)
    paint(
        stylizer,
        work.content,
        work.out,
        styles=work.styles,
        size=asked.size,
        weights=asked.weights,
        strength=asked.strength,
    )


def _check_sheet(asked: Asked, grid: Path) -> None:
    check_sheet(grid)
    if asked.out is not None:
        raise UserError("--grid with --model writes a sheet and nothing else: leave --out out.")
    if asked.weights or asked.strength != 1:
        raise UserError("--grid with --model paints each style alone and whole: leave --weights and --strength out.")


def _sheet(stylizer: Stylizer, contents: Sequence[str], asked: Asked, grid: Path) -> int:
    """A row for each content, with it in front and a column for each style; of one content, in as many rows as it needs."""
    if stylizer.one_pass.styles is None:
        raise UserError(
            f"{stylizer.name} paints in any style, and --grid with --model is a sheet of the styles that a network has "
            "learned: leave --grid out."
        )
    styles = asked.styles or stylizer.one_pass.styles
    chosen = [stylizer.weights_of((style,)) for style in styles]
    rows: list[list[Tile]] = []
    with Phases(Console(stderr=True, highlight=False)) as phases:
        for content in contents:
            image = resized(read_image(content), asked.size or SIDE).pixels
            made = [image]
            for weights in chosen:
                made.append(stylizer(image, weights=weights))
                phases.tell("images", len(rows) * len(styles) + len(made) - 1, len(contents) * len(styles))
            shown = of_one_height([thumbnail(each) for each in made]) if len(contents) > 1 else made
            rows.append([Tile(*each) for each in zip(shown, (Path(content).stem, *styles), strict=True)])
    if len(rows) == 1:
        blank = [Tile(np.ones_like(rows[0][0].image))] * _ACROSS
        rows = [(rows[0][start : start + _ACROSS] + blank)[:_ACROSS] for start in range(0, len(rows[0]), _ACROSS)]
    draw(rows, grid)
    print(f"grid   {grid}")
    return 0
