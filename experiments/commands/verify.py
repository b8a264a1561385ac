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
    from experiments.recognition.recognizer import Recognizer

    if options.why is None:
        recognizer = Recognizer.load(options.workdir)
        print(recognizer.verify(options.first, options.second))
        print(recognizer.calibration)
        return 0
    from experiments import figures
    from experiments.commands.places import check_figure
    from experiments.recognition.why import why

    check_figure("--why", Path(options.why))
    recognizer = Recognizer.load(options.workdir)
    found = why(recognizer, options.first, options.second)
    print(found.answer)
    print(recognizer.calibration)
    print(f"why      {figures.save(found.figure(), options.why)}")
    return 0
