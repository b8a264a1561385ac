"""The truth of a batch as losses of detectors take it, matched image by image."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.checks import check_array
from likeness.research.geometry.boxes import is_degenerate
from likeness.research.geometry.ignored import Ignored, as_ignored
from likeness.research.geometry.matching import Assignment
from likeness.research.types import AnyArray, Array, Bool, Float, Int, Scalar, Shaped

__all__ = ["Truth", "as_batch", "as_levels", "assigned_boxes", "assigned_classes", "matched", "one_hot"]


class Truth(NamedTuple):
    """The objects of a batch, m rows an image. Rows that the mask leaves out are 0, whatever they held."""

    boxes: Float[Array, "b m 4"]
    classes: Int[Array, "b m"]
    mask: Bool[Array, "b m"]
    ignored: Ignored | None = None
    """What is neither to be found nor background; None where nobody says that there is any."""


def as_batch(
    owner: str,
    boxes: Shaped[AnyArray, "..."],
    classes: Shaped[AnyArray, "..."],
    mask: Shaped[AnyArray, "..."],
    images: int,
    count: int,
    ignored: Shaped[AnyArray, "..."] | None = None,
) -> Truth:
    """The truth of a batch, safe to compute with.

    Args:
        owner: the loss.
        boxes: (b, m, 4), ``xyxy`` in pixels.
        classes: (b, m), integers.
        mask: (b, m), booleans, which rows are objects.
        images: b.
        count: of the classes.
        ignored: (b, m), booleans, which rows are neither to be found nor background; None: none.

    Raises:
        ValueError: another shape or dtype; in NumPy arrays, whose values are known, a row that is an object has a box without
            area or a class that there is not, or is ignored as well.
    """
    check_array(owner, "boxes", boxes, (images, "m", 4), help="Give m rows of truth for each image.")
    rows = boxes.shape[1]
    check_array(owner, "classes", classes, (images, rows), "integers", "Give the class of each row of truth.")
    check_array(owner, "mask", mask, (images, rows), "booleans", "Say for each row of truth whether it is an object.")
    if all(isinstance(each, np.ndarray) for each in (boxes, classes, mask)):
        _check_known(owner, np.asarray(boxes), np.asarray(classes), np.asarray(mask), count)
    real = jnp.asarray(mask)
    given = jnp.where(real[..., None], jax.lax.stop_gradient(jnp.asarray(boxes, jnp.float32)), 0.0)
    labels = jnp.where(real, jnp.asarray(classes).astype(jnp.int32), 0)
    return Truth(given, labels, real, as_ignored(owner, boxes, mask, ignored))


def matched(match: Callable[..., Assignment], *batched: Array) -> Assignment:
    """The assignment of each image of a batch, without a derivative."""
    return jax.lax.stop_gradient(jax.vmap(match)(*batched))


def assigned_boxes(
    assignment: Assignment, truth: Truth, instead: Float[Array, "*b n 4"] | Float[Array, "n 4"]
) -> Float[Array, "b n 4"]:
    """The box that each place answers for, and where it answers for none a box that does no harm.

    Args:
        assignment: of a batch.
        truth: of the same batch.
        instead: what stands where a place is no foreground: the anchor itself, say.
    """
    found = jnp.take_along_axis(truth.boxes, assignment.truth[..., None], axis=1) if truth.boxes.shape[1] else instead
    return jnp.where(assignment.foreground[..., None], found, instead)


def assigned_classes(assignment: Assignment, truth: Truth) -> Int[Array, "b n"]:
    """The class that each place answers for; 0 where it answers for none."""
    if not truth.classes.shape[1]:
        return jnp.zeros(assignment.truth.shape, jnp.int32)
    return jnp.where(assignment.foreground, jnp.take_along_axis(truth.classes, assignment.truth, axis=1), 0)


def one_hot(classes: Int[Array, "*b"], count: int) -> Float[Array, "*b K"]:
    """Rows of 0 and one 1."""
    return jax.nn.one_hot(classes, count, dtype=jnp.float32)


def as_levels(
    owner: str, outputs: Sequence[Shaped[AnyArray, "..."]], axes: Sequence[tuple[int | str, ...]], help: str
) -> tuple[list[tuple[int, int]], Float[Array, "b n f"]]:
    """The maps of several levels as one array of places, and the rows and columns of each.

    Args:
        owner: the loss.
        outputs: for each level (b, rows, columns, …, f).
        axes: for each level what follows the columns, such as ``(3, 8)``.
        help: what to give instead.

    Returns:
        The sizes of the maps, and the places row by row, cell by cell, and what else there is, level after level, float32.

    Raises:
        ValueError: another number of levels; another shape or dtype; not as many images on each level; maps without a place.
    """
    if len(outputs) != len(axes):
        raise ValueError(f"{owner}: there are {len(axes)} levels, and outputs of {len(outputs)}. {help}")
    images = outputs[0].shape[0] if len(outputs[0].shape) else 0
    for level, rest in zip(outputs, axes, strict=True):
        check_array(owner, "outputs", level, (images, "rows", "columns", *rest), "numbers", help)
    maps = [(level.shape[1], level.shape[2]) for level in outputs]
    if not any(rows * columns for rows, columns in maps):
        raise ValueError(f"{owner}: the outputs have no place. {help}")
    flat = [jnp.asarray(level, jnp.float32).reshape(images, math.prod(level.shape[1:-1]), level.shape[-1]) for level in outputs]
    return maps, jnp.concatenate(flat, axis=1)


def counts(assignment: Assignment, truth: Truth) -> dict[str, Scalar]:
    """What to watch in the matching: objects, places that answer for one, and objects that no place answers for."""
    return {
        "objects": jnp.sum(truth.mask, dtype=jnp.float32),
        "foreground": jnp.sum(assignment.foreground, dtype=jnp.float32),
        "missed": jnp.sum(assignment.missed, dtype=jnp.float32),
    }


def _check_known(owner: str, boxes: np.ndarray, classes: np.ndarray, mask: np.ndarray, count: int) -> None:
    wrong = np.argwhere(is_degenerate(boxes) & mask)
    if len(wrong):
        i, j = wrong[0].tolist()
        raise ValueError(
            f"{owner}: box {j} of image {i} is {boxes[i, j].tolist()}, which has no area, and the mask says that it is an "
            "object. Leave it out of the mask; an image without objects has a mask without any True."
        )
    wrong = np.argwhere(mask & ((classes < 0) | (classes >= count)))
    if len(wrong):
        i, j = wrong[0].tolist()
        raise ValueError(f"{owner}: box {j} of image {i} has class {classes[i, j]}, and there are classes 0 to {count - 1}.")
