"""What every encoder does to its input and to its embedding."""

from collections.abc import Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
from flax import linen as nn

from likeness.research.errors import UserError
from likeness.research.ops.normalization import BatchNorm
from likeness.research.types import AnyArray, Array, Float, Precision, PyTree, SpatialDims

Images: TypeAlias = Float[AnyArray, "b h w c"]
Examples: TypeAlias = Float[AnyArray, "b *space c"]
"""Signals (b, t, c), images (b, h, w, c), or volumes and films (b, d, h, w, c)."""

__all__ = [
    "as_embedding",
    "batch_norm",
    "check_fields",
    "check_multiples",
    "check_size",
    "dimension_of",
    "l2_normalize",
    "standardize",
]

_KINDS = {1: ("signals", "(b, t, c)"), 2: ("images", "(b, h, w, c)"), 3: ("volumes", "(b, d, h, w, c)")}


def standardize(images: AnyArray, dtype: Precision, *, signed: bool, spatial_dims: SpatialDims = 2) -> Array:
    """Brings images from [0, 1] to what the first layer expects, in the compute dtype.

    Args:
        images: (b, h, w, c), floating point in [0, 1]; with one or three spatial dimensions signals or volumes.
        dtype: the compute dtype.
        signed: whether to map [0, 1] to [-1, 1] by ``2x − 1``.
        spatial_dims: how many axes lie between the batch and the channels.

    Returns:
        Of the same shape, in ``dtype``.

    Raises:
        ValueError: the images are integers, or not a batch of so many dimensions with channels last.
    """
    if spatial_dims != 2 and images.ndim != spatial_dims + 2:
        kind, shape = _KINDS[spatial_dims]
        raise ValueError(
            f"An encoder of spatial_dims={spatial_dims} takes a batch of {kind} {shape}, not an array of shape {images.shape}; "
            "add the missing axis (x[None] for a batch of one, x[..., None] for one channel), or set spatial_dims."
        )
    if spatial_dims == 2 and images.ndim != 4:
        raise ValueError(
            f"An encoder takes a batch of images (b, h, w, c), not an array of shape {images.shape}; "
            "add the missing axis: images[None] for one image, images[..., None] for gray ones."
        )
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(
            f"An encoder takes floating-point images in [0, 1], not {images.dtype}; "
            "divide 8-bit images by 255, or pass them through an augmentation first."
        )
    images = jnp.asarray(images, jnp.float32)
    return (2 * images - 1 if signed else images).astype(dtype)


def l2_normalize(x: Float[AnyArray, "... d"], epsilon: float = 1e-10) -> Float[Array, "... d"]:
    """Scales each vector to unit length: ``x / sqrt(max(Σ x², ε))``, in float32.

    The zero vector stays zero, with a finite gradient, which a division by the norm would not give.

    Example:
        >>> l2_normalize(jnp.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    x = jnp.asarray(x, jnp.float32)
    # Not `distances.unit`: published face encoders were trained with this ε, by which what is nearly zero stays short.
    return x / jnp.sqrt(jnp.maximum(jnp.sum(x * x, axis=-1, keepdims=True), epsilon))


def as_embedding(x: Float[Array, "b d"], *, normalize: bool) -> Float[Array, "b d"]:
    """What an encoder returns as ``embedding``: float32 whatever the compute dtype, at unit length if asked."""
    return l2_normalize(x) if normalize else x.astype(jnp.float32)


def batch_norm(name: str, dtype: Precision, *, train: bool, use_scale: bool = True) -> BatchNorm:
    """Batch normalization as in the papers' Torch code: ε = 1e-5, running averages kept by 0.9.

    The running variance is the batch's own (biased) one; PyTorch stores the unbiased one.
    """
    return BatchNorm(train=train, use_scale=use_scale, dtype=dtype, name=name)


def check_fields(encoder: str, **fields: int) -> None:
    """Refuses fields that must be whole numbers of at least one.

    Raises:
        ValueError: naming the field.
    """
    for name, value in fields.items():
        if value < 1:
            raise ValueError(f"{encoder}.{name} is {value}; it must be at least 1.")


def check_size(encoder: str, layer: str, x: AnyArray, needed: int, images: AnyArray, minimum: int) -> None:
    """Refuses an image that a layer would shrink to nothing.

    Args:
        encoder: the encoder's name, for the message.
        layer: the layer about to run.
        x: its input, (b, h, w, c), or with one or three spatial dimensions.
        needed: the smallest side that it can take.
        images: the encoder's input.
        minimum: the smallest image side that passes all layers.

    Raises:
        ValueError: ``x`` is smaller than ``needed``.
    """
    if min(x.shape[1:-1]) < needed:
        dims = x.ndim - 2
        kind, _ = _KINDS[dims]
        unit = {1: "samples", 2: "pixels", 3: "voxels"}[dims]
        raise ValueError(
            f"{encoder}: {kind} of {_times(images.shape[1:-1])} {unit} are too small: {layer} gets a map of "
            f"{_times(x.shape[1:-1])} and needs {_times([needed] * dims)}. Use {kind} of at least "
            f"{_times([minimum] * dims)} {unit}, or an encoder with fewer layers."
        )


def check_multiples(encoder: str, images: AnyArray, multiple: int) -> None:
    """Refuses images whose maps at several strides do not lie over one another.

    Args:
        encoder: the encoder's name, for the message.
        images: (b, h, w, c).
        multiple: what h and w must be multiples of.

    Raises:
        UserError: a side is none.
    """
    if images.ndim == 4 and any(side < 1 or side % multiple for side in images.shape[1:3]):
        raise UserError(
            f"{encoder}: images of {_times(images.shape[1:3])} pixels have a side that is no multiple of {multiple}: pad or "
            "resize them first, or give the experiment another size."
        )


def _times(sides: Sequence[int]) -> str:
    return "×".join(map(str, sides))


def dimension_of(encoder: nn.Module, image_shape: tuple[int, ...]) -> int:
    """The dimension of an encoder's embedding for images of ``image_shape`` (h, w, c), without computing it.

    Example:
        >>> from likeness.research.encoders import Conv4
        >>> dimension_of(Conv4(head="flatten"), (28, 28, 1))
        64
    """

    def embed(key: Array) -> PyTree:
        return encoder.init_with_output(key, jnp.zeros((1, *image_shape)))[0]["embedding"]

    return jax.eval_shape(embed, jax.eval_shape(lambda: jax.random.key(0))).shape[-1]
