"""The edges of maps: what surrounds them, and sizes that divide."""

import jax.numpy as jnp

from likeness.research.types import AnyArray, Array, Float

__all__ = ["reflect", "reflect_to_multiple"]


def reflect(x: Float[AnyArray, "b h w c"], width: int) -> Float[Array, "b h2 w2 c"]:
    """Adds ``width`` pixels on every side: those within, mirrored at the outermost one, which is not repeated.

    The same as ``jnp.pad`` in mode ``reflect``, whose gradient takes XLA:CPU longer.

    Raises:
        ValueError: a side has no more than ``width`` pixels.

    Example:
        >>> reflect(jnp.arange(3.0).reshape(1, 1, 3, 1).repeat(2, axis=1), 1)[0, 0, :, 0].tolist()
        [1.0, 0.0, 1.0, 2.0, 1.0]
    """
    if min(x.shape[1:3]) <= width:
        raise ValueError(f"A map of {x.shape[1]}×{x.shape[2]} has no {width} pixels to mirror beyond its outermost ones.")
    x = jnp.asarray(x)
    if width == 0:
        return x
    x = jnp.concatenate([x[:, width:0:-1], x, x[:, -2 : -width - 2 : -1]], axis=1)
    return jnp.concatenate([x[:, :, width:0:-1], x, x[:, :, -2 : -width - 2 : -1]], axis=2)


def reflect_to_multiple(x: Float[AnyArray, "b h w c"], multiple: int) -> Float[Array, "b h2 w2 c"]:
    """Mirrors pixels at the lower and right edges until both sides are multiples; cut the result back to x's size.

    Raises:
        ValueError: a side has fewer pixels than ``multiple``.

    Example:
        >>> reflect_to_multiple(jnp.zeros((1, 5, 8, 3)), 4).shape
        (1, 8, 8, 3)
    """
    if min(x.shape[1:3]) < multiple:
        raise ValueError(f"A map of {x.shape[1]}×{x.shape[2]} is smaller than {multiple}×{multiple}.")
    missing = [-side % multiple for side in x.shape[1:3]]
    return jnp.pad(x, ((0, 0), (0, missing[0]), (0, missing[1]), (0, 0)), mode="reflect")
