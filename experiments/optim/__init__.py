"""Update rules, learning rates over time, and steps that are taken back."""

from typing import TYPE_CHECKING

from likeness.research.lazy import lazily

if TYPE_CHECKING:
    from likeness.experiments.optim.layer_rates import LayerRate
    from likeness.experiments.optim.lbfgs import Lbfgs
    from likeness.experiments.optim.optimizers import AdaGrad, Adam, Optimizer, RmsProp, Sgd
    from likeness.experiments.optim.schedules import Constant, ExponentialDecay, Schedule, WarmupCosine
else:
    __getattr__ = lazily(
        __name__,
        {
            "layer_rates": ("LayerRate",),
            "lbfgs": ("Lbfgs",),
            "optimizers": ("AdaGrad", "Adam", "Optimizer", "RmsProp", "Sgd"),
            "schedules": ("Constant", "ExponentialDecay", "Schedule", "WarmupCosine"),
        },
    )

__all__ = [
    "AdaGrad",
    "Adam",
    "Constant",
    "ExponentialDecay",
    "LayerRate",
    "Lbfgs",
    "Optimizer",
    "RmsProp",
    "Schedule",
    "Sgd",
    "WarmupCosine",
]
