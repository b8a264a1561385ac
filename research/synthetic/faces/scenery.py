"""Everything in the image but the head: backdrop, clothes, neck, glasses, something in the foreground, noise."""

import functools
import math

import numpy as np

from likeness.research.synthetic.faces.canvas import Canvas, Plane, Planes, bump
from likeness.research.synthetic.faces.scene import Scene


def backdrop(scene: Scene, planes: Planes) -> None:
    """A soft glow with a blurred light far behind."""
    image, paints = scene.image, scene.paints
    across, down = _ticks(planes)
    glow = (across - image.backdrop_x) ** 2 + (down - image.backdrop_y) ** 2
    glow *= 2.6
    glow += 1.0
    np.divide(1.0, glow, out=glow)
    spot_x, spot_y = (image.backdrop_x + 0.53) % 1.0, (1.3 * image.backdrop_y + 0.31) % 0.8
    disk = bump(across, down, spot_x, spot_y, 0.17, 0.17)
    disk *= 0.5
    glow += disk.clip(0.0, 0.12, out=disk)
    np.multiply(glow, paints.backdrop - paints.backdrop_far, out=planes)
    planes += paints.backdrop_far


def clothes(easel: Canvas) -> None:
    """Shoulders that turn away from the viewer towards their outline."""
    scene = easel.scene
    depth = easel.body_y - (1.17 + 0.30 * easel.body_x * easel.body_x)
    nx = easel.body_x * 0.5
    lamp = easel.illuminate(nx, -0.55, np.sqrt((0.7 - nx * nx).clip(0.05, 1.0)), scene.light)
    easel.paint(easel.cover(depth), easel.lit(scene.paints.cloth, lamp))


def neck(easel: Canvas) -> None:
    """The neck leans with the head; the chin keeps the light from it."""
    scene = easel.scene
    camera = scene.camera
    width = scene.shape.width * (0.52 + 0.16 * scene.person.neck_width)
    lean = (1.45 - easel.body_y).clip(0.0, 1.0)
    x = easel.body_x + lean * (0.9 * camera.sin_roll - 0.10 * camera.sin_yaw)
    flare = (easel.body_y - 0.95).clip(0.0, 9.0)
    u = x / (width + 1.3 * flare * flare)
    square = u * u
    edge = np.abs(u)
    edge *= -width
    edge += width
    np.minimum(edge, (1.36 - easel.body_y) - 0.22 * square, out=edge)
    edge = easel.cover(np.minimum(edge, easel.y - 0.5, out=edge))
    nz = np.sqrt((1.0 - 0.8 * square).clip(0.05, 1.0))
    lamp = easel.illuminate(0.9 * u, 0.12, nz, scene.light)
    shade = (easel.body_y - 0.92) * 1.6
    lamp *= 0.15 + 0.85 * shade.clip(0.0, 1.0)
    easel.paint(edge, easel.lit(scene.paints.skin, lamp, 0.65))


def glasses(easel: Canvas) -> None:
    """Two rims and a bridge, flat in a plane in front of the eyes, and the temples that reach back to the ears."""
    scene = easel.scene
    shape, camera, image, paints = scene.shape, scene.camera, scene.image, scene.paints
    # Solve for the point of the pixel's ray in the plane Z = front.
    front = shape.depth * np.sqrt(1.0 - shape.eye_y**2) - 0.02
    z = easel.x * (-camera.sin_yaw)
    z += front
    z -= (camera.cos_yaw * camera.sin_pitch) * easel.y
    z *= 1.0 / (camera.cos_yaw * camera.cos_pitch)
    X, Y, _ = camera.unproject(easel.x, easel.y, z)
    side = np.abs(X)
    square = image.glasses_shape
    radius = 0.215 + 0.03 * square
    middle = 0.75 * shape.eye_x + 0.095
    level = shape.eye_y + 0.035
    u = (side - middle) * (1.0 / radius)
    v = (Y - level) * (1.0 / (radius * (0.92 - 0.20 * square)))
    # From an ellipse (0) towards a rounded box (1), by raising the norm from 2 to 4.
    u2, v2 = u * u, v * v
    norm = (1.0 - square) * (u2 + v2) + square * np.sqrt(u2 * u2 + v2 * v2)
    distance = (1.0 - np.sqrt(norm)) * radius
    thick = 0.011 + 0.020 * square
    rim = easel.line(distance, thick, np.ones_like(distance))
    bridge = easel.line(Y - level + 0.06 + 0.4 * side, thick, middle - 0.93 * radius - side)
    np.maximum(rim, bridge, out=rim)
    for hand in (-1.0, 1.0):
        seen = (0.9 - 7.0 * hand * camera.sin_yaw).clip(0.0, 1.0)
        hinge = camera.project(hand * (middle + radius), level - 0.05, front)
        ear = camera.project(hand * shape.width * 0.99, level + 0.02, -0.02 + 0.0 * level)
        np.maximum(rim, easel.line(_segment(easel, hinge, ear), thick, np.ones_like(rim)) * seen, out=rim)
    rim *= image.glasses
    lens = easel.cover(distance)
    easel.paint(lens * (image.glasses * (0.06 + 0.84 * image.glasses_tint)), paints.lens)
    glare = bump(u, v, -0.35, -0.45, 0.5, 0.3)
    glare *= lens
    easel.paint(glare * (0.2 * image.glasses), np.ones_like(paints.lens))
    easel.paint(rim, paints.frame)


def _segment(easel: Canvas, start: tuple[Plane, ...], stop: tuple[Plane, ...]) -> Plane:
    """Distance from the segment between two points of the camera frame."""
    run_x, run_y = stop[0] - start[0], stop[1] - start[1]
    along_x, along_y = easel.x - start[0], easel.y - start[1]
    part = (along_x * run_x + along_y * run_y) * (1.0 / (run_x * run_x + run_y * run_y + 1e-6))
    part.clip(0.0, 1.0, out=part)
    along_x -= part * run_x
    along_y -= part * run_y
    return np.sqrt(along_x * along_x + along_y * along_y)


def foreground(easel: Canvas) -> None:
    """Something out of focus between the viewer and the face, coming in from one side."""
    image = easel.scene.image
    across, down = (ticks - 0.5 for ticks in _ticks(easel.planes))
    turn = image.occlusion_angle * (2.0 * np.pi)
    cos, sin = np.cos(turn), np.sin(turn)
    along = cos * across + sin * down
    beside = cos * down - sin * across
    mask = along - (0.5 - image.occlusion_depth) - 1.4 * beside * beside
    mask *= 9.0
    mask += 0.5
    mask.clip(0.0, 1.0, out=mask)
    mask *= mask * (3.0 - 2.0 * mask)
    mask *= image.occlusion
    easel.paint(mask, easel.scene.paints.foreground * (0.8 - 0.8 * beside))


def _ticks(planes: Planes) -> tuple[Plane, Plane]:
    size = planes.shape[-1]
    ticks = (np.arange(size, dtype=np.float32) + 0.5) * (1.0 / size)
    return ticks[None, None], ticks[None, :, None]


def grain(key: int, shape: tuple[int, ...]) -> np.ndarray:
    """Nearly normal noise of unit variance: a stretch of a long fixed sequence that starts at ``key``."""
    count, sequence = math.prod(shape), _sequence()
    if count > len(sequence):
        return np.resize(np.roll(sequence, -key), shape)
    start = key % (len(sequence) - count + 1)
    return sequence[start : start + count].reshape(shape)


@functools.cache
def _sequence() -> np.ndarray:
    """2**18 sums of four bytes of hashed counters, standardized."""
    word = np.arange(1, 2**18 + 1, dtype=np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        word ^= word >> np.uint32(shift)
        word *= np.uint32(factor)
    word ^= word >> np.uint32(16)
    total = word.view(np.uint8).reshape(-1, 4).sum(axis=1, dtype=np.float32)
    total -= 510.0
    total *= 1.0 / 147.8
    total.flags.writeable = False
    return total
