"""``likeness verify WORKDIR A B``: do two pictures show the same person?"""

import dataclasses

import tyro

from experiments.commands.choose import cli
from experiments.recognizer import Recognizer


@dataclasses.dataclass(frozen=True)
class Options:
    first: tyro.conf.Positional[str]
    """A picture."""
    second: tyro.conf.Positional[str]
    """Another picture."""
    workdir: str = "runs/recognition/quickstart"
    """The working directory of a trained recognizer."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness verify", arguments=arguments)
    print(Recognizer.load(options.workdir).verify(options.first, options.second))
    return 0
