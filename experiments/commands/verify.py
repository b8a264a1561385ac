"""``likeness verify A B``: do two pictures show the same person?"""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from experiments.commands.flags import Workdir, cli


@dataclasses.dataclass(frozen=True)
class Options:
    """Do two pictures show the same person? Answers same or different, with how often that is wrong."""

    first: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="A")]
    """A picture."""
    second: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="B")]
    """Another picture."""
    workdir: Workdir = "runs/recognition/quickstart"
    """The working directory of a trained recognizer."""
    why: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Draw which parts of both pictures speak for the same person, and which against it: what covering them does to the
    distance."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness verify", arguments=arguments)
    from experiments.recognizer import Recognizer
    from research.errors import UserError

    out = Path(options.why or "why.png")
    if out.suffix.lower() not in (".png", ".pdf", ".svg", ".jpg"):
        raise UserError(f"--why is {out}: a figure ends in .png, .pdf, .svg or .jpg.")
    recognizer = Recognizer.load(options.workdir)
    print(recognizer.verify(options.first, options.second))
    print(recognizer.calibration)
    if options.why is not None:
        from experiments import figures
        from experiments.why import why

        print(f"why      {figures.save(why(recognizer, options.first, options.second).figure(), out)}")
    return 0
