"""The procedural face as numbers: what fixes a person, what varies from image to image, and where both put a feature.

The head is an ellipsoid of half axes (a, 1, c) in its own frame: X to the image's right, Y down, Z towards the viewer,
in units of half a head's height. An image shows it turned by ``R = Rx(pitch) Ry(yaw)``, seen in parallel projection,
narrowed towards the jaw, then rolled, scaled and shifted in the image plane. The renderer walks this path backwards
from every pixel; :func:`landmarks` walks it forwards from five points, so both agree exactly.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from likeness.research.types import Float

Column: TypeAlias = Any
"""One number per image, float32 (b, 1), so that it broadcasts over pixels (b, n). NumPy types its sums as array or float."""

Number: TypeAlias = np.ndarray | float

Vectors: TypeAlias = Float[np.ndarray, "b k"]

HEAD = 0.355
"""Half a head's height as a fraction of the image at scale 1."""


# The nose is two hills of height h (1 - u^2 - v^2)^2: their centers above the landmark, and their vertical radii.
NOSE_TIP, NOSE_TIP_RADIUS = 0.02, 0.17
NOSE_BRIDGE, NOSE_BRIDGE_RADIUS = 0.19, 0.34


class FaceIdentity(NamedTuple):
    """What fixes a person: every trait in [0, 1], in the order of the identity vector."""

    skin_tone: Column
    skin_warmth: Column
    blush: Column
    head_width: Column
    head_depth: Column
    jaw: Column
    chin: Column
    cheekbones: Column
    ear_size: Column
    neck_width: Column
    hair_tone: Column
    hair_redness: Column
    hair_style: Column
    hair_volume: Column
    hair_height: Column
    hair_length: Column
    hairline: Column
    hair_part: Column
    hair_wave: Column
    eye_spacing: Column
    eye_level: Column
    eye_size: Column
    eye_opening: Column
    eye_tilt: Column
    eye_color: Column
    brow_level: Column
    brow_length: Column
    brow_thickness: Column
    brow_arch: Column
    brow_slope: Column
    nose_length: Column
    nose_width: Column
    nose_height: Column
    nose_bridge: Column
    mouth_level: Column
    mouth_width: Column
    upper_lip: Column
    lower_lip: Column
    lip_color: Column
    beard: Column
    moustache: Column


class Nuisance(NamedTuple):
    """What varies between images of one person; the defaults are a frontal, evenly lit, neutral portrait.

    ``Nuisance(yaw=30.0).vector(4)`` is the (4, N) array that :func:`likeness.research.synthetic.faces.render` takes.
    """

    yaw: Column | float = 0.0  # degrees; > 0 turns the face to the image's right
    pitch: Column | float = 0.0  # degrees; > 0 looks down
    roll: Column | float = 0.0  # degrees; > 0 clockwise
    scale: Column | float = 1.0
    shift_x: Column | float = 0.0  # fractions of the image
    shift_y: Column | float = 0.0
    light_azimuth: Column | float = -25.0  # degrees; > 0 from the image's right
    light_elevation: Column | float = 35.0  # degrees; > 0 from above
    light_intensity: Column | float = 1.0
    light_ambient: Column | float = 0.35
    light_warmth: Column | float = 0.0  # -1 bluish, 1 orange
    smile: Column | float = 0.2  # -1 sad, 1 glad
    mouth_open: Column | float = 0.0  # 0 to 1
    brow_raise: Column | float = 0.0  # -1 to 1
    eyes_open: Column | float = 1.0  # 0 closed, 1 as the person is
    gaze_x: Column | float = 0.0  # -1 to 1
    gaze_y: Column | float = 0.0
    glasses: Column | float = 0.0  # 0 none, 1 worn
    glasses_shape: Column | float = 0.5  # 0 round and thin to 1 square and heavy
    glasses_tint: Column | float = 0.0  # 0 clear to 1 dark
    occlusion: Column | float = 0.0  # opacity of something blurred in the foreground
    occlusion_angle: Column | float = 0.0  # turns; the side from which it comes in
    occlusion_depth: Column | float = 0.0  # how far it comes in, fraction of the image
    backdrop_hue: Column | float = 0.55  # turns
    backdrop_value: Column | float = 0.6
    backdrop_x: Column | float = 0.35  # where the backdrop is brightest, 0 to 1
    backdrop_y: Column | float = 0.3
    clothes_hue: Column | float = 0.6
    clothes_value: Column | float = 0.4
    grain: Column | float = 0.0  # standard deviation of the pixel noise, in grey levels
    grain_key: Column | float = 0.0  # integer below 2**24; which noise

    def vector(self, batch: int = 1) -> Vectors:
        """The nuisance as a float32 array (batch, N)."""
        columns = [np.broadcast_to(np.asarray(field, np.float32).reshape(-1, 1), (batch, 1)) for field in self]
        return np.concatenate(columns, axis=1)


def columns(vectors: Vectors) -> list[Column]:
    """Split (b, k) vectors into k contiguous float32 columns (b, 1)."""
    return [np.ascontiguousarray(vectors[:, i : i + 1], np.float32) for i in range(vectors.shape[1])]


class Head(NamedTuple):
    """A head in its own frame with its expression, lengths in half head heights."""

    width: Column
    depth: Column
    jaw: Column
    chin: Column
    eye_x: Column
    eye_y: Column
    eye_w: Column
    nose_y: Column
    nose_w: Column
    nose_h: Column
    bridge_h: Column
    bridge_w: Column
    mouth_y: Column
    mouth_w: Column
    smile: Column


def head(person: FaceIdentity, image: Nuisance) -> Head:
    """Proportions of the head: the person's, moved by the image's expression."""
    nose_y = 0.36 + 0.16 * person.nose_length
    return Head(
        width=0.66 + 0.16 * person.head_width,
        depth=0.80 + 0.12 * person.head_depth,
        jaw=0.02 + 0.30 * (1.0 - person.jaw),
        chin=0.10 + 0.10 * person.chin,
        eye_x=0.27 + 0.085 * person.eye_spacing,
        eye_y=-0.02 + 0.10 * person.eye_level,
        eye_w=0.135 + 0.055 * person.eye_size,
        nose_y=nose_y,
        nose_w=0.115 + 0.085 * person.nose_width,
        nose_h=0.13 + 0.11 * person.nose_height,
        bridge_h=0.05 + 0.08 * person.nose_bridge,
        bridge_w=0.10 + 0.05 * person.nose_width,
        mouth_y=nose_y + 0.185 + 0.075 * person.mouth_level + 0.02 * image.mouth_open,
        mouth_w=(0.20 + 0.12 * person.mouth_width) * (1.0 + 0.16 * image.smile - 0.10 * image.mouth_open),
        smile=0.10 * image.smile,
    )


class View(NamedTuple):
    """The rotation's sines and cosines and the image's placement, each (b, 1)."""

    sin_yaw: Column
    cos_yaw: Column
    sin_pitch: Column
    cos_pitch: Column
    sin_roll: Column
    cos_roll: Column
    unit: Column  # pixels in half a head's height
    center_x: Column  # pixels
    center_y: Column

    def project(self, X: Number, Y: Number, Z: Number) -> tuple[Column, Column, Column]:
        """Head frame to camera frame (x right, y down, z towards the viewer), before jaw, roll and scale."""
        turned = self.cos_yaw * Z - self.sin_yaw * X
        return (
            self.cos_yaw * X + self.sin_yaw * Z,
            self.cos_pitch * Y + self.sin_pitch * turned,
            self.cos_pitch * turned - self.sin_pitch * Y,
        )

    def unproject(self, x: Number, y: Number, z: Number) -> tuple[Column, Column, Column]:
        """Camera frame to head frame: the inverse of :meth:`project`."""
        turned = self.sin_pitch * y + self.cos_pitch * z
        return (
            self.cos_yaw * x - self.sin_yaw * turned,
            self.cos_pitch * y - self.sin_pitch * z,
            self.sin_yaw * x + self.cos_yaw * turned,
        )


def view(image: Nuisance, size: int) -> View:
    """Pose and placement of an image of ``size`` x ``size`` pixels."""
    yaw, pitch, roll = (np.asarray(angle * (np.pi / 180), np.float32) for angle in image[:3])
    return View(
        np.sin(yaw),
        np.cos(yaw),
        np.sin(pitch),
        np.cos(pitch),
        np.sin(roll),
        np.cos(roll),
        image.scale * (HEAD * size),
        (0.5 + image.shift_x) * size,
        (0.48 + image.shift_y) * size,
    )


class Ellipsoid(NamedTuple):
    """An ellipsoid (X/a)^2 + (Y/b)^2 + (Z/c)^2 = 1 as the camera sees it; its outline is the ellipse
    ``(half_x cos t, slant cos t + half_y sin t)``.
    """

    half_x: Column
    half_y: Column
    slant: Column
    tilt_x: Column
    tilt_y: Column
    half_z: Column

    @classmethod
    def seen(cls, camera: View, a: Column, b: Column | float, c: Column) -> "Ellipsoid":
        """The ellipsoid of half axes a, b, c in the head frame, turned by the camera's pose."""
        sy, cy, sp, cp = camera[:4]
        squares = a * a, b * b, c * c
        rows = (cy, 0.0, sy), (-sp * sy, cp, sp * cy), (-cp * sy, -sp, cp * cy)
        xx, xy, yy = (sum(rows[i][k] * rows[j][k] * squares[k] for k in range(3)) for i, j in ((0, 0), (0, 1), (1, 1)))
        inverse = tuple(1.0 / square for square in squares)
        zx, zy, zz = (sum(rows[i][k] * rows[2][k] * inverse[k] for k in range(3)) for i in range(3))
        half_x = np.sqrt(xx)
        slant = xy / half_x
        return cls(half_x, np.sqrt(yy - slant * slant), slant, -zx / zz, -zy / zz, 1.0 / np.sqrt(zz))


def narrowing(shape: Head, camera: View, y: Column) -> tuple[Column, Column]:
    """Factor and shift of x that make a jaw out of an ellipsoid: below the cheekbones the face narrows, and as the chin
    is in front of the head's axis it swings with the yaw.
    """
    below = (y - 0.05).clip(0.0, 9.0)
    square = below * below
    return 1.0 - shape.jaw * square, (shape.chin * camera.sin_yaw * 1.6) * square


def landmarks(
    identity: Float[np.ndarray, "b i"], nuisance: Float[np.ndarray, "b k"], size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where five features and the face are in the image, without rendering it.

    Args:
        identity: (b, I) in [0, 1], see :class:`FaceIdentity`.
        nuisance: (b, N), see :class:`Nuisance`.
        size: pixels on a side.

    Returns:
        Landmarks (b, 5, 2) as (x, y) in pixels, pixel centers at half integers: the eye on the image's left, the eye
        on its right, the tip of the nose, the corner of the mouth on the left, on the right; and boxes (b, 4) as
        (x0, y0, x1, y1) around the face from the forehead to the chin, not clipped to the image.
    """
    person, image = FaceIdentity(*columns(identity)), Nuisance(*columns(nuisance))
    shape, camera = head(person, image), view(image, size)
    zero = np.zeros_like(shape.width)
    corner_y = shape.mouth_y - shape.smile
    X = np.concatenate([-shape.eye_x, shape.eye_x, zero, -shape.mouth_w, shape.mouth_w], axis=1)
    Y = np.concatenate([shape.eye_y, shape.eye_y, shape.nose_y, corner_y, corner_y], axis=1)
    Z = shape.depth * np.sqrt(np.maximum(1.0 - (X / shape.width) ** 2 - Y**2, 1e-6))
    Z[:, 2:3] += shape.nose_h * (1.0 - (NOSE_TIP / NOSE_TIP_RADIUS) ** 2) ** 2
    Z[:, 2:3] += shape.bridge_h * (1.0 - (NOSE_BRIDGE / NOSE_BRIDGE_RADIUS) ** 2) ** 2
    points = np.stack(in_image(shape, camera, *camera.project(X, Y, Z)[:2]), axis=-1)

    angle = np.linspace(0.0, 2.0 * np.pi, 33, dtype=np.float32)[None, :-1]
    rim = Ellipsoid.seen(camera, shape.width, 1.0, shape.depth)
    x = rim.half_x * np.cos(angle)
    y = np.maximum(rim.slant * np.cos(angle) + rim.half_y * np.sin(angle), -0.62)
    outline = np.concatenate([np.stack(in_image(shape, camera, x, y), axis=-1), points], axis=1)
    boxes = np.concatenate([outline.min(axis=1), outline.max(axis=1)], axis=1)
    return points.astype(np.float32), boxes.astype(np.float32)


def in_image(shape: Head, camera: View, x: Column, y: Column) -> tuple[Column, Column]:
    """Camera frame to pixels: narrowed towards the jaw, rolled, scaled and shifted."""
    factor, shift = narrowing(shape, camera, y)
    x = x * factor + shift
    return (
        (camera.cos_roll * x - camera.sin_roll * y) * camera.unit + camera.center_x,
        (camera.sin_roll * x + camera.cos_roll * y) * camera.unit + camera.center_y,
    )
