"""The names of the ways to draw maps of saliency; importing them waits for nothing."""

from typing import Literal, TypeAlias, get_args

Method: TypeAlias = Literal[
    "gradient",
    "smooth_gradient",
    "gradient_times_input",
    "integrated_gradients",
    "grad_cam",
    "guided_grad_cam",
    "guided",
    "deconvnet",
    "occlusion",
]
METHODS: tuple[Method, ...] = get_args(Method)
