"""From the pixels of a picture to what the published weights were trained on."""

from typing import Literal, TypeAlias

import jax.numpy as jnp

from likeness.research.encoders.layers import standardize
from likeness.research.types import AnyArray, Array

InputNormalization: TypeAlias = Literal["unit", "caffe", "torchvision"]

VGG_MEANS = (103.939, 116.779, 123.68)
SQUEEZENET_MEANS = (104.0, 117.0, 123.0)
_TORCHVISION_MEANS = (0.485, 0.456, 0.406)
_TORCHVISION_DEVIATIONS = (0.229, 0.224, 0.225)

__all__ = ["SQUEEZENET_MEANS", "VGG_MEANS", "InputNormalization", "preprocess", "rgb"]


def rgb(pictures: AnyArray) -> Array:
    """Checks a batch of pictures: (b, h, w, 3), floating point RGB in [0, 1]; returns them in float32.

    Raises:
        ValueError: another shape, another number of channels, or integers.
    """
    pictures = standardize(pictures, "float32", signed=False)
    if pictures.shape[-1] != 3:
        raise ValueError(
            f"A picture encoder takes RGB pictures (b, h, w, 3), not an array of shape {pictures.shape}; "
            "repeat a gray picture three times along the last axis, and drop or blend an alpha channel."
        )
    return pictures


def preprocess(pictures: AnyArray, kind: InputNormalization, means: tuple[float, float, float] = VGG_MEANS) -> Array:
    """What an encoder of published weights does to a picture x before its first layer, in float32.

    - ``unit``: x, RGB in [0, 1].
    - ``caffe``: 255·x in BGR order minus ``means``: the weights of Oxford's VGG and of SqueezeNet's authors.
    - ``torchvision``: (x − mean)/deviation, RGB: the weights trained by torchvision.

    Args:
        pictures: (b, h, w, 3), floating point RGB in [0, 1].
        kind: one of the above.
        means: what ``caffe`` subtracts, in BGR order.

    Returns:
        (b, h, w, 3).

    Raises:
        ValueError: see :func:`rgb`.

    Example:
        >>> preprocess(jnp.ones((1, 1, 1, 3)), "caffe", (104.0, 117.0, 123.0)).ravel().tolist()
        [151.0, 138.0, 132.0]
    """
    x = rgb(pictures)
    match kind:
        case "unit":
            return x
        case "caffe":
            return 255.0 * x[..., ::-1] - jnp.asarray(means, jnp.float32)
        case "torchvision":
            return (x - jnp.asarray(_TORCHVISION_MEANS)) / jnp.asarray(_TORCHVISION_DEVIATIONS)
