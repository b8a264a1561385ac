"""Style transfer: images, and networks that paint them, learned by the same trainer."""

from typing import TYPE_CHECKING

from likeness.research.lazy import lazily

if TYPE_CHECKING:
    from likeness.experiments.style.arbitrary_style import ArbitraryStyle
    from likeness.experiments.style.colors import AsTheyAre, ByHue, ByLuminance, Matched
    from likeness.experiments.style.details import FromDetails
    from likeness.experiments.style.exploration import Exploration
    from likeness.experiments.style.fast_style import FastStyle, LearnedStyle
    from likeness.experiments.style.grid import Method, StyleGrid
    from likeness.experiments.style.objective import StyleObjective
    from likeness.experiments.style.parametrizations import LaplacianPyramid, PixelParametrization
    from likeness.experiments.style.portrait import Portrait
    from likeness.experiments.style.pyramid import Pyramid
    from likeness.experiments.style.stylization import StyleImage, Stylization
    from likeness.experiments.style.terms import Term
else:
    __getattr__ = lazily(
        __name__,
        {
            "arbitrary_style": ("ArbitraryStyle",),
            "colors": ("AsTheyAre", "ByHue", "ByLuminance", "Matched"),
            "details": ("FromDetails",),
            "exploration": ("Exploration",),
            "fast_style": ("FastStyle", "LearnedStyle"),
            "grid": ("Method", "StyleGrid"),
            "objective": ("StyleObjective",),
            "parametrizations": ("LaplacianPyramid", "PixelParametrization"),
            "portrait": ("Portrait",),
            "pyramid": ("Pyramid",),
            "stylization": ("StyleImage", "Stylization"),
            "terms": ("Term",),
        },
    )

__all__ = [
    "ArbitraryStyle",
    "AsTheyAre",
    "ByHue",
    "ByLuminance",
    "Exploration",
    "FastStyle",
    "FromDetails",
    "LaplacianPyramid",
    "LearnedStyle",
    "Matched",
    "Method",
    "PixelParametrization",
    "Portrait",
    "Pyramid",
    "StyleGrid",
    "StyleImage",
    "StyleObjective",
    "Stylization",
    "Term",
]
