"""``likeness verify A B``: do two pictures show the same person?"""

import dataclasses
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


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness verify", arguments=arguments)
    from experiments.recognizer import Recognizer

    recognizer = Recognizer.load(options.workdir)
    print(recognizer.verify(options.first, options.second))
    print(recognizer.calibration)
    return 0
