"""``likeness train CONFIG``: trains, or goes on where the working directory stopped."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from experiments.commands.choose import parse
from experiments.commands.summary import print_evaluation
from experiments.progress import Terminal
from experiments.trainer import train


@dataclasses.dataclass(frozen=True)
class Options:
    workdir: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: runs/<config name>)")] = None
    """Working directory. Launching again goes on where it stopped."""
    fresh: tyro.conf.FlagCreatePairsOff[bool] = False
    """Start over in a new directory beside the working directory. Nothing is deleted."""


def main(arguments: list[str]) -> int:
    name, options, run = parse("train", Options, arguments)
    workdir = Path(options.workdir) if options.workdir else default_workdir(name)
    with Terminal(run.steps) as terminal:
        trained = train(run, workdir, fresh=options.fresh, reporter=terminal)
    print_evaluation(trained.workdir, trained.evaluation, trained.seconds)
    return 0


def default_workdir(name: str) -> Path:
    """``runs/<config name>``; a file of one's own gives its stem."""
    return Path("runs") / (Path(name).stem if name.endswith(".py") else name)
