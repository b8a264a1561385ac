"""``likeness evaluate WORKDIR``: judges the model again, or beside the training each checkpoint as it appears."""

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
    follow: bool = False
    """Judge each new checkpoint on the validation part, while the run goes on in a process of its own, until the last one.
    Changes nothing of the run; the numbers go to evaluations.jsonl."""
    poll: float = 10.0
    """Seconds between two looks for a new checkpoint."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness evaluate", arguments=arguments)
    if options.follow:
        return _follow(options)
    from experiments.commands.summary import print_evaluation
    from experiments.evaluation import evaluate

    print_evaluation(Path(options.workdir), evaluate(options.workdir), 0)
    return 0


def _follow(options: Options) -> int:
    from experiments.following import follow
    from experiments.workdir import Workdir, metric_json, plain_metrics
    from research.errors import UserError

    if not 0 < options.poll < float("inf"):
        raise UserError(f"--poll is {options.poll:g}: give seconds, above 0.")
    for step, evaluation in follow(options.workdir, poll=options.poll):
        shown = [f"{name} {value:.4g}" for name, value in plain_metrics(metric_json(evaluation.metrics)).items()]
        print(f"step {step}  " + "  ".join(shown[:4]), flush=True)
    print(f"results  {Workdir(options.workdir).evaluations}")
    return 0
