"""What the units of a network see."""

from research.visualization.rules import Rule, reconstruct, with_rule
from research.visualization.statistics import UnitCounts, UnitStatistics, count_units
from research.visualization.top_patches import Patches, TopPatches

__all__ = ["Patches", "Rule", "TopPatches", "UnitCounts", "UnitStatistics", "count_units", "reconstruct", "with_rule"]
