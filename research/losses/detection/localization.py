"""Localization: one object an image at most. Is one there, of which class is it, and where is its box?

Both losses compare vectors ``[p_c, b_x, b_y, b_h, b_w, c_1 … c_K]``, in the course's order: whether there is an object, its
center, height and width as shares of the image, and its class as a one-hot row. Without an object nothing but p_c is defined.
"""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import as_labels, check_array, check_count, check_finite_nonnegative
from likeness.research.geometry.codecs import ImageRelative
from likeness.research.geometry.matching import as_truth
from likeness.research.losses.detection.terms import (
    as_outputs,
    binary_cross_entropy,
    cross_entropy,
    mean_over,
    squared_error,
    total,
)
from likeness.research.types import AnyArray, Array, Bool, Float, Scalar, Shaped

__all__ = ["CourseLocalizationLoss", "LogisticLocalizationLoss", "localization_targets"]


def localization_targets(
    boxes: Shaped[AnyArray, "..."],
    classes: Shaped[AnyArray, "..."],
    present: Shaped[AnyArray, "..."],
    height: int,
    width: int,
    count: int,
) -> Float[Array, "b n"]:
    """The vectors ``[p_c, b_x, b_y, b_h, b_w, c_1 … c_K]`` of a batch, (b, 5 + K), 0 where they are undefined.

    Args:
        boxes: (b, 4), the object of each image, ``xyxy`` in pixels.
        classes: (b,), from 0 to K - 1.
        present: (b,), booleans, whether there is an object.
        height: of the images.
        width: of the images.
        count: K.

    Raises:
        ValueError: another shape or dtype; a box without area in a NumPy array.
    """
    check_count("localization_targets", "count", count)
    boxes, valid, _ = as_truth("localization_targets", boxes, present)
    labels = as_labels("localization_targets", classes, boxes.shape[0], "images")
    values = ImageRelative().encode(boxes, jnp.array([0.0, 0.0, width, height]))
    rows = jnp.concatenate([jnp.asarray(values), jax.nn.one_hot(labels, count)], axis=1)
    return jnp.concatenate([valid[:, None].astype(jnp.float32), jnp.where(valid[:, None], rows, 0.0)], axis=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CourseLocalizationLoss:
    """The course's squared error: ``Σ_i (ŷ_i - y_i)²`` over all components if ``p_c = 1``, and ``(ŷ_1 - y_1)²`` if ``p_c = 0``.

    The notes write the last term of the sum as ``(ŷ_1 - y_1)²`` once more; it is ``(ŷ_8 - y_8)²`` here, with as many components
    as there are. The value is the mean over the batch, and 0 of an empty one.

    Example:
        >>> import jax.numpy as jnp
        >>> target = jnp.array([[0.0, jnp.nan, jnp.nan, jnp.nan, jnp.nan, jnp.nan]])
        >>> print(CourseLocalizationLoss()(jnp.full((1, 6), 0.5), target))
        0.25
    """

    def __call__(self, outputs: Shaped[AnyArray, "..."], targets: Shaped[AnyArray, "..."]) -> Scalar:
        """The loss of a batch.

        Args:
            outputs: ŷ, (b, 5 + K).
            targets: y, of the same shape. What they hold beside a p_c of 0 does not matter.

        Raises:
            ValueError: another shape or dtype.
        """
        return self.value_and_diagnostics(outputs, targets)[0]

    def value_and_diagnostics(
        self, outputs: Shaped[AnyArray, "..."], targets: Shaped[AnyArray, "..."]
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and its parts: ``presence_loss`` over all images, ``box_loss`` and ``class_loss`` over those with an "
        "object."""
        found, target, present = _as_vectors("CourseLocalizationLoss", outputs, targets)
        one = squared_error(found[:, 0], target[:, 0], jnp.ones_like(present))
        rest = squared_error(found[:, 1:], target[:, 1:], present[:, None])
        value = mean_over(one + jnp.sum(rest, axis=1), len(found))
        return value, _parts(one, jnp.sum(rest[:, :4], axis=1), jnp.sum(rest[:, 4:], axis=1), present)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogisticLocalizationLoss:
    """Logistic loss for p_c, and with an object squared error for its box and cross-entropy for its class:

    ``w_p BCE(σ(ŷ_1), p_c) + p_c (w_b Σ_{2…5} (ŷ_i - y_i)² + w_c CE(softmax(ŷ_6 …), c))``

    The outputs for p_c and the classes are logits. The value is the mean over the batch, and 0 of an empty one.

    Example:
        >>> import jax.numpy as jnp
        >>> target = jnp.array([[1.0, 0.5, 0.5, 0.2, 0.2, 1.0, 0.0]])
        >>> print(f"{LogisticLocalizationLoss()(target * 0, target):.4f}")  # log 2 + 0.58 + log 2
        1.9663
    """

    presence_weight: float = 1.0
    """w_p."""

    box_weight: float = 1.0
    """w_b."""

    class_weight: float = 1.0
    """w_c."""

    def __post_init__(self) -> None:
        for name in ("presence_weight", "box_weight", "class_weight"):
            check_finite_nonnegative("LogisticLocalizationLoss", name, getattr(self, name))

    def __call__(self, outputs: Shaped[AnyArray, "..."], targets: Shaped[AnyArray, "..."]) -> Scalar:
        """The loss of a batch.

        Args:
            outputs: ŷ, (b, 5 + K).
            targets: y, of the same shape. What they hold beside a p_c of 0 does not matter.

        Raises:
            ValueError: another shape or dtype.
        """
        return self.value_and_diagnostics(outputs, targets)[0]

    def value_and_diagnostics(
        self, outputs: Shaped[AnyArray, "..."], targets: Shaped[AnyArray, "..."]
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and its parts: ``presence_loss`` over all images, ``box_loss`` and ``class_loss`` over those with an "
        "object."""
        found, target, present = _as_vectors("LogisticLocalizationLoss", outputs, targets)
        presence = binary_cross_entropy(found[:, 0], target[:, 0])
        box = jnp.sum(squared_error(found[:, 1:5], target[:, 1:5], present[:, None]), axis=1)
        classes = cross_entropy(found[:, 5:], target[:, 5:], present)
        parts = {"presence": presence, "box": box, "class": classes}
        weights = {"presence": self.presence_weight, "box": self.box_weight, "class": self.class_weight}
        value = total({name: mean_over(part, len(found)) for name, part in parts.items()}, weights)
        return value, _parts(presence, box, classes, present)


def _as_vectors(
    owner: str, outputs: AnyArray, targets: AnyArray
) -> tuple[Float[Array, "b n"], Float[Array, "b n"], Bool[Array, "b"]]:
    help = "Give [p_c, b_x, b_y, b_h, b_w, c_1 … c_K] for each image."
    check_array(owner, "outputs", outputs, ("b", "n"), help=help)
    if outputs.shape[1] < 5:
        raise ValueError(f"{owner}: outputs of {outputs.shape[1]} components have no box. {help}")
    found = as_outputs(owner, "outputs", outputs, ("b", "n"), help)
    target = jax.lax.stop_gradient(as_outputs(owner, "targets", targets, found.shape, help))
    return found, target, target[:, 0] > 0.5


def _parts(presence: Array, box: Array, classes: Array, present: Array) -> dict[str, Scalar]:
    objects = jnp.sum(jnp.where(present, 1.0, 0.0))
    parts = {
        "presence_loss": mean_over(presence, len(presence)),
        "box_loss": mean_over(box, objects),
        "class_loss": mean_over(classes, objects),
        "objects": objects,
    }
    return jax.lax.stop_gradient(parts)
