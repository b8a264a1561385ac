"""Sweeps: many runs of one config, by whatever way is fastest."""

from likeness.experiments.sweeps.overrides import Choice, LogUniform, Override, Overrides, Uniform, product, sample, zip_

__all__ = [
    "Choice",
    "LogUniform",
    "Override",
    "Overrides",
    "Uniform",
    "product",
    "sample",
    "zip_",
]
