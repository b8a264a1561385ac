"""Style transfer: pictures, and networks that paint them, learned by the same trainer."""

from likeness.experiments.stylization.arbitrary_style import ArbitraryStyle
from likeness.experiments.stylization.fast_style import FastStyle, LearnedStyle
from likeness.experiments.stylization.grid import Method, StyleGrid
from likeness.experiments.stylization.stylization import StylePicture, Stylization

__all__ = [
    "ArbitraryStyle",
    "FastStyle",
    "LearnedStyle",
    "Method",
    "StyleGrid",
    "StylePicture",
    "Stylization",
]
