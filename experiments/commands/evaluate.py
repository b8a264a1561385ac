"""``likeness evaluate WORKDIR``: judges the model again, with today's code and figures."""

import dataclasses
from pathlib import Path

import tyro

from experiments.commands.choose import cli
from experiments.commands.summary import print_evaluation
from experiments.evaluation import evaluate


@dataclasses.dataclass(frozen=True)
class Options:
    workdir: tyro.conf.Positional[str]
    """A working directory that `likeness train` made."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness evaluate", arguments=arguments)
    print_evaluation(Path(options.workdir), evaluate(options.workdir), 0)
    return 0
