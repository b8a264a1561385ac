"""What the units of a network see, and what its answers depend on."""

from likeness.research.visualization.attribution import (
    Score,
    gradient_times_input,
    integrated_gradients,
    occlusion,
    saliency,
    smooth_gradient,
    without_rounding,
)
from likeness.research.visualization.drise import Drise
from likeness.research.visualization.grad_cam import grad_cam, last_features, layers_below
from likeness.research.visualization.objectives import Channel, Direction, Diversity, Layer, Neuron, Objective, Sum, Weighted
from likeness.research.visualization.pairs import explain_pairs, grad_cam_of_pairs
from likeness.research.visualization.parametrization import Fourier, Parametrization, Pixels
from likeness.research.visualization.rules import Rule, reconstruct, with_rule
from likeness.research.visualization.statistics import UnitCounts, UnitStatistics, count_units
from likeness.research.visualization.top_patches import Patches, TopPatches
from likeness.research.visualization.transforms import Chain, Jitter, Rotate, Transform, Zoom

__all__ = [
    "Chain",
    "Channel",
    "Direction",
    "Diversity",
    "Drise",
    "Fourier",
    "Jitter",
    "Layer",
    "Neuron",
    "Objective",
    "Parametrization",
    "Patches",
    "Pixels",
    "Rotate",
    "Rule",
    "Score",
    "Sum",
    "TopPatches",
    "Transform",
    "UnitCounts",
    "UnitStatistics",
    "Weighted",
    "Zoom",
    "count_units",
    "explain_pairs",
    "grad_cam",
    "grad_cam_of_pairs",
    "gradient_times_input",
    "integrated_gradients",
    "last_features",
    "layers_below",
    "occlusion",
    "reconstruct",
    "saliency",
    "smooth_gradient",
    "with_rule",
    "without_rounding",
]
