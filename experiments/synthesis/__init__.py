"""Pictures of what a network looks for, and of what it remembers, learned by the same trainer as everything else."""

from likeness.experiments.synthesis.ascent import NormalizedGradient
from likeness.experiments.synthesis.inversion import Inversion
from likeness.experiments.synthesis.network import Learned, Network
from likeness.experiments.synthesis.synthesis import Synthesis

__all__ = ["Inversion", "Learned", "Network", "NormalizedGradient", "Synthesis"]
