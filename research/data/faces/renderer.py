"""Draw procedural faces: NumPy in float32, a few hundred passes over small planes, no random state.

Every pixel is traced back to the head it shows (:mod:`.geometry`), so features foreshorten and slide as on a real head;
normals come from the ellipsoid and from hills for nose, sockets, cheeks and lips, so light acts in three dimensions.
Pictures are drawn one by one: their planes stay in the processor's cache, and a feature costs only its own window.
"""

import numpy as np

from research.data.faces import features, hair, scenery
from research.data.faces.canvas import Canvas, window
from research.data.faces.scene import Scene, scenes
from research.types import Float, UInt8

VERSION = 1
"""Raised whenever the same vectors give different pixels; part of the data's fingerprint."""


def render(
    identity: Float[np.ndarray, "b i"], nuisance: Float[np.ndarray, "b n"], size: int, channels: int = 3
) -> UInt8[np.ndarray, "b size size channels"]:
    """Draw faces; a pure function of each row alone: the same row gives the same bytes in whatever batch it stands.

    Args:
        identity: (b, I) in [0, 1], see :class:`~research.data.faces.Identity`.
        nuisance: (b, N), see :class:`~research.data.faces.Nuisance`.
        size: pixels on a side.
        channels: 3 for RGB, 1 for gray.

    Returns:
        uint8 pictures (b, size, size, channels).

    Example:
        >>> from research.data.faces import Identity, Nuisance
        >>> average = np.full((1, len(Identity._fields)), 0.5, np.float32)
        >>> render(average, Nuisance(yaw=20.0, smile=1.0).vector(), 32).shape
        (1, 32, 32, 3)
    """
    images = np.empty((len(identity), size, size, channels), np.uint8)
    for image, scene in zip(images, scenes(identity, nuisance, size, channels), strict=True):
        image[...] = _draw(scene, size, channels)
    return images


def _draw(scene: Scene, size: int, channels: int) -> UInt8[np.ndarray, "size size channels"]:
    planes = np.empty((channels, size, size), np.float32)
    scenery.backdrop(scene, size, planes)
    easel = Canvas.open(scene, planes)
    rows = slice(max(0, min(size - 1, int(scene.camera.center_y + 0.55 * scene.camera.unit))), size)
    body = easel.cut((rows, slice(0, size)))
    scenery.clothes(body)
    if scene.cut.length:
        planes[:, rows] = body.planes
        hair.behind(easel)
        body.planes[...] = planes[:, rows]
    scenery.neck(body)
    planes[:, rows] = body.planes

    half = max(scene.skull.half_x + 0.26, scene.shell.half_x + 0.15)
    where = window(scene, size, (-half, half), (-1.6, 1.15))
    head = easel.cut(where)
    # Long hair hides the ears.
    ears = not scene.cut.length
    far, near = (-1.0, 1.0) if scene.camera.sin_yaw < 0.0 else (1.0, -1.0)
    turned = abs(scene.camera.sin_yaw) > 0.15
    if ears:
        features.ear(head, far)
    if ears and not turned:
        features.ear(head, near)
    rows, _ = window(scene, size, (-0.95, 0.95), (-1.02, 1.12))
    top = where[0].start
    features.face(head.band(slice(max(0, rows.start - top), rows.stop - top)))
    if ears and turned:
        features.ear(head, near)
    if scene.cut.present:
        hair.shell(head)
    if scene.picture.glasses > 0.0:
        scenery.glasses(head)
    planes[:, where[0], where[1]] = head.planes
    if scene.picture.occlusion > 0.0:
        scenery.foreground(scene, size, planes)
    return _develop(scene, planes)


def _develop(scene: Scene, planes: np.ndarray) -> UInt8[np.ndarray, "size size channels"]:
    np.abs(planes, out=planes)
    shoulder = planes * 0.32
    shoulder += 1.0
    np.sqrt(planes, out=planes)
    # A soft shoulder keeps strong light from clipping to flat white.
    planes /= shoulder
    planes *= 1.30 * 255.0
    if scene.picture.grain > 0.0:
        planes += scenery.grain(int(scene.picture.grain_key), planes.shape) * scene.picture.grain
    planes.clip(0.0, 255.0, out=planes)
    return planes.transpose(1, 2, 0).astype(np.uint8)
