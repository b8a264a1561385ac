"""How near an image is to another: to a content in its structure, to a style in its colors and textures; and how sharp it is.

Images are RGB (h, w, 3) or gray (h, w), values in [0, 1]; everything is float64 inside. Where an image's structure is
compared, RGB becomes luminance ``Y = 0.299 R + 0.587 G + 0.114 B``.
"""

import math

import numpy as np
from scipy import ndimage

from likeness.research.checks import UncheckedNumbers, check_array
from likeness.research.types import AnyArray, Float

_LUMA = np.array([0.299, 0.587, 0.114])
_WINDOW = 11


def psnr(first: UncheckedNumbers, second: UncheckedNumbers) -> float:
    """Peak signal-to-noise ratio ``-10 log₁₀ mean (x - y)²`` in dB, for a peak of 1; infinite for equal images.

    Raises:
        ValueError: the images differ in size.
    """
    x, y = _pair(first, second)
    error = float(np.mean((x - y) ** 2))
    return math.inf if error == 0.0 else -10.0 * math.log10(error)


def sharpness(image: UncheckedNumbers) -> float:
    """The variance of the Laplacian ``y₋ + y₊ + x₋ + x₊ - 4 v`` of the luminance, over the pixels away from the edge.

    Blurred images have little of it, and noisy ones much. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy:
    a comparative study", ICPR 2000.

    Args:
        image: gray (h, w), or RGB (h, w, 3).

    Raises:
        ValueError: it is something else, or has a side below 3.
    """
    values = np.asarray(image, np.float64)
    if values.ndim not in (2, 3) or values.shape[2:] not in ((), (3,)) or min(values.shape[:2]) < 3:
        raise ValueError(f"sharpness: give an image (h, w) or (h, w, 3) with sides of 3 or more, not of shape {values.shape}.")
    plane = _luminance(values)
    inside = plane[1:-1, 1:-1]
    return float((plane[:-2, 1:-1] + plane[2:, 1:-1] + plane[1:-1, :-2] + plane[1:-1, 2:] - 4 * inside).var())


def ssim(first: UncheckedNumbers, second: UncheckedNumbers) -> float:
    """Structural similarity of the luminance, mean over the image; 1 for equal images.

    ``(2 μ_x μ_y + C₁)(2 σ_xy + C₂) / ((μ_x² + μ_y² + C₁)(σ_x² + σ_y² + C₂))`` in windows of 11 x 11 pixels weighted by a
    Gaussian of σ = 1.5, ``C₁ = 0.01²`` and ``C₂ = 0.03²``, over the windows that lie within the image.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity", 2004.

    Raises:
        ValueError: the images differ in size, or have a side below 11.
    """
    x, y = (_luminance(image) for image in _pair(first, second))
    if min(x.shape) < _WINDOW:
        raise ValueError(f"ssim looks through windows of {_WINDOW} pixels; the image is {x.shape[1]} x {x.shape[0]}.")
    taps = np.exp(-0.5 * (np.arange(_WINDOW) - _WINDOW // 2) ** 2 / 1.5**2)
    taps /= taps.sum()

    def windowed(plane: np.ndarray) -> np.ndarray:
        half = _WINDOW // 2
        blurred = ndimage.correlate1d(ndimage.correlate1d(plane, taps, 0), taps, 1)
        return blurred[half:-half, half:-half]

    mean_x, mean_y = windowed(x), windowed(y)
    var_x, var_y = windowed(x * x) - mean_x**2, windowed(y * y) - mean_y**2
    covariance = windowed(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    numerator = (2.0 * mean_x * mean_y + c1) * (2.0 * covariance + c2)
    return float(np.mean(numerator / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))))


def edge_correlation(first: UncheckedNumbers, second: UncheckedNumbers) -> float:
    """Pearson's correlation of the two images' edges, the magnitudes of Sobel's gradient of the luminance.

    From -1 to 1; 1 for edges at the same places and in the same proportions, whatever the contrast and its sign. An image
    without edges correlates with nothing: 0. The outermost pixels do not count.

    Raises:
        ValueError: the images differ in size, or have a side below 4.
    """
    x, y = (_luminance(image) for image in _pair(first, second))
    if min(x.shape) < 4:
        raise ValueError(f"edge_correlation needs 4 pixels on a side; the image is {x.shape[1]} x {x.shape[0]}.")
    edges = [np.hypot(ndimage.sobel(plane, 0), ndimage.sobel(plane, 1))[1:-1, 1:-1] for plane in (x, y)]
    a, b = (plane - plane.mean() for plane in edges)
    # Rounding leaves edges of 1e-16 in a flat image.
    if min(np.abs(a).max(), np.abs(b).max()) < 1e-12:
        return 0.0
    return float(np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b)))


def sliced_wasserstein(
    first: Float[AnyArray, "n d"], second: Float[AnyArray, "m d"], directions: Float[AnyArray, "k d"]
) -> float:
    """Sliced Wasserstein-2 distance of two clouds of points: ``(mean over θ of W₂²(θ·X, θ·Y))^½``.

    On a line optimal transport keeps the order: ``W₂² = ∫₀¹ (F⁻¹(t) - G⁻¹(t))² dt``, exact for any two numbers of points.
    Moving one cloud by ``s`` along every axis, with directions in all ways alike, costs ``s``.

    Bonneel, Rabin, Peyré and Pfister, "Sliced and Radon Wasserstein barycenters of measures", 2015.

    Args:
        first: one row a point.
        second: as many columns; as many rows or not.
        directions: unit vectors θ, one a row.
    """
    # One direction a row: sorting is fastest along memory.
    x, y = (np.sort(np.asarray(directions, np.float64) @ np.asarray(points, np.float64).T) for points in (first, second))
    n, m = x.shape[1], y.shape[1]
    if n == m:
        return math.sqrt(float(np.mean((x - y) ** 2)))
    # Both quantile functions are steps; between two neighbors of all their jumps both are constant. In units of 1 / (n m).
    jumps = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    share = np.diff(jumps, prepend=0) / (n * m)
    at_x, at_y = (jumps - 1) // m, (jumps - 1) // n
    return math.sqrt(float(np.mean([(line_x[at_x] - line_y[at_y]) ** 2 @ share for line_x, line_y in zip(x, y, strict=True)])))


def color_distance(first: UncheckedNumbers, second: UncheckedNumbers) -> float:
    """Sliced Wasserstein-2 distance of the two images' colors, wherever they stand; sizes may differ.

    In units of the values: a shift of red, green and blue by 0.1 costs 0.1. The directions are the axes of 16 fixed rotations.
    """
    # Three axes at right angles see a shift in full, whichever way it goes.
    first, second = (_checked("color_distance", image, colors=True) for image in (first, second))
    directions = np.linalg.qr(np.random.default_rng(0).standard_normal((16, 3, 3)))[0].reshape(-1, 3)
    return sliced_wasserstein(np.reshape(first, (-1, 3)), np.reshape(second, (-1, 3)), directions)


def patch_distance(
    first: UncheckedNumbers,
    second: UncheckedNumbers,
    *,
    side: int = 7,
    scales: int = 3,
    projections: int = 128,
    patches: int = 16384,
    seed: int = 0,
) -> float:
    """Sliced Wasserstein-2 distance of the two images' patches, mean over scales: how unlike their textures are.

    Patches of ``side`` x ``side`` pixels, all of them or ``patches`` drawn at random, of the images and of their halves,
    quarters and so on (means of 2 x 2 pixels, an odd row or column dropped). Sizes may differ, but a texture twice as coarse
    is another texture. In units of the values. The directions and the draw depend on ``seed`` only, so numbers of one seed
    compare.

    Elnekave and Weiss, "Generating natural images with direct patch distributions matching", 2022, on this distance.

    Args:
        first: an image.
        second: another.
        side: of a patch, in pixels.
        scales: how many, each half the one before.
        projections: random directions a scale.
        patches: at most so many an image and scale.
        seed: of the directions and of the draw.

    Raises:
        ValueError: an image is smaller than a patch at the coarsest scale.
    """
    needed = side * 2 ** (scales - 1)
    images = [_checked("patch_distance", image, colors=True) for image in (first, second)]
    if min(min(image.shape[:2]) for image in images) < needed:
        sizes = " and ".join(f"{image.shape[1]} x {image.shape[0]}" for image in images)
        raise ValueError(
            f"patch_distance with patches of {side} at {scales} scales needs {needed} pixels on a side; the images are "
            f"{sizes}. Give fewer scales."
        )
    rng = np.random.default_rng(seed)
    total = 0.0
    for _ in range(scales):
        directions = rng.standard_normal((projections, side * side * 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        draw = int(rng.integers(2**32))
        total += sliced_wasserstein(*(_patches(image, side, patches, draw) for image in images), directions)
        images = [_halved(image) for image in images]
    return total / scales


def _patches(image: np.ndarray, side: int, most: int, seed: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(image, (side, side), (0, 1))
    rows, columns = windows.shape[:2]
    chosen = np.arange(rows * columns)
    if len(chosen) > most:
        chosen = np.random.default_rng(seed).choice(len(chosen), most, replace=False)
    return windows[chosen // columns, chosen % columns].reshape(len(chosen), -1)


def _halved(image: np.ndarray) -> np.ndarray:
    height, width = (side // 2 for side in image.shape[:2])
    return image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1).mean((1, 3))


def _pair(first: AnyArray, second: AnyArray) -> tuple[np.ndarray, np.ndarray]:
    if first.shape != second.shape:
        raise ValueError(f"The images are {first.shape} and {second.shape}: bring them to one size to compare them.")
    return _checked("Images that are compared", first), _checked("Images that are compared", second)


def _checked(owner: str, image: AnyArray, *, colors: bool = False) -> np.ndarray:
    """The image in float64. Values of 0 to 255 would give a number of another scale, and a fourth channel another color."""
    given = np.asanyarray(image)
    shape = ("h", "w", 3) if colors or given.ndim == 3 else ("h", "w")
    check_array(owner, "the images' values", given, shape, "floats", "Divide whole numbers of 8 bits by 255.")
    return np.asarray(given, np.float64)


def _luminance(image: np.ndarray) -> np.ndarray:
    return image @ _LUMA if image.ndim == 3 else image
