"""Pictures of what a network looks for, and of what it remembers, learned by the same trainer as everything else."""

from experiments.synthesis.ascent import NormalizedGradient
from experiments.synthesis.inversion import Inversion
from experiments.synthesis.network import Learned, Network
from experiments.synthesis.synthesis import Synthesis

__all__ = ["Inversion", "Learned", "Network", "NormalizedGradient", "Synthesis"]
