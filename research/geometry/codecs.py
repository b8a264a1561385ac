"""How a network writes a box: four numbers relative to a reference, which is a box too: an image, a cell or an anchor.

Boxes and references are ``xyxy`` in pixels, and their leading axes broadcast. What a codec encodes it decodes to the same box.
In float64, of NumPy arrays, that holds to a millionth of a pixel up to 4096 pixels; in float32, of JAX arrays, to a few
roundings of the largest coordinate, which are less than 0.0001 pixels at 256 and 0.001 at 4096.

A reference without width or height, such as padding, and a box without them give finite numbers with a finite gradient. They
mean nothing, and a loss masks them.
"""

import abc
import dataclasses
import math
from typing import Any

import numpy as np

from likeness.research.checks import check_finite_positive
from likeness.research.geometry.boxes import UncheckedBoxes, checked_boxes, namespace, numbers_of
from likeness.research.types import AnyArray, Float

__all__ = ["BoxCodec", "BoxDeltas", "CellRelative", "ImageRelative", "PointDistances", "YoloV1", "YoloV3"]


class BoxCodec(abc.ABC):
    """A way to write boxes. Derive your own as a frozen dataclass with the two methods that compute on pairs (first, second) of
    arrays ``(…, 2)``, x before y."""

    def encode(self, boxes: UncheckedBoxes, reference: UncheckedBoxes) -> Float[AnyArray, "*b 4"]:
        """What the network is to say.

        Args:
            boxes: (…, 4).
            reference: (…, 4), what each is relative to.

        Raises:
            ValueError: the arrays are not numbers of shape (…, 4), or the corners of one in a NumPy array are reversed.
        """
        name = type(self).__name__
        b, r = checked_boxes(name, "boxes", boxes), checked_boxes(name, "reference", reference)
        xp = namespace(b, r)
        b, r = xp.broadcast_arrays(b, r)
        low, high, frame = b[..., :2], b[..., 2:], r[..., 2:] - r[..., :2]
        return xp.concatenate(self._write(xp, (low + high) / 2, high - low, (r[..., :2] + r[..., 2:]) / 2, frame), axis=-1)

    def decode(self, values: UncheckedBoxes, reference: UncheckedBoxes) -> Float[AnyArray, "*b 4"]:
        """The boxes that the network says.

        Args:
            values: (…, 4).
            reference: (…, 4), what each is relative to.

        Raises:
            ValueError: the arrays are not numbers of shape (…, 4), or the corners of a reference in a NumPy array are reversed.
        """
        name = type(self).__name__
        v, r = numbers_of(name, "values", values), checked_boxes(name, "reference", reference)
        xp = namespace(v, r)
        v, r = xp.broadcast_arrays(v, r)
        center, size = self._read(xp, v[..., :2], v[..., 2:], (r[..., :2] + r[..., 2:]) / 2, r[..., 2:] - r[..., :2])
        return xp.concatenate([center - size / 2, center + size / 2], axis=-1)

    @abc.abstractmethod
    def _write(self, xp: Any, center: Any, size: Any, middle: Any, frame: Any) -> tuple[Any, Any]:
        """Both halves of the values.

        Args:
            xp: the module that computes, NumPy or ``jax.numpy``.
            center: of the box.
            size: of the box, width and height.
            middle: the center of the reference.
            frame: its size.
        """

    @abc.abstractmethod
    def _read(self, xp: Any, first: Any, second: Any, middle: Any, frame: Any) -> tuple[Any, Any]:
        """Center and size of the box.

        Args:
            xp: the module that computes.
            first: half of the values.
            second: the other half.
            middle: the center of the reference.
            frame: its size.
        """


class _Shares(BoxCodec):
    """(b_x, b_y, b_h, b_w), the course's order: the center from the reference's upper left corner, and height and width, in
    widths and heights of the reference."""

    def _write(self, xp: Any, center: Any, size: Any, middle: Any, frame: Any) -> tuple[Any, Any]:
        frame = _sized(xp, frame)
        return (center - middle) / frame + 0.5, (size / frame)[..., ::-1]

    def _read(self, xp: Any, first: Any, second: Any, middle: Any, frame: Any) -> tuple[Any, Any]:
        return middle + (first - 0.5) * frame, second[..., ::-1] * frame


@dataclasses.dataclass(frozen=True)
class ImageRelative(_Shares):
    """(b_x, b_y, b_h, b_w) as the course writes an object's place for localization: center, height and width as shares of the
    image, all in [0, 1] for a box inside of it.

    The reference is the box of the image, (0, 0, width, height).

    Example:
        >>> print(ImageRelative().encode(np.array([10.0, 20, 30, 60]), np.array([0.0, 0, 100, 80])))
        [0.2 0.5 0.5 0.2]
    """

    def encode(self, boxes: UncheckedBoxes, reference: UncheckedBoxes) -> Float[AnyArray, "*b 4"]:
        """As :meth:`BoxCodec.encode`.

        Args:
            boxes: (…, 4).
            reference: the box of each image, (0, 0, width, height).

        Raises:
            ValueError: as there, or a reference in a NumPy array does not begin at (0, 0): a cell's, say, which
                :class:`CellRelative` is for.
        """
        _check_images(reference)
        return super().encode(boxes, reference)

    def decode(self, values: UncheckedBoxes, reference: UncheckedBoxes) -> Float[AnyArray, "*b 4"]:
        """As :meth:`BoxCodec.decode`.

        Args:
            values: (…, 4).
            reference: the box of each image, (0, 0, width, height).

        Raises:
            ValueError: as there, or a reference in a NumPy array does not begin at (0, 0).
        """
        _check_images(reference)
        return super().decode(values, reference)


@dataclasses.dataclass(frozen=True)
class CellRelative(_Shares):
    """(b_x, b_y, b_h, b_w) as the course writes them for YOLO: the center from the upper left corner of the cell, in [0, 1] if
    the cell holds it, and height and width in cells, which may exceed 1.

    The reference is the box of the cell.

    Example:
        >>> print(CellRelative().encode(np.array([10.0, 20, 30, 60]), np.array([16.0, 32, 32, 48])))
        [0.25 0.5  2.5  1.25]
    """


@dataclasses.dataclass(frozen=True, kw_only=True)
class YoloV1(BoxCodec):
    """(x, y, √w, √h) of the first YOLO: the center as a share of the cell, and the roots of width and height as shares of the
    image, so that an error of a pixel weighs more on a small box.

    The reference is the box of the cell. The square of a negative root is that of a positive one.

    Redmon et al., "You only look once", CVPR 2016.
    """

    width: float | int
    """Of the image, in pixels."""
    height: float | int
    """Of the image, in pixels."""

    def __post_init__(self) -> None:
        check_finite_positive("YoloV1", "width", self.width)
        check_finite_positive("YoloV1", "height", self.height)

    def _write(self, xp: Any, center: Any, size: Any, middle: Any, frame: Any) -> tuple[Any, Any]:
        share = size / self._image(xp, size)
        # The root has no derivative at 0.
        some = share > 0
        return (center - middle) / _sized(xp, frame) + 0.5, xp.where(some, xp.sqrt(xp.where(some, share, 1.0)), 0.0)

    def _read(self, xp: Any, first: Any, second: Any, middle: Any, frame: Any) -> tuple[Any, Any]:
        return middle + (first - 0.5) * frame, second**2 * self._image(xp, second)

    def _image(self, xp: Any, like: Any) -> Any:
        return xp.asarray([self.width, self.height], like.dtype)


@dataclasses.dataclass(frozen=True, kw_only=True)
class YoloV3(BoxCodec):
    """(t_x, t_y, t_w, t_h) of the later YOLOs: with an anchor (p_w, p_h) in a cell of side s whose upper left corner is c,

        b_x = c_x + s (k σ(t_x) - (k - 1) / 2),    b_w = p_w exp(t_w)    and likewise y and h.

    With k = 1 (versions 2 and 3) the center stays within its cell, and only infinite values reach the border; a larger k
    (version 4) reaches it. A center that cannot be reached is encoded as the nearest that can.

    The reference is the box of the anchor, which stands on the middle of its cell.

    Redmon and Farhadi, "YOLOv3: an incremental improvement", 2018; Bochkovskiy et al., "YOLOv4", 2020.
    """

    stride: float | int
    """s, the side of a cell in pixels."""
    scale: float | int = 1.0
    """k, at least 1."""
    largest_ratio: float | int = 4096.0
    """A side is at most so many times the anchor's, and at least its inverse: t_w and t_h are clipped before exp."""

    def __post_init__(self) -> None:
        check_finite_positive("YoloV3", "stride", self.stride)
        check_finite_positive("YoloV3", "scale", self.scale)
        if self.scale < 1:
            raise ValueError(
                f"YoloV3(scale={self.scale!r}): scale must be at least 1, else no center near a border is reached."
            )
        _check_ratio("YoloV3", self.largest_ratio)

    def _write(self, xp: Any, center: Any, size: Any, middle: Any, frame: Any) -> tuple[Any, Any]:
        place = ((center - middle) / self.stride) / self.scale + 0.5
        small = float(np.finfo(place.dtype).eps)
        place = xp.clip(place, small, 1.0 - small)
        return xp.log(place) - xp.log1p(-place), _log_ratio(xp, size, frame, self.largest_ratio)

    def _read(self, xp: Any, first: Any, second: Any, middle: Any, frame: Any) -> tuple[Any, Any]:
        # σ(t) - ½ in a form that neither overflows nor cancels.
        center = middle + self.stride * self.scale * xp.tanh(first / 2) / 2
        return center, frame * _ratio(xp, second, self.largest_ratio)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BoxDeltas(BoxCodec):
    """(t_x, t_y, t_w, t_h) of R-CNN and its successors: with an anchor or proposal of center a and size p,

        t_x = w_x (b_x - a_x) / p_w,    t_w = w_w log(b_w / p_w)    and likewise y and h.

    The reference is the box of the anchor or proposal. If that is a square of one stride whose center is the corner of a cell,
    this is what YOLOX and YuNet predict.

    Girshick et al., "Rich feature hierarchies for accurate object detection and semantic segmentation", CVPR 2014.
    """

    weights: tuple[float | int, float | int, float | int, float | int] = (1.0, 1.0, 1.0, 1.0)
    """w. Heads that classify proposals usually have (10, 10, 5, 5), so that the values are about as large as 1."""
    largest_ratio: float | int = 4096.0
    """A side is at most so many times the anchor's, and at least its inverse: t_w and t_h are clipped before exp. torchvision
    and Detectron clip at 62.5 from above."""

    def __post_init__(self) -> None:
        if len(self.weights) != 4:
            raise ValueError(f"BoxDeltas(weights={self.weights!r}): give four weights, for x, y, width and height.")
        for weight in self.weights:
            check_finite_positive("BoxDeltas", "weights", weight)
        _check_ratio("BoxDeltas", self.largest_ratio)

    def _write(self, xp: Any, center: Any, size: Any, middle: Any, frame: Any) -> tuple[Any, Any]:
        places, sizes = self._weights(xp, size)
        return places * (center - middle) / _sized(xp, frame), sizes * _log_ratio(xp, size, frame, self.largest_ratio)

    def _read(self, xp: Any, first: Any, second: Any, middle: Any, frame: Any) -> tuple[Any, Any]:
        places, sizes = self._weights(xp, second)
        return middle + first / places * frame, frame * _ratio(xp, second / sizes, self.largest_ratio)

    def _weights(self, xp: Any, like: Any) -> tuple[Any, Any]:
        return xp.asarray(self.weights[:2], like.dtype), xp.asarray(self.weights[2:], like.dtype)


@dataclasses.dataclass(frozen=True)
class PointDistances(BoxCodec):
    """(l, t, r, b) of detectors without anchors: how far the four sides are from the middle of a cell, in sides of the cell.

    The reference is the box of the cell. Distances are at least 0 where the point lies in the box; a head that predicts them
    ends in ``softplus`` or ``exp``.

    Tian et al., "FCOS: fully convolutional one-stage object detection", ICCV 2019.

    Example:
        >>> print(PointDistances().encode(np.array([10.0, 20, 30, 60]), np.array([16.0, 32, 32, 48])))
        [0.875 1.25  0.375 1.25 ]
    """

    def _write(self, xp: Any, center: Any, size: Any, middle: Any, frame: Any) -> tuple[Any, Any]:
        frame = _sized(xp, frame)
        shift = center - middle
        return (size / 2 - shift) / frame, (size / 2 + shift) / frame

    def _read(self, xp: Any, first: Any, second: Any, middle: Any, frame: Any) -> tuple[Any, Any]:
        return middle + (second - first) * frame / 2, (first + second) * frame


def _sized(xp: Any, frame: Any) -> Any:
    """The size of a reference, and 1 where it has none."""
    return xp.where(frame > 0, frame, 1.0)


def _log_ratio(xp: Any, size: Any, frame: Any, largest: float | int) -> Any:
    """``log(size / frame)``, clipped before the logarithm, which has no derivative at 0."""
    return xp.log(xp.clip(size / _sized(xp, frame), 1.0 / largest, largest))


def _ratio(xp: Any, logarithm: Any, largest: float | int) -> Any:
    limit = math.log(largest)
    return xp.exp(xp.clip(logarithm, -limit, limit))


def _check_ratio(owner: str, ratio: float | int) -> None:
    check_finite_positive(owner, "largest_ratio", ratio)
    if ratio < 1:
        raise ValueError(f"{owner}(largest_ratio={ratio!r}): largest_ratio must be at least 1. Give 62.5, say.")


def _check_images(reference: UncheckedBoxes) -> None:
    given = numbers_of("ImageRelative", "reference", reference)
    if isinstance(given, np.ndarray) and np.any(given[..., :2] != 0):
        raise ValueError(
            "ImageRelative: a reference is the box of an image, (0, 0, width, height), and one does not begin at (0, 0). What "
            "is relative to a cell is written by CellRelative."
        )
