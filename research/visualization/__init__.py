"""What the units of a network see."""

from research.visualization.top_patches import Patches, TopPatches

__all__ = ["Patches", "TopPatches"]
