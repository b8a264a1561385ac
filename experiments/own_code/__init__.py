"""Code of one's own: the config file and the modules that a run is made with, kept with it and found again."""

from likeness.experiments.own_code.code import Code, own_code
from likeness.experiments.own_code.trust import trust_code

__all__ = ["Code", "own_code", "trust_code"]
