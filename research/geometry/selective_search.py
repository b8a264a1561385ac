"""Region proposals without a network: boxes of the regions of an image that may be objects."""

import dataclasses
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8
from PIL import Image

from likeness.research.checks import check_array, check_choice, check_count, check_finite_nonnegative, check_finite_positive
from likeness.research.geometry.grouping import Grouping, HierarchicalGrouping
from likeness.research.geometry.segmentation import GraphSegmentation

ColorSpace: TypeAlias = Literal["rgb", "lab", "hsv"]
"""In which axes colors are compared, each of them from 0 to 255."""

__all__ = ["ColorSpace", "ProposalSearch", "SelectiveSearch"]

_TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
_WHITE = (0.95047, 1.0, 1.08883)
"""sRGB's primaries, and the white D65."""


@runtime_checkable
class ProposalSearch(Protocol):
    """Finds boxes in an image that may be objects, on the host: :class:`SelectiveSearch`, or a class of your own."""

    @property
    def limit(self) -> int:
        """The most of an image."""
        ...

    def __call__(self, image: UInt8[np.ndarray, "h w c"]) -> Float32[np.ndarray, "n 4"]:
        """The boxes, ``xyxy`` in pixels of the image, best first. The same image has the same boxes."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class SelectiveSearch:
    """Segments an image, joins the regions two by two, and proposes the box of every region that there ever was.

    This is done in each color space with each scale of the segmentation, for none is right for all images. Of each hierarchy
    the last region, which is the whole image, comes first, and then those that were joined later before those that were joined
    earlier; of several hierarchies all first regions come first. A box that was proposed before is left out. (The paper
    multiplies these ranks by random numbers.)

    The image is shrunk first, so that the longer side has ``longest`` pixels at most: what is smaller than a few pixels then
    is not found, and the time is bounded. All of it runs on the host, and the result depends on the image alone.

    Uijlings, van de Sande, Gevers and Smeulders, "Selective search for object recognition", IJCV 2013.

    Example:
        >>> image = np.full((40, 60, 3), 255, np.uint8)
        >>> image[10:30, 20:50] = (200, 0, 0)
        >>> SelectiveSearch(smoothing=0.0)(image).tolist()
        [[0.0, 0.0, 60.0, 40.0], [20.0, 10.0, 50.0, 30.0]]
    """

    longest: int = 160
    """Pixels of the longer side at which an image is looked at; a smaller one is looked at as it is."""
    colors: tuple[ColorSpace, ...] = ("lab", "hsv")
    """The color spaces."""
    scales: tuple[float, ...] = (50.0, 100.0)
    """k of :class:`GraphSegmentation`, larger ones for larger regions."""
    min_size: int = 20
    """Pixels of the smallest region, where it is looked at."""
    smoothing: float = 0.8
    """Before an image is segmented, in pixels."""
    grouping: HierarchicalGrouping = HierarchicalGrouping()
    """How regions are joined."""
    limit: int = 1000
    """The most boxes that are proposed."""

    def __post_init__(self) -> None:
        for name in ("longest", "min_size", "limit"):
            check_count("SelectiveSearch", name, getattr(self, name))
        check_finite_nonnegative("SelectiveSearch", "smoothing", self.smoothing)
        for each in self.colors:
            check_choice("SelectiveSearch", "colors", each, ColorSpace)
        for each in self.scales:
            check_finite_positive("SelectiveSearch", "scales", each)
        if not self.colors or not self.scales:
            raise ValueError("SelectiveSearch: colors and scales must each have at least one entry, such as 'lab' and 100.0.")

    def __call__(self, image: Shaped[np.ndarray, "..."]) -> Float32[np.ndarray, "n 4"]:
        """The proposals, ``xyxy`` in pixels of the image, best first and none twice; at most ``limit``.

        Args:
            image: (h, w, 3) RGB, or (h, w, 1) gray, uint8.

        Raises:
            ValueError: another shape or dtype, or no pixels.
        """
        check_array("SelectiveSearch", "image", image, ("h", "w", "c"), "integers", "Give one uint8 image.")
        if image.dtype != np.uint8 or image.shape[2] not in (1, 3) or 0 in image.shape:
            raise ValueError(
                f"SelectiveSearch: an image is uint8 RGB or gray with at least one pixel, and this one is {image.dtype} of "
                f"shape {image.shape}."
            )
        small = _shrunk(image, self.longest)
        found = [self._grouped(_as_colors(small, space), scale) for space in self.colors for scale in self.scales]
        boxes = np.concatenate([each.boxes[::-1] for each in found])
        ranks = np.concatenate([np.arange(len(each.boxes)) for each in found])
        boxes = boxes[np.argsort(ranks, kind="stable")]
        _, first = np.unique(boxes, axis=0, return_index=True)
        factor = np.divide(image.shape[1::-1], small.shape[1::-1])
        return (boxes[np.sort(first)[: self.limit]] * np.tile(factor, 2)).astype(np.float32)

    def _grouped(self, image: Float[np.ndarray, "h w c"], scale: float) -> Grouping:
        segmentation = GraphSegmentation(scale=scale, min_size=self.min_size, smoothing=self.smoothing)
        return self.grouping(image, segmentation(image))


def _shrunk(image: UInt8[np.ndarray, "h w c"], longest: int) -> UInt8[np.ndarray, "H W 3"]:
    """RGB of a bounded side; each pixel is the mean of those that it covers."""
    height, width = image.shape[:2]
    pixels = np.ascontiguousarray(np.broadcast_to(image, (height, width, 3)))
    factor = longest / max(height, width)
    if factor >= 1:
        return pixels
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def _as_colors(image: UInt8[np.ndarray, "h w 3"], space: ColorSpace) -> Float[np.ndarray, "h w 3"]:
    match space:
        case "rgb":
            return image.astype(np.float64)
        case "hsv":
            return np.asarray(Image.fromarray(image).convert("HSV")).astype(np.float64)
        case "lab":
            values = image / 255
            linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
            xyz = sum(linear[..., each, None] * np.divide(np.array(_TO_XYZ)[:, each], _WHITE) for each in range(3))
            x, y, z = np.moveaxis(np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116), -1, 0)
            # From 0…100 and about -128…127 to 0…255.
            return np.stack([(116 * y - 16) * 2.55, 500 * (x - y) + 128, 200 * (y - z) + 128], axis=-1)
