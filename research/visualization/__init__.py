"""What the units of a network see, and what its answers depend on."""

from research.visualization.attribution import integrated_gradients, occlusion, saliency, smooth_gradient
from research.visualization.rules import Rule, reconstruct, with_rule
from research.visualization.statistics import UnitCounts, UnitStatistics, count_units
from research.visualization.top_patches import Patches, TopPatches

__all__ = [
    "Patches",
    "Rule",
    "TopPatches",
    "UnitCounts",
    "UnitStatistics",
    "count_units",
    "integrated_gradients",
    "occlusion",
    "reconstruct",
    "saliency",
    "smooth_gradient",
    "with_rule",
]
