"""What the parts of a drawing paint on: a window of the image with its pixels in the frames of body and head.

Planes are float32 (b, h, w) or, for color, (channels, b, h, w), in linear light. Edges are soft by one pixel, which is
all the antialiasing there is.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from likeness.research.synthetic.faces.geometry import Ellipsoid, Number, narrowing
from likeness.research.synthetic.faces.scene import Scene, Vector

Plane = np.ndarray
"""(b, h, w) float32."""

Planes = np.ndarray
"""(channels, b, h, w) float32."""

Window = tuple[slice, slice]
"""Rows and columns of an image."""


class Canvas(NamedTuple):
    """The same window of some portraits; lengths are half head heights from the head's center."""

    scene: Scene
    planes: Planes  # what is painted
    body_x: Plane  # upright, (b, 1, w)
    body_y: Plane  # upright, (b, h, 1)
    roll_x: Plane  # rolled with the head
    x: Plane  # rolled, and undone by what the jaw narrowed
    y: Plane

    @classmethod
    def open(cls, scene: Scene, planes: Planes) -> "Canvas":
        """Trace the pixels of images back to the frames of body and head."""
        camera = scene.camera
        ticks = np.arange(planes.shape[-1], dtype=np.float32)
        body_x = (ticks + (0.5 - camera.center_x)) * (1.0 / camera.unit)
        body_y = (ticks[:, None] + (0.5 - camera.center_y)) * (1.0 / camera.unit)
        roll_x = camera.cos_roll * body_x + camera.sin_roll * body_y
        y = camera.cos_roll * body_y - camera.sin_roll * body_x
        factor, shift = narrowing(scene.shape, camera, y)
        x = roll_x - shift
        x /= factor.clip(0.35, 2.0, out=factor)
        return cls(scene, planes, body_x, body_y, roll_x, x, y)

    def cut(self, window: Window) -> "Canvas":
        """A copy of a window: NumPy is several times faster on contiguous planes."""
        rows, columns = window
        planes, roll_x, x, y = (
            np.ascontiguousarray(plane[..., rows, columns]) for plane in (self.planes, self.roll_x, self.x, self.y)
        )
        return Canvas(self.scene, planes, self.body_x[..., columns], self.body_y[:, rows], roll_x, x, y)

    def band(self, rows: slice) -> "Canvas":
        """Some rows, which paint through to this canvas."""
        planes, roll_x, x, y = (plane[..., rows, :] for plane in (self.planes, self.roll_x, self.x, self.y))
        return Canvas(self.scene, planes, self.body_x, self.body_y[:, rows], roll_x, x, y)

    def cover(self, distance: Plane) -> Plane:
        """How much of a pixel lies inside an edge at ``distance`` (positive inside)."""
        out = distance * self.scene.camera.unit
        out += 0.5
        return out.clip(0.0, 1.0, out=out)

    def line(self, distance: Plane, half_width: Number, end: Plane) -> Plane:
        """Coverage by a stroke that ends where ``end`` < 0; one thinner than a pixel fades instead of breaking up."""
        out = np.abs(distance)
        np.subtract(half_width, out, out=out)
        out = self.cover(np.minimum(out, end, out=out))
        out *= np.minimum(half_width * (2.0 * self.scene.camera.unit), np.float32(1.0))
        return out

    def paint(self, mask: Plane, color: Planes) -> None:
        """Paint over what is there, where ``mask`` says."""
        over(self.planes, mask, color)

    def illuminate(self, nx: Plane, ny: Number, nz: Plane, light: Vector) -> Plane:
        """The lamp's light on a surface of unit normal n, reaching a little around the edge of the shadow."""
        cosine = nz * light.z
        cosine += nx * light.x
        cosine += ny * light.y
        cosine += 0.15
        cosine.clip(0.0, 1.15, out=cosine)
        cosine *= 0.80 * self.scene.image.light_intensity
        return cosine

    def lit(self, color: Planes, lamp: Plane, ambient: float = 1.0) -> Planes:
        """Color under the lamp's light and the ambient one."""
        light = self.scene.paints.lamp * lamp
        light += self.scene.image.light_ambient * ambient
        light *= color
        return light


def subset(paint: Callable[[Canvas], None], easel: Canvas, wanted: Any) -> None:
    """Paint a part on those portraits that have it, and spare the others its cost."""
    rows = np.flatnonzero(wanted)
    if len(rows) == wanted.size:
        paint(easel)
    elif len(rows):
        part = take(easel, rows)
        paint(part)
        easel.planes[:, rows] = part.planes


def take(tree: Any, rows: np.ndarray | slice) -> Any:
    """Some of the portraits of a scene or canvas."""
    if isinstance(tree, np.ndarray):
        return tree[rows] if tree.ndim == 3 else tree[:, rows]
    return type(tree)(*(take(leaf, rows) for leaf in tree))


def window(scene: Scene, size: int, x: tuple[Number, Number], y: tuple[float, float]) -> Window:
    """The pixels of a box that is given in the rolled frame of every head."""
    camera = scene.camera
    across, down = (
        np.stack(
            [(cos * u + sin * v) * camera.unit + center for u in x for v in y],
        )
        for cos, sin, center in (
            (camera.cos_roll, -camera.sin_roll, camera.center_x),
            (camera.sin_roll, camera.cos_roll, camera.center_y),
        )
    )
    rows, columns = (
        slice(max(0, min(size - 1, int(side.min()))), max(1, min(size, int(side.max()) + 1))) for side in (down, across)
    )
    return rows, columns


def extent(where: np.ndarray) -> slice:
    """The rows from the first to the last that hold a true pixel in any image."""
    rows = np.flatnonzero(np.logical_or.reduce(where, axis=0)) // where.shape[2]
    return slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, 0)


def hit(rim: Ellipsoid, x: Plane, y: Plane) -> tuple[Plane, Plane]:
    """Where the ray through (x, y) meets an ellipsoid: 1 - (distance from its outline's center in radii)^2, and z."""
    u = x * (1.0 / rim.half_x)
    v = u * (-rim.slant)
    v += y
    v *= 1.0 / rim.half_y
    v *= v
    u *= u
    u += v
    inside = np.subtract(1.0, u, out=u)
    z = np.sqrt(inside.clip(0.0, 1.0))
    z *= rim.half_z
    z += rim.tilt_x * x
    z += rim.tilt_y * y
    return inside, z


def bump(X: Plane, Y: Plane, x0: Number, y0: Number, rx: Number, ry: Number) -> Plane:
    """max(0, 1 - ((X - x0) / rx)^2 - ((Y - y0) / ry)^2); its square is a smooth hill."""
    u = X - x0
    u *= 1.0 / rx
    u *= u
    v = Y - y0
    v *= 1.0 / ry
    v *= v
    out = u + v
    np.subtract(1.0, out, out=out)
    return out.clip(0.0, 1.0, out=out)


def normalize(nx: Plane, ny: Plane, nz: Plane) -> None:
    """Make normals unit vectors, in place."""
    length = nx * nx
    length += ny * ny
    length += nz * nz
    length += 1e-6
    np.sqrt(length, out=length)
    np.divide(1.0, length, out=length)
    nx *= length
    ny *= length
    nz *= length


def over(planes: Planes, mask: Plane, color: Planes) -> None:
    """Paint ``color`` over ``planes`` where ``mask`` says, in place."""
    change = color - planes
    change *= mask
    planes += change
