"""What networks see: what excites the units of a trained one, and images of what it looks for and remembers."""

from typing import TYPE_CHECKING

from likeness.research.lazy import lazily

if TYPE_CHECKING:
    from likeness.experiments.visualization.ascent import NormalizedGradient
    from likeness.experiments.visualization.inversion import Inversion
    from likeness.experiments.visualization.synthesis import Synthesis
else:
    __getattr__ = lazily(
        __name__,
        {
            "ascent": ("NormalizedGradient",),
            "inversion": ("Inversion",),
            "synthesis": ("Synthesis",),
        },
    )

__all__ = ["Inversion", "NormalizedGradient", "Synthesis"]
