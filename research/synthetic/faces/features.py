"""The face itself: the head's relief under the light, and eyes, brows, nostrils, mouth and beard painted on it."""

from typing import NamedTuple

import numpy as np

from likeness.research.synthetic.faces.canvas import Canvas, Plane, Planes, bump, extent, hit, normalize, over
from likeness.research.synthetic.faces.scene import CHEEK, MIDDLE, SOCKET, Hills


class Skin(NamedTuple):
    """Planes of a window of the face: where on the head, what color, how lit."""

    X: Plane
    Y: Plane
    side: Plane  # |X|
    albedo: Planes
    lamp: Plane
    gloss: Plane

    def at(self, rows: slice) -> "Skin":
        """Views of some rows, whose pixels stay contiguous."""
        return Skin(*(plane[..., rows, :] for plane in self))


def face(easel: Canvas) -> None:
    """Paint the head without ears and hair."""
    scene = easel.scene
    shape, sight = scene.shape, scene.sight
    inside, z = hit(scene.skull, easel.x, easel.y)
    X, Y, Z = scene.camera.unproject(easel.x, easel.y, z)
    normal = (X * (1.0 / shape.width**2), Y.copy(), Z * (1.0 / shape.depth**2))

    # Walk along the ray to where it meets the nose, which stands in front of what is behind it.
    rows = extent(np.abs(Y - (shape.nose_y - 0.14)) < 0.5)
    slope_x, slope_y = sight.x / sight.z, sight.y / sight.z
    start_x, start_y = X[:, rows], Y[:, rows]
    at_x, at_y = start_x, start_y
    for _ in range(2):
        out = _stand_out(scene.nose, at_x, at_y)
        at_x, at_y = start_x + slope_x * out, start_y + slope_y * out
    X[:, rows], Y[:, rows] = at_x, at_y

    side = np.abs(X)
    levels = _relief(easel, X, Y, side, normal)
    lamp = easel.illuminate(*normal, scene.light_head)
    shade = (4.0 * inside).clip(0.0, 1.0)
    shade *= 0.28
    shade += 0.72
    rows, level = levels[SOCKET]
    shade[:, rows] -= 0.18 * level
    lamp *= shade
    albedo = np.empty((len(easel.planes), *X.shape), np.float32)
    albedo[:] = scene.paints.skin
    rows, level = levels[CHEEK]
    over(albedo[:, :, rows], (0.15 + 0.5 * scene.person.blush) * level, scene.paints.blush)
    skin = Skin(X, Y, side, albedo, lamp, _gloss(easel, *normal))
    _complexion(easel, skin)
    _mouth(easel, skin.at(extent(_near(skin, shape.mouth_y, 0.24, shape.mouth_w + 0.05))))
    around = skin.at(extent(_near(skin, shape.eye_y - 0.10, 0.34, shape.eye_x + 0.30)))
    _brows(easel, around)
    _eyes(easel, around)
    color = easel.lit(albedo, lamp)
    skin.gloss[...] *= scene.image.light_intensity
    color += skin.gloss
    easel.paint(easel.cover(inside * (0.5 * scene.skull.half_x)), color)


def ears(head: Canvas) -> tuple[Canvas, Plane, Plane, Planes]:
    """Both ears, which stand where the head turns them: their band, coverage, the near one's coverage, and color."""
    scene = head.scene
    shape, camera, light = scene.shape, scene.camera, scene.light_head
    height = 0.15 + 0.07 * scene.person.ear_size
    back = -0.05
    _, level, _ = camera.project(0.0, shape.eye_y + 0.14, back)
    easel = head.band(extent(np.abs(head.y - level) < height + 0.1))
    x = easel.x - camera.sin_yaw * back
    u = np.abs(x)
    u -= camera.cos_yaw * (shape.width + 0.02)
    u *= 1.0 / (height * (0.50 + 0.35 * np.abs(camera.sin_yaw)))
    u *= u
    v = easel.y - level
    v *= 1.0 / height
    v *= v
    u += v
    inside = np.subtract(1.0, u, out=u)
    lamp = inside.clip(0.0, 1.0)
    lamp *= -0.5
    lamp += 1.0
    side = np.sign(x)
    facing = side * (0.6 * light.x)
    facing += 0.5 * light.z
    facing *= scene.image.light_intensity
    lamp *= facing.clip(0.05, 2.0, out=facing)
    mask = easel.cover(inside * (0.3 * height))
    # Long hair hides the ears.
    mask *= scene.cut.length <= 0.0
    near = (side * camera.sin_yaw < 0.0) & (np.abs(camera.sin_yaw) > 0.15)
    return easel, mask, mask * near, easel.lit(scene.paints.skin, lamp, 0.9)


def _stand_out(hills: Hills, X: Plane, Y: Plane) -> Plane:
    """Height of hills on the axis."""
    fall = (X * X) * hills.steep_x
    down = Y - hills.y
    down *= down
    down *= hills.steep_y
    fall += down
    np.subtract(1.0, fall, out=fall)
    fall.clip(0.0, 1.0, out=fall)
    fall *= fall
    fall *= hills.height
    return fall.sum(axis=0)


def _relief(easel: Canvas, X: Plane, Y: Plane, side: Plane, normal: tuple[Plane, Plane, Plane]) -> list[tuple[slice, Plane]]:
    """Bend the ellipsoid's normals, in place, by the gradient of the hills.

    Returns the rows of each hill and the root of its profile there.
    """
    hills = easel.scene.relief
    nx, ny, _ = normal
    sign = np.sign(X)
    levels = []
    for i, (x, y, steep_x, steep_y, height) in enumerate(zip(*hills, strict=True)):
        down = Y - y
        rows = extent(np.abs(down) * np.sqrt(steep_y) < 1.0)
        down = down[:, rows]
        across = X[:, rows] if i < MIDDLE else side[:, rows] - x
        level = across * across
        level *= -steep_x
        push = down * down
        push *= steep_y
        level -= push
        level += 1.0
        level.clip(0.0, 1.0, out=level)
        np.multiply(level, 4.0 * height * steep_x, out=push)
        push *= across
        if i >= MIDDLE:
            push *= sign[:, rows]
        nx[:, rows] += push
        down *= level
        down *= 4.0 * height * steep_y
        ny[:, rows] += down
        levels.append((rows, level))
    normalize(*normal)
    return levels


def _gloss(easel: Canvas, nx: Plane, ny: Plane, nz: Plane) -> Plane:
    """Blinn's highlight of exponent 16."""
    light, sight = easel.scene.light_head, easel.scene.sight
    x, y, z = light.x + sight.x, light.y + sight.y, light.z + sight.z
    scale = (x * x + y * y + z * z + 1e-6) ** -0.5
    gloss = nx * (x * scale)
    gloss += ny * (y * scale)
    gloss += nz * (z * scale)
    gloss.clip(0.0, 1.0, out=gloss)
    for _ in range(4):
        gloss *= gloss
    gloss *= 0.10
    return gloss


def _near(skin: Skin, level: Plane, height: float, width: Plane) -> np.ndarray:
    inside = np.abs(skin.Y - level) < height
    inside &= skin.side < width
    return inside


def _complexion(easel: Canvas, skin: Skin) -> None:
    """Nostrils, beard and moustache."""
    scene = easel.scene
    person, shape, paints = scene.person, scene.shape, scene.paints
    below = skin.at(extent(_near(skin, shape.nose_y + 0.085, 0.05, 0.8 * shape.nose_w)))
    hole = bump(below.side, below.Y, 0.42 * shape.nose_w, shape.nose_y + 0.085, 0.32 * shape.nose_w, 0.038)
    hole *= 1.2
    over(below.albedo, hole.clip(0.0, 0.62, out=hole), 0.22 * paints.skin)

    # Beards on the trait's upper third; thicker as it rises.
    beard = ((person.beard - 0.68) * 4.0).clip(0.0, 0.92)
    moustache = ((person.moustache - 0.72) * 5.0).clip(0.0, 0.92) * (person.beard > 0.45)
    moustache = np.maximum(moustache, beard * (beard > 0.5))
    low = skin.at(extent(shape.mouth_y - 0.6 < skin.Y))
    growth = 7.0 * (low.Y - shape.mouth_y + 0.05) + 5.2 * (low.side - 0.30).clip(0.0, 1.0)
    growth.clip(0.0, 1.0, out=growth)
    growth *= beard
    lip = np.abs(low.Y - (0.5 * shape.nose_y + 0.5 * shape.mouth_y + 0.04) - 0.35 * low.side * low.side)
    lip *= -20.0
    lip += 1.5
    lip.clip(0.0, 1.0, out=lip)
    lip *= easel.cover(1.05 * shape.mouth_w - low.side)
    lip *= moustache
    np.maximum(growth, lip, out=growth)
    over(low.albedo, growth, 0.85 * paints.hair + 0.05 * paints.skin)


def _brows(easel: Canvas, skin: Skin) -> None:
    """Tapering arcs in the hair's color, darkened."""
    scene = easel.scene
    person, shape = scene.person, scene.shape
    length = 0.17 + 0.06 * person.brow_length
    u = skin.side - (shape.eye_x + 0.01)
    u *= 1.0 / length
    level = shape.eye_y - 0.155 - 0.06 * person.brow_level - 0.045 * scene.image.brow_raise
    curve = u * u
    curve -= 0.35
    curve *= 0.02 + 0.07 * person.brow_arch
    curve += u * (0.05 - 0.10 * person.brow_slope)
    curve += level
    thick = u * -0.32
    thick += 1.0
    thick *= 0.016 + 0.030 * person.brow_thickness
    np.abs(u, out=u)
    u *= -length
    u += length
    mask = easel.line(skin.Y - curve, thick, u)
    mask *= 0.88
    over(skin.albedo, mask, 0.5 * scene.paints.hair + 0.04 * scene.paints.skin)


def _eyes(easel: Canvas, skin: Skin) -> None:
    """Almond, iris, pupil, catchlight, lashes and the crease of the lid."""
    scene = easel.scene
    person, shape, image, paints = scene.person, scene.shape, scene.image, scene.paints
    width = shape.eye_w
    sign = np.sign(skin.X)
    u = skin.side - shape.eye_x
    u *= 1.0 / width
    v = skin.Y - shape.eye_y
    v *= 1.0 / width
    v += u * (0.35 * (person.eye_tilt - 0.35))
    arc = 1.0 - u * u
    opening = 0.38 + 0.28 * person.eye_opening
    opened = image.eyes_open * (1.0 - 0.12 * np.maximum(image.smile, 0.0))
    upper = arc * (opening * (1.25 * opened - 0.25))
    upper += v
    lower = arc * (opening * (0.62 - 0.10 * image.smile))
    lower -= v
    inside = np.minimum(upper, lower, out=lower)
    inside *= width
    almond = easel.cover(inside)
    upper *= width
    corner = arc * (0.5 * width)
    fold = width * (0.26 + 0.12 * person.eye_opening)
    crease = easel.line(upper + fold, 0.014, corner)
    crease *= 0.45
    over(skin.albedo, crease, 0.45 * paints.skin)

    # Iris and pupil on the white: brighter towards the lower rim, dark at the limbus.
    across = u - sign * (0.30 * image.gaze_x)
    down = v + (0.02 - 0.16 * image.gaze_y)
    square = across * across
    square += down * down
    ring = easel.cover((0.2025 - square) * (1.11 * width))
    pupil = easel.cover((0.042 - square) * (2.4 * width))
    square *= -2.2
    square += down
    square += 1.15
    pupil *= -0.95
    pupil += 1.0
    square *= pupil
    eye = paints.iris * square
    eye -= 0.78
    eye *= ring
    eye += 0.78
    # The upper lid shades the ball.
    shade = (upper * (2.0 / width) + 0.35).clip(0.35, 1.0)
    eye *= shade
    over(skin.albedo, almond, eye)
    corner += 0.08 * width
    lash = easel.line(upper + 0.03 * width, 0.017 + 0.010 * person.eye_opening, corner)
    lash *= 0.9
    over(skin.albedo, lash, 0.10 * paints.hair)

    across *= sign
    spark = bump(across, down, 0.32 * scene.light.x, -0.16, 0.16, 0.16)
    spark *= 0.8 * width * scene.camera.unit
    spark.clip(0.0, 0.5, out=spark)
    gloss = skin.gloss
    spark -= gloss
    spark *= almond
    gloss += spark


def _mouth(easel: Canvas, skin: Skin) -> None:
    """Two lips with a cupid's bow, the line between them, and teeth when the mouth is open."""
    scene = easel.scene
    person, shape, paints = scene.person, scene.shape, scene.paints
    opened = scene.image.mouth_open
    u = skin.X * (1.0 / shape.mouth_w)
    square = u * u
    np.abs(u, out=u)
    arc = (1.0 - square).clip(0.0, 1.0)
    middle = skin.Y - shape.mouth_y
    middle += shape.smile * square
    gap = 0.006 + 0.075 * opened
    upper_lip = 0.030 + 0.050 * person.upper_lip
    lower_lip = 0.042 + 0.055 * person.lower_lip
    above = u * (0.75 * upper_lip)
    above += 0.78 * upper_lip + gap
    above *= arc
    above += middle
    below = arc * (0.25 * lower_lip)
    below += 0.75 * lower_lip + gap
    below *= arc
    below -= middle
    end = u * -shape.mouth_w
    end += 1.03 * shape.mouth_w
    np.minimum(above, below, out=below)
    mask = easel.cover(np.minimum(below, end, out=below))
    over(skin.albedo, 0.85 * mask, paints.lips)
    # The upper lip faces down, the lower one up and catches the light.
    low = easel.cover(middle)
    low *= 0.34
    low -= 0.20
    low *= mask
    low += 1.0
    skin.lamp[...] *= low
    inner = gap * arc
    inner -= np.abs(middle)
    inner -= 0.004
    inner = easel.cover(np.minimum(inner, end - 0.18 * shape.mouth_w, out=inner))
    inner *= opened > 0.0
    over(skin.albedo, inner, 0.12 * paints.lips)
    over(skin.albedo, inner * easel.cover(0.15 * gap - middle), 0.40 + 0.30 * paints.skin)
    seam = easel.line(middle, 0.013, end)
    seam *= 0.72 * (1.0 - np.minimum(6.0 * opened, 1.0))
    over(skin.albedo, seam, 0.20 * paints.skin)
