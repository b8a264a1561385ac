"""Style transfer: images, and networks that paint them, learned by the same trainer."""

from likeness.experiments.style.arbitrary_style import ArbitraryStyle
from likeness.experiments.style.fast_style import FastStyle, LearnedStyle
from likeness.experiments.style.grid import Method, StyleGrid
from likeness.experiments.style.objective import StyleObjective
from likeness.experiments.style.stylization import StyleImage, Stylization

__all__ = [
    "ArbitraryStyle",
    "FastStyle",
    "LearnedStyle",
    "Method",
    "StyleGrid",
    "StyleImage",
    "StyleObjective",
    "Stylization",
]
