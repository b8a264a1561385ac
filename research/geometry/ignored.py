"""What lies on an object that is neither to be found nor background: it is not taught that nothing is there.

COCO's crowds and VOC's difficult objects are such. Whatever is found on one counts for nothing in evaluation, and a network
that learns "background" there unlearns what it sees. So an ignored object makes no foreground, and a place, an anchor or a
region on it is no background either. One that answers for another object still does: as in evaluation, an object that is to be
found comes before one that is ignored.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.checks import check_array
from likeness.research.geometry.boxes import area, centers, is_degenerate
from likeness.research.geometry.matching import Assignment
from likeness.research.types import AnyArray, Array, Bool, Float, Shaped

IGNORED_SHARE = 0.5
"""The share of an anchor's or a region's own area, from which on it lies on an ignored object."""

__all__ = ["IGNORED_SHARE", "Ignored", "as_ignored", "places_on", "regions_on", "without_background"]


class Ignored(NamedTuple):
    """The ignored objects of a batch, m rows an image. Rows that the mask leaves out are 0, whatever they held."""

    boxes: Float[Array, "b m 4"]
    mask: Bool[Array, "b m"]


def as_ignored(
    owner: str,
    boxes: Shaped[AnyArray, "..."],
    mask: Shaped[AnyArray, "..."],
    ignored: Shaped[AnyArray, "..."] | None,
) -> Ignored | None:
    """The ignored objects of a batch, safe to compute with; None where nobody says that there are any.

    Args:
        owner: the loss.
        boxes: (b, m, 4), ``xyxy`` in pixels.
        mask: (b, m), which rows are objects to be found.
        ignored: (b, m), which rows are ignored objects. One without area covers nothing.

    Raises:
        ValueError: another shape or dtype; in NumPy arrays, whose values are known, a row is ignored and to be found.
    """
    if ignored is None:
        return None
    check_array(owner, "ignored", ignored, mask.shape, "booleans", "Say for each row of truth whether it is ignored.")
    if isinstance(ignored, np.ndarray) and isinstance(mask, np.ndarray) and (both := np.argwhere(ignored & mask)).size:
        i, j = both[0].tolist()
        raise ValueError(
            f"{owner}: row {j} of image {i} is under the mask, so to be found, and is ignored as well. Leave it out of one."
        )
    given = jax.lax.stop_gradient(jnp.asarray(boxes, jnp.float32))
    real = jnp.asarray(ignored) & ~jnp.asarray(mask) & ~jnp.asarray(is_degenerate(given))
    return Ignored(jnp.where(real[..., None], given, 0.0), real)


def places_on(ignored: Ignored | None, cells: Float[Array, "n 4"]) -> Bool[Array, "b n"] | None:
    """Which places of a grid lie on an ignored object: their middle is inside of its box, or its middle inside of their cell.

    The second is for objects smaller than a cell, in which there may be no middle of any.

    Args:
        ignored: of a batch.
        cells: the cell of each place, ``xyxy`` in pixels.
    """
    if ignored is None:
        return None
    points, boxes = jnp.asarray(centers(cells))[:, None], ignored.boxes[:, None]
    inside = jnp.all((points > boxes[..., :2]) & (points < boxes[..., 2:]), axis=-1)
    middles = jnp.asarray(centers(boxes))
    around = jnp.all((middles >= cells[:, None, :2]) & (middles < cells[:, None, 2:]), axis=-1)
    return jnp.any((inside | around) & ignored.mask[:, None], axis=-1)


def regions_on(ignored: Ignored | None, regions: Float[Array, "*b n 4"]) -> Bool[Array, "b n"] | None:
    """Which regions lie on an ignored object: :data:`IGNORED_SHARE` of their own area, or more, is in its box.

    Args:
        ignored: of a batch.
        regions: ``xyxy`` in pixels, the same for all images (n, 4), or those of each (b, n, 4).
    """
    if ignored is None:
        return None
    regions = jax.lax.stop_gradient(regions)
    low = jnp.maximum(regions[..., :, None, :2], ignored.boxes[:, None, :, :2])
    high = jnp.minimum(regions[..., :, None, 2:], ignored.boxes[:, None, :, 2:])
    shared = jnp.prod(jnp.maximum(high - low, 0.0), axis=-1)
    own = jnp.asarray(area(regions))[..., None]
    return jnp.any((shared >= IGNORED_SHARE * own) & (own > 0) & ignored.mask[:, None], axis=-1)


def without_background(assignment: Assignment, on_ignored: Bool[Array, "b n"] | None) -> Assignment:
    """An assignment in which nothing that lies on an ignored object is background; what is foreground stays so.

    Args:
        assignment: of a batch.
        on_ignored: which places do; None: none.
    """
    if on_ignored is None:
        return assignment
    return assignment._replace(ignored=assignment.ignored | (on_ignored & ~assignment.foreground))
