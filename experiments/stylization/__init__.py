"""Style transfer: pictures, and networks that paint them, learned by the same trainer."""

from experiments.stylization.arbitrary_style import ArbitraryStyle
from experiments.stylization.fast_style import FastStyle, LearnedStyle
from experiments.stylization.grid import Method, StyleGrid
from experiments.stylization.stylization import StylePicture, Stylization

__all__ = [
    "ArbitraryStyle",
    "FastStyle",
    "LearnedStyle",
    "Method",
    "StyleGrid",
    "StylePicture",
    "Stylization",
]
