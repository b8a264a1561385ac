"""From the pixels of an image to what the published weights were trained on."""

from typing import Literal, TypeAlias

import jax.numpy as jnp

from likeness.research.encoders.layers import standardize
from likeness.research.errors import UserError
from likeness.research.types import AnyArray, Array

InputNormalization: TypeAlias = Literal["unit", "signed", "caffe", "torchvision"]

VGG_MEANS = (103.939, 116.779, 123.68)
SQUEEZENET_MEANS = (104.0, 117.0, 123.0)
_TORCHVISION_MEANS = (0.485, 0.456, 0.406)
_TORCHVISION_DEVIATIONS = (0.229, 0.224, 0.225)

__all__ = ["SQUEEZENET_MEANS", "VGG_MEANS", "InputNormalization", "preprocess", "rgb"]


def rgb(images: AnyArray) -> Array:
    """Checks a batch of images: (b, h, w, 3), floating point RGB in [0, 1]; returns them in float32.

    Raises:
        UserError: another number of channels, as where the data are read in gray.
        ValueError: another shape, or integers.
    """
    images = standardize(images, "float32", signed=False)
    if images.shape[-1] != 3:
        raise UserError(
            f"An image encoder takes RGB images (b, h, w, 3), not an array of shape {images.shape}; "
            "read gray images with channels=3, or repeat them three times along the last axis, and drop or blend an alpha "
            "channel."
        )
    return images


def preprocess(images: AnyArray, kind: InputNormalization, means: tuple[float, float, float] = VGG_MEANS) -> Array:
    """What an encoder of published weights does to an image x before its first layer, in float32.

    - ``unit``: x, RGB in [0, 1].
    - ``signed``: 2·x − 1, RGB in [-1, 1]: the weights of TensorFlow's Inception.
    - ``caffe``: 255·x in BGR order minus ``means``: the weights of Oxford's VGG and of SqueezeNet's authors.
    - ``torchvision``: (x − mean)/deviation, RGB: the weights trained by torchvision.

    Args:
        images: (b, h, w, 3), floating point RGB in [0, 1].
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
    x = rgb(images)
    match kind:
        case "unit":
            return x
        case "signed":
            return 2.0 * x - 1.0
        case "caffe":
            return 255.0 * x[..., ::-1] - jnp.asarray(means, jnp.float32)
        case "torchvision":
            return (x - jnp.asarray(_TORCHVISION_MEANS)) / jnp.asarray(_TORCHVISION_DEVIATIONS)
