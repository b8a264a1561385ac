"""Twelve runs of the digits: how fast to learn, how wide a margin, and what chance does.

Every rate with every margin, from two seeds each. They differ in numbers only, so `likeness sweep` may train them as one
program. Two seeds say how much of a difference is luck: look at the figure before believing the table's first row. With
`--halve 3` they are compared at steps 33 and 99 on the validation part and only the best third goes on: 861 steps, not 3600.

    likeness sweep recognition/digits_sweep
    likeness sweep recognition/digits_sweep --halve 3 --workdir runs/halved
    likeness train recognition/digits_sweep
"""

from likeness.configs.recognition import digits
from likeness.experiments.run import Run
from likeness.experiments.sweeps import Overrides, product


def get_config() -> Run:
    return digits.get_config()


def sweep() -> Overrides:
    return product(
        {"optimizer.schedule.peak_lr": (3e-4, 1e-3, 3e-3), "experiment.loss.margin": (0.2, 0.5), "seed": (0, 1)},
    )
