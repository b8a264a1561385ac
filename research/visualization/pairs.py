"""Which regions of two images make them the same to an encoder, or different: the distance, by the pixels of each."""

from collections.abc import Callable
from typing import TypeAlias

import jax.numpy as jnp

from likeness.research.types import Activations, AnyArray, Array, Embeddings, Float
from likeness.research.visualization.attribution import Score, saliency
from likeness.research.visualization.grad_cam import Resize, grad_cam

__all__ = ["Attribute", "Distance", "explain_pairs", "grad_cam_of_pairs"]

Attribute: TypeAlias = Callable[[Score, Float[Array, "n *space c"]], Float[Array, "n *space c"]]
"""How a score is laid to pixels, such as :func:`~likeness.research.visualization.saliency`."""
Distance: TypeAlias = Callable[[Embeddings, Embeddings], Float[Array, "b"]]
"""Of each embedding to the one in the same row."""


def explain_pairs(
    embed: Callable[[Float[Array, "n *space c"]], Embeddings],
    distance: Distance,
    first: Float[AnyArray, "n *space c"],
    second: Float[AnyArray, "n *space c"],
    attribute: Attribute = saliency,
) -> tuple[Float[Array, "n *space c"], Float[Array, "n *space c"]]:
    """Lays the likeness ``-d(f(a), f(b))`` of each pair to the pixels of a with b held fast, and to those of b with a.

    Args:
        embed: f, of images. Images must not mix.
        distance: d, differentiable.
        first: a of each pair.
        second: b of each pair.
        attribute: how; the gradient, unless given. Of methods with more arguments, a ``lambda``::

                lambda score, x: integrated_gradients(score, x, jnp.zeros_like(x))

    Returns:
        For both images: above 0 is what speaks for the same person, wherever the method's sign says that.

    Example:
        >>> a, b = jnp.full((1, 1, 1, 1), 3.0), jnp.full((1, 1, 1, 1), 1.0)
        >>> by_a, by_b = explain_pairs(lambda x: x[:, 0, 0], lambda u, v: jnp.sum((u - v) ** 2, axis=-1), a, b)
        >>> by_a.item(), by_b.item()
        (-4.0, 4.0)
    """
    images = jnp.asarray(first), jnp.asarray(second)
    codes = tuple(embed(each) for each in images)
    one, other = (
        attribute(lambda x, code=code: -distance(embed(x), code), each)
        for each, code in zip(images, reversed(codes), strict=True)
    )
    return one, other


def grad_cam_of_pairs(
    activations: Callable[[Float[Array, "n *space c"]], Activations],
    layer: str,
    distance: Distance,
    first: Float[AnyArray, "n *space c"],
    second: Float[AnyArray, "n *space c"],
    *,
    relu: bool = True,
    resize: Resize | None = "linear",
) -> tuple[Float[Array, "n *map"], Float[Array, "n *map"]]:
    """Grad-CAM of the likeness ``-d(f(a), f(b))``, for the layer's map of a and for that of b.

    Args:
        activations: of images; f is their ``embedding``.
        layer: see :func:`~likeness.research.visualization.grad_cam`, as for the others.
        distance: d, differentiable.
        first: a of each pair.
        second: b of each pair.
        relu: keep what speaks for the same person only; False: what speaks against it, too, below 0.
        resize: to the images' size.

    Raises:
        ValueError: as :func:`~likeness.research.visualization.grad_cam` does.
    """
    images = jnp.asarray(first), jnp.asarray(second)
    codes = tuple(activations(each)["embedding"] for each in images)
    one, other = (
        grad_cam(activations, layer, lambda a, code=code: -distance(a["embedding"], code), each, relu=relu, resize=resize)
        for each, code in zip(images, reversed(codes), strict=True)
    )
    return one, other
