"""Draw procedural faces: NumPy in float32, a few hundred passes over small planes, no random state.

Every pixel is traced back to the head it shows (:mod:`.geometry`), so features foreshorten and slide as on a real head;
normals come from the ellipsoid and from hills for nose, sockets, cheeks and lips, so light acts in three dimensions.
Images are drawn a few at a time, enough to hide what a call of NumPy costs, few enough for the processor's cache.
"""

import numpy as np

from likeness.research.synthetic.faces import features, hair, scenery
from likeness.research.synthetic.faces.canvas import Canvas, subset, take, window
from likeness.research.synthetic.faces.scene import Scene, scene
from likeness.research.types import Float, UInt8

VERSION = 1
"""Raised whenever the same vectors give different pixels; part of the data's fingerprint."""

_PIXELS = 1 << 17
"""In a plane of the images drawn together."""

_LARGE = 24 << 20
"""Bytes; glibc learns from blocks of up to 32 MiB."""


def render(
    identity: Float[np.ndarray, "b i"],
    nuisance: Float[np.ndarray, "b n"],
    size: int,
    channels: int = 3,
    behind: UInt8[np.ndarray, "b size size channels"] | None = None,
) -> UInt8[np.ndarray, "b size size channels"]:
    """Draw faces; a pure function of each row alone: the same row gives the same bytes in whatever batch it stands.

    Args:
        identity: (b, I) in [0, 1], see :class:`~likeness.research.synthetic.faces.FaceIdentity`.
        nuisance: (b, N), see :class:`~likeness.research.synthetic.faces.Nuisance`.
        size: pixels on a side.
        channels: 3 for RGB, 1 for gray.
        behind: what is seen behind each person, instead of the backdrop that the nuisance describes. Where nobody stands, and
            without grain, it stays as it is.

    Returns:
        uint8 images (b, size, size, channels).

    Example:
        >>> from likeness.research.synthetic.faces import FaceIdentity, Nuisance
        >>> average = np.full((1, len(FaceIdentity._fields)), 0.5, np.float32)
        >>> render(average, Nuisance(yaw=20.0, smile=1.0).vector(), 32).shape
        (1, 32, 32, 3)
    """
    images = np.empty((len(identity), size, size, channels), np.uint8)
    portraits = scene(identity, nuisance, size, channels)
    # glibc returns freed memory to the system at once, and page by page it is expensive to get back, until the program
    # has freed something large: then it keeps what is smaller.
    large = np.empty(_LARGE, np.uint8)
    del large
    step = max(1, _PIXELS // size**2)
    for start in range(0, len(identity), step):
        rows = slice(start, start + step)
        _draw(take(portraits, rows), images[rows], None if behind is None else behind[rows])
    return images


def _draw(
    portraits: Scene,
    images: UInt8[np.ndarray, "b size size channels"],
    behind: UInt8[np.ndarray, "b size size channels"] | None,
) -> None:
    count, size, _, channels = images.shape
    planes = np.empty((channels, count, size, size), np.float32)
    if behind is None:
        scenery.backdrop(portraits, planes)
    else:
        planes[...] = _linear(behind).transpose(3, 0, 1, 2)
    easel = Canvas.open(portraits, planes)
    long = portraits.cut.length > 0.0
    rows, _ = window(portraits, size, (-1.0, 1.0), (0.45, 9.0))
    scenery.clothes(easel.band(rows))
    subset(hair.behind, easel, long)
    scenery.neck(easel.band(rows))

    half = np.maximum(portraits.skull.half_x + 0.30, portraits.shell.half_x + 0.20)
    where = window(portraits, size, (-half, half), (-1.7, 1.2))
    head = easel.cut(where)
    sides, both, near, color = features.ears(head)
    sides.paint(both, color)
    band, _ = window(portraits, size, (-half, half), (-1.1, 1.2))
    features.face(head.band(slice(band.start - where[0].start, band.stop - where[0].start)))
    # A turned head shows the near ear in front of its outline.
    sides.paint(near, color)
    hair.shell(head)
    subset(scenery.glasses, head, portraits.image.glasses > 0.0)
    planes[..., where[0], where[1]] = head.planes
    subset(scenery.foreground, easel, portraits.image.occlusion > 0.0)
    _develop(portraits, planes, images)


def _develop(portraits: Scene, planes: np.ndarray, images: UInt8[np.ndarray, "b size size channels"]) -> None:
    np.abs(planes, out=planes)
    # A soft shoulder keeps strong light from clipping to flat white: 1.3 sqrt(p) / (1 + 0.32 p).
    shoulder = planes * (0.32 / (1.30 * 255.0))
    shoulder += 1.0 / (1.30 * 255.0)
    np.sqrt(planes, out=planes)
    planes /= shoulder
    image = portraits.image
    for i, (key, strength) in enumerate(zip(np.ravel(image.grain_key).tolist(), np.ravel(image.grain), strict=True)):
        if strength > 0.0:
            planes[:, i] += scenery.grain(int(key), planes[:, i].shape) * strength
    planes.clip(0.0, 255.0, out=planes)
    images[...] = planes.astype(np.uint8).transpose(1, 2, 3, 0)


def _linear(images: UInt8[np.ndarray, "b h w c"]) -> Float[np.ndarray, "b h w c"]:
    """The linear light that is developed to these pixels: with ``s = √p`` the solution of ``v = 1.3 s / (1 + 0.32 s²)``."""
    # The middle of what is rounded down to each value.
    value = (np.arange(256, dtype=np.float64) + 0.5) / 255.0
    root = 2.0 * value / (1.3 + np.sqrt(1.3**2 - 1.28 * value**2))
    return (root * root).astype(np.float32)[images]
