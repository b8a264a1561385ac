"""Where the things of one image are in another: moving an image along an optical flow, and where the flow can be trusted."""

import jax.numpy as jnp

from likeness.research.checks import check_array
from likeness.research.geometry.affine import look_up
from likeness.research.types import AnyArray, Array, Float, Shaped

__all__ = ["flowed", "trusted_flow"]


def flowed(image: Shaped[AnyArray, "..."], flow: Shaped[AnyArray, "..."]) -> Float[Array, "h w c"]:
    """An image moved along a flow: at p stands what the image shows at p + flow(p), bilinearly; beyond its border, its edge.

    Args:
        image: (h, w, c), floats in any unit.
        flow: (h, w, 2), (x to the right, y down) in pixels, at each pixel of the result.

    Raises:
        ValueError: an image and a flow of two sizes, or no floats.

    Example:
        >>> import numpy as np
        >>> image = np.arange(4.0, dtype=np.float32).reshape(1, 4, 1)
        >>> flow = np.stack([np.ones((1, 4), np.float32), np.zeros((1, 4), np.float32)], axis=-1)
        >>> flowed(image, flow)[0, :, 0].tolist()
        [1.0, 2.0, 3.0, 3.0]
    """
    check_array("flowed", "the image", image, ("h", "w", "c"), "floats")
    check_array("flowed", "the flow", flow, (*image.shape[:2], 2), "floats")
    u, v = _where(flow)
    return look_up(image[None], u[None], v[None])[0]


def trusted_flow(to_earlier: Shaped[AnyArray, "..."], to_later: Shaped[AnyArray, "..."]) -> Float[Array, "h w"]:
    """Where a flow can be trusted: 1 there, 0 where something is seen for the first time, and at the borders of moving things.

    With w the flow from the later frame to the earlier one, ŵ the one back, and w̃(p) = ŵ(p + w(p)), a pixel is not trusted
    where there and back does not lead to where it began, or where the flow changes fast:

        |w + w̃|² > 0.01 (|w|² + |w̃|²) + 0.5        |∇u|² + |∇v|² > 0.01 |w|² + 0.002

    nor where p + w(p) is outside the image. Sundaram et al., "Dense point trajectories by GPU-accelerated large displacement
    optical flow", ECCV 2010; Ruder et al., "Artistic style transfer for videos", GCPR 2016.

    Args:
        to_earlier: w, (h, w, 2), at each pixel of the later frame: where it was, (x, y) in pixels.
        to_later: ŵ, (h, w, 2), at each pixel of the earlier frame: where it goes.

    Raises:
        ValueError: flows of two sizes, or no floats; fewer than 2 × 2 pixels.
    """
    check_array("trusted_flow", "the flow to the earlier frame", to_earlier, ("h", "w", 2), "floats")
    check_array("trusted_flow", "the flow to the later frame", to_later, to_earlier.shape, "floats")
    if min(to_earlier.shape[:2]) < 2:
        raise ValueError(f"trusted_flow: the flow is {to_earlier.shape}, and how fast it changes is seen from 2 × 2 pixels on.")
    forward = jnp.asarray(to_earlier, jnp.float32)
    back = flowed(to_later, forward)
    lengths = jnp.sum(jnp.square(forward), axis=-1)
    apart = jnp.sum(jnp.square(forward + back), axis=-1)
    consistent = apart <= 0.01 * (lengths + jnp.sum(jnp.square(back), axis=-1)) + 0.5
    down, right = jnp.gradient(forward, axis=(0, 1))
    smooth = jnp.sum(jnp.square(down) + jnp.square(right), axis=-1) <= 0.01 * lengths + 0.002
    height, width, _ = forward.shape
    u, v = _where(forward)
    inside = (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    return (consistent & smooth & inside).astype(jnp.float32)


def _where(flow: Float[AnyArray, "h w 2"]) -> tuple[Array, Array]:
    """The columns and rows that a flow points at."""
    height, width, _ = flow.shape
    columns, rows = jnp.meshgrid(jnp.arange(width, dtype=jnp.float32), jnp.arange(height, dtype=jnp.float32))
    return columns + flow[..., 0], rows + flow[..., 1]
