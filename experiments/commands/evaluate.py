"""``likeness evaluate WORKDIR``: judges the model again, with today's code and figures."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from experiments.commands.flags import cli


@dataclasses.dataclass(frozen=True)
class Options:
    """Judge a working directory's model again, with today's code; rewrites its summary, figures and threshold."""

    workdir: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WORKDIR")]
    """A working directory that `likeness train` made."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness evaluate", arguments=arguments)
    from experiments.commands.summary import print_evaluation
    from experiments.evaluation import evaluate

    print_evaluation(Path(options.workdir), evaluate(options.workdir), 0)
    return 0
