"""What the units of a network see."""

from research.visualization.rules import Rule, reconstruct, with_rule
from research.visualization.top_patches import Patches, TopPatches

__all__ = ["Patches", "Rule", "TopPatches", "reconstruct", "with_rule"]
