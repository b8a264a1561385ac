"""An image's pixels in regions that look alike, by a graph of neighbors: what region proposals begin with."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int, Shaped

from likeness.research.checks import check_array, check_count, check_finite_nonnegative, check_finite_positive

__all__ = ["GraphSegmentation"]

_CHUNKS = 24
"""Into so many parts the sorted edges are cut; before each, those that can join nothing any more are left out."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GraphSegmentation:
    """Joins neighboring pixels, the most similar first, as long as the step between two regions is small beside those within.

    Every pixel is linked to its eight neighbors by an edge, whose weight is the Euclidean distance of their colors. Edges are
    taken in rising order of weight. One of weight w between the regions A and B joins them if

        w ≤ min(Int(A) + k / |A|,  Int(B) + k / |B|),

    where Int is the greatest weight that has joined pixels of a region, and |A| its number of pixels. At last, a region of
    fewer pixels than ``min_size`` joins the neighbor from which the least weight parts it.

    Equal weights are taken in the order of the pixels: to the right, below, and along both diagonals. So the result is a
    function of the image alone.

    Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation", IJCV 2004.

    Example:
        >>> image = np.zeros((4, 6, 3), np.uint8)
        >>> image[:, 3:] = 200
        >>> GraphSegmentation(min_size=1, smoothing=0.0)(image)[0].tolist()
        [0, 0, 0, 1, 1, 1]
    """

    scale: float = 100.0
    """k, in the units of the values: larger ones make larger regions."""
    min_size: int = 20
    """The least pixels of a region, unless the image has fewer."""
    smoothing: float = 0.8
    """Standard deviation in pixels of the Gaussian that the image is smoothed by first; 0 leaves it as it is."""

    def __post_init__(self) -> None:
        check_finite_positive("GraphSegmentation", "scale", self.scale)
        check_count("GraphSegmentation", "min_size", self.min_size)
        check_finite_nonnegative("GraphSegmentation", "smoothing", self.smoothing)

    def __call__(self, image: Shaped[np.ndarray, "..."]) -> Int[np.ndarray, "h w"]:
        """The number of each pixel's region, from 0 on in the order of their first pixels.

        Args:
            image: (h, w, c), finite numbers, of any number of channels.

        Raises:
            ValueError: another shape, no pixel, or a number that is not finite.
        """
        check_array("GraphSegmentation", "image", image, ("h", "w", "c"), help="Give one image, channels last.")
        if 0 in image.shape:
            raise ValueError(f"GraphSegmentation: an image of shape {image.shape} has no pixels.")
        values = smoothed(np.asarray(image, np.float64), self.smoothing)
        if not np.isfinite(values).all():
            raise ValueError("GraphSegmentation: the image has numbers that are not finite. Give colors.")
        height, width = values.shape[:2]
        first, second, weights = _edges(values)
        order = np.argsort(weights, kind="stable")
        first, second, weights = first[order], second[order], weights[order]
        roots, sizes = _joined(first, second, weights, height * width, self.scale)
        roots = _without_small(first, second, roots, sizes, self.min_size)
        _, start, place = np.unique(roots, return_index=True, return_inverse=True)
        rank = np.empty(len(start), np.int32)
        rank[np.argsort(start, kind="stable")] = np.arange(len(start))
        return rank[place].reshape(height, width)


def smoothed(image: Float[np.ndarray, "h w c"], sigma: float) -> Float[np.ndarray, "h w c"]:
    """An image convolved with a Gaussian of this standard deviation, the pixels at the border repeated beyond it."""
    if not sigma:
        return image
    reach = int(np.ceil(4 * sigma))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    taps /= taps.sum()
    for axis in (0, 1):
        size = image.shape[axis]
        padded = np.pad(image, [(reach, reach) if each == axis else (0, 0) for each in range(3)], mode="edge")
        parts = (np.take(padded, np.arange(at, at + size), axis) * tap for at, tap in enumerate(taps.tolist()))
        image = np.add.reduce(list(parts))
    return image


def neighbors(height: int, width: int) -> tuple[Int[np.ndarray, "m"], Int[np.ndarray, "m"]]:
    """The pixels of each pair of neighbors, by their places in reading order; those at the same direction stand together."""
    places = np.arange(height * width, dtype=np.int32).reshape(height, width)
    pairs = (
        (places[:, :-1], places[:, 1:]),
        (places[:-1], places[1:]),
        (places[:-1, :-1], places[1:, 1:]),
        (places[:-1, 1:], places[1:, :-1]),
    )
    return np.concatenate([one.ravel() for one, _ in pairs]), np.concatenate([other.ravel() for _, other in pairs])


def _edges(
    values: Float[np.ndarray, "h w c"],
) -> tuple[Int[np.ndarray, "m"], Int[np.ndarray, "m"], Float[np.ndarray, "m"]]:
    height, width, channels = values.shape
    first, second = neighbors(height, width)
    flat = values.reshape(-1, channels)
    # Channel by channel, so that the sum has one order everywhere.
    squares = np.zeros(len(first))
    for channel in range(channels):
        squares += (flat[first, channel] - flat[second, channel]) ** 2
    return first, second, np.sqrt(squares)


def _joined(
    first: Int[np.ndarray, "m"], second: Int[np.ndarray, "m"], weights: Float[np.ndarray, "m"], count: int, scale: float
) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """The root of each pixel's region and, of roots, how many pixels it has."""
    # Lists are quicker than arrays where numbers are looked at one by one.
    parent, size, limit = list(range(count)), [1] * count, [scale] * count
    step = max(1, -(-len(weights) // _CHUNKS))
    for start in range(0, len(weights), step):
        own = slice(start, start + step)
        roots = _roots(np.array(parent, np.int32))
        # A region whose limit lies below the least weight that is still to come never grows again.
        closed = np.array(limit) < weights[start]
        one, other = roots[first[own]], roots[second[own]]
        open_ = (one != other) & ~closed[one] & ~closed[other]
        for a, b, weight in zip(one[open_].tolist(), other[open_].tolist(), weights[own][open_].tolist(), strict=True):
            while parent[a] != a:
                parent[a] = a = parent[parent[a]]
            while parent[b] != b:
                parent[b] = b = parent[parent[b]]
            if a != b and weight <= limit[a] and weight <= limit[b]:
                if size[a] < size[b]:
                    a, b = b, a
                parent[b] = a
                size[a] += size[b]
                limit[a] = weight + scale / size[a]
    return _roots(np.array(parent, np.int32)), np.array(size)


def _without_small(
    first: Int[np.ndarray, "m"],
    second: Int[np.ndarray, "m"],
    roots: Int[np.ndarray, "n"],
    sizes: Int[np.ndarray, "n"],
    least: int,
) -> Int[np.ndarray, "n"]:
    one, other = roots[first], roots[second]
    # What is large enough only grows.
    near = (one != other) & ((sizes[one] < least) | (sizes[other] < least))
    parent, size = list(range(len(roots))), sizes.tolist()
    for a, b in zip(one[near].tolist(), other[near].tolist(), strict=True):
        while parent[a] != a:
            parent[a] = a = parent[parent[a]]
        while parent[b] != b:
            parent[b] = b = parent[parent[b]]
        if a != b and (size[a] < least or size[b] < least):
            if size[a] < size[b]:
                a, b = b, a
            parent[b] = a
            size[a] += size[b]
    return _roots(np.array(parent, np.int32))[roots]


def _roots(parent: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    """What each one leads to in the end."""
    while True:
        further = parent[parent]
        if (further == parent).all():
            return parent
        parent = further
