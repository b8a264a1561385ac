"""The face itself: the head's relief under the light, and eyes, brows, nostrils, mouth and beard painted on it."""

from typing import NamedTuple

import numpy as np

from research.data.faces.canvas import Canvas, Plane, Planes, Window, bump, extent, hit, normalize, over
from research.data.faces.geometry import NOSE_BRIDGE, NOSE_BRIDGE_RADIUS, NOSE_TIP, NOSE_TIP_RADIUS


class Skin(NamedTuple):
    """Planes of a window of the face: where on the head, what color, how lit."""

    X: Plane
    Y: Plane
    side: Plane  # |X|
    albedo: Planes
    lamp: Plane
    gloss: Plane

    def at(self, window: Window) -> "Skin":
        """Views of a smaller window."""
        return Skin(*(plane[(..., *window)] for plane in self))


def face(easel: Canvas) -> None:
    """Paint the head without ears and hair."""
    scene = easel.scene
    shape, sight = scene.shape, scene.sight
    inside, z = hit(scene.skull, easel.x, easel.y)
    X, Y, Z = scene.camera.unproject(easel.x, easel.y, z)
    nx, ny, nz = X * (1.0 / shape.width**2), Y.copy(), Z * (1.0 / shape.depth**2)
    normalize(nx, ny, nz)

    # Walk along the ray to where it meets the nose, which stands in front of what is behind it.
    near = extent(bump(X, Y, 0.0, shape.nose_y - 0.12, 0.45, 0.60) > 0.0)
    slope_x, slope_y = sight.x / sight.z, sight.y / sight.z
    start_x, start_y = X[near], Y[near]
    at_x, at_y = start_x, start_y
    for _ in range(3):
        out = bump(at_x, at_y, 0.0, shape.nose_y - NOSE_TIP, shape.nose_w, NOSE_TIP_RADIUS)
        out *= out
        out *= shape.nose_h
        bridge = bump(at_x, at_y, 0.0, shape.nose_y - NOSE_BRIDGE, shape.bridge_w, NOSE_BRIDGE_RADIUS)
        bridge *= bridge
        bridge *= shape.bridge_h
        out += bridge
        at_x, at_y = start_x + slope_x * out, start_y + slope_y * out
    X[near], Y[near] = at_x, at_y

    side = np.abs(X)
    _relief(easel, X, Y, side, (nx, ny, nz))
    lamp = easel.illuminate(nx, ny, nz, scene.light_head)
    shade = bump(side, Y, shape.eye_x - 0.02, shape.eye_y, 0.24, 0.15)
    shade *= shade
    shade *= -0.22
    shade += 1.0
    shade *= 0.72 + 0.28 * (4.0 * inside).clip(0.0, 1.0)
    lamp *= shade
    albedo = np.empty((len(easel.planes), *X.shape), np.float32)
    albedo[:] = scene.paints.skin
    skin = Skin(X, Y, side, albedo, lamp, _gloss(easel, nx, ny, nz))
    _complexion(easel, skin)
    mouth_height = 0.16 + 0.10 * scene.picture.mouth_open
    _mouth(easel, skin.at(extent(bump(X, Y, 0.0, shape.mouth_y, 1.6 * shape.mouth_w, 1.6 * mouth_height) > 0.0)))
    band = np.abs(Y - (shape.eye_y - 0.09)) < 0.26
    band &= side < shape.eye_x + 0.30
    around = skin.at(extent(band))
    _brows(easel, around)
    _eyes(easel, around)
    color = easel.lit(albedo, lamp)
    skin.gloss[...] *= scene.picture.light_intensity
    color += skin.gloss
    easel.paint(easel.cover(inside * (0.5 * scene.skull.half_x)), color)


def ear(easel: Canvas, side: float) -> None:
    """The ear on the picture's left (-1) or right (1)."""
    scene = easel.scene
    height = 0.15 + 0.07 * scene.person.ear_size
    ear_x, ear_y, _ = scene.camera.project(side * (scene.shape.width + 0.02), scene.shape.eye_y + 0.14, -0.05)
    turned = max(0.0, -side * scene.camera.sin_yaw)
    u = (easel.x - ear_x) * (1.0 / (height * (0.50 + 0.35 * turned)))
    v = (easel.y - ear_y) * (1.0 / height)
    inside = 1.0 - u * u - v * v
    facing = max(0.6 * side * scene.light_head.x + 0.5 * scene.light_head.z, 0.05)
    lamp = inside.clip(0.0, 1.0)
    lamp *= -0.5
    lamp += 1.0
    lamp *= facing * scene.picture.light_intensity
    easel.paint(easel.cover(inside * (0.3 * height)), easel.lit(scene.paints.skin, lamp, 0.9))


def _relief(easel: Canvas, X: Plane, Y: Plane, side: Plane, normal: tuple[Plane, Plane, Plane]) -> None:
    """Bend unit normals, in place, by hills and hollows of height h (1 - u^2 - v^2)^2."""
    person, shape, smile = easel.scene.person, easel.scene.shape, easel.scene.picture.smile
    nx, ny, _ = normal
    sign = np.sign(X)
    hills = (
        (False, 0.0, shape.nose_y - NOSE_TIP, shape.nose_w, NOSE_TIP_RADIUS, 0.55 * shape.nose_h),
        (False, 0.0, shape.nose_y - NOSE_BRIDGE, shape.bridge_w, NOSE_BRIDGE_RADIUS, 0.75 * shape.bridge_h),
        (True, 0.72 * shape.nose_w, shape.nose_y + 0.035, 0.45 * shape.nose_w, 0.08, 0.030),
        (True, shape.eye_x - 0.02, shape.eye_y, 0.24, 0.15, -0.040),
        (True, 0.9 * shape.eye_x, shape.eye_y - 0.17, 0.30, 0.10, 0.016),
        (True, 0.36, shape.eye_y + 0.33, 0.26, 0.22, 0.03 + 0.035 * person.cheekbones + 0.02 * smile),
        (False, 0.0, shape.mouth_y, 1.25 * shape.mouth_w, 0.20, 0.030),
        (False, 0.0, 0.90, 0.24, 0.16, 0.02 + 0.05 * person.chin),
    )
    for mirrored, x0, y0, rx, ry, height in hills:
        across = side - x0 if mirrored else X
        down = Y - y0
        hill = bump(across, down, 0.0, 0.0, rx, ry)
        hill *= 4.0 * height
        across = across * hill
        across *= 1.0 / rx**2
        if mirrored:
            across *= sign
        nx += across
        down *= hill
        down *= 1.0 / ry**2
        ny += down
    normalize(*normal)


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


def _complexion(easel: Canvas, skin: Skin) -> None:
    """Blush, the nose's underside, nostrils, beard and moustache."""
    scene = easel.scene
    person, shape, paints = scene.person, scene.shape, scene.paints
    blush = bump(skin.side, skin.Y, 0.36, shape.eye_y + 0.36, 0.26, 0.22)
    blush *= 0.15 + 0.5 * person.blush
    over(skin.albedo, blush, paints.blush)

    below = skin.at(extent(bump(skin.X, skin.Y, 0.0, shape.nose_y + 0.10, 1.3 * shape.nose_w, 0.12) > 0.0))
    under = bump(below.X, below.Y, 0.0, shape.nose_y + 0.11, 1.1 * shape.nose_w, 0.075)
    under *= -0.40 * max(0.2 - scene.light.y, 0.0)
    under += 1.0
    below.lamp[...] *= under
    hole = bump(below.side, below.Y, 0.42 * shape.nose_w, shape.nose_y + 0.085, 0.32 * shape.nose_w, 0.038)
    hole *= 1.2
    over(below.albedo, hole.clip(0.0, 0.62, out=hole), 0.22 * paints.skin)

    # Beards on the trait's upper third; thicker as it rises.
    beard = min(max(person.beard - 0.68, 0.0) * 4.0, 0.92)
    moustache = min(max(person.moustache - 0.72, 0.0) * 5.0, 0.92) if person.beard > 0.45 else 0.0
    moustache = max(moustache, beard if beard > 0.5 else 0.0)
    if beard or moustache:
        growth = 7.0 * (skin.Y - shape.mouth_y + 0.05) + 5.2 * (skin.side - 0.30).clip(0.0, 1.0)
        growth.clip(0.0, 1.0, out=growth)
        growth *= beard
        lip = np.abs(skin.Y - (0.5 * shape.nose_y + 0.5 * shape.mouth_y + 0.04) - 0.35 * skin.side * skin.side)
        lip *= -20.0
        lip += 1.5
        lip.clip(0.0, 1.0, out=lip)
        lip *= easel.cover(1.05 * shape.mouth_w - skin.side)
        lip *= moustache
        np.maximum(growth, lip, out=growth)
        over(skin.albedo, growth, 0.85 * paints.hair + 0.05 * paints.skin)


def _brows(easel: Canvas, skin: Skin) -> None:
    """Tapering arcs in the hair's color, darkened."""
    scene = easel.scene
    person, shape = scene.person, scene.shape
    length = 0.17 + 0.06 * person.brow_length
    u = skin.side - (shape.eye_x + 0.01)
    u *= 1.0 / length
    level = shape.eye_y - 0.155 - 0.06 * person.brow_level - 0.045 * scene.picture.brow_raise
    curve = u * u
    curve -= 0.35
    curve *= 0.02 + 0.07 * person.brow_arch
    curve += u * (0.05 - 0.10 * person.brow_slope)
    curve += level
    thick = u * -0.32
    thick += 1.0
    thick *= 0.016 + 0.030 * person.brow_thickness
    mask = easel.line(skin.Y - curve, thick)
    mask *= easel.cover(length - length * np.abs(u))
    mask *= 0.88
    over(skin.albedo, mask, 0.5 * scene.paints.hair + 0.04 * scene.paints.skin)


def _eyes(easel: Canvas, skin: Skin) -> None:
    """Almond, iris, pupil, catchlight, lashes and the crease of the lid."""
    scene = easel.scene
    person, shape, picture, paints = scene.person, scene.shape, scene.picture, scene.paints
    width = shape.eye_w
    sign = np.sign(skin.X)
    u = skin.side - shape.eye_x
    u *= 1.0 / width
    v = skin.Y - shape.eye_y
    v *= 1.0 / width
    v += u * (0.35 * (person.eye_tilt - 0.35))
    arc = 1.0 - u * u
    opening = 0.38 + 0.28 * person.eye_opening
    opened = picture.eyes_open * (1.0 - 0.12 * max(picture.smile, 0.0))
    upper = arc * (opening * (1.25 * opened - 0.25))
    upper += v
    almond = easel.cover(width * upper)
    lower = arc * (opening * (0.62 - 0.10 * picture.smile))
    lower -= v
    almond *= easel.cover(width * lower)

    crease = easel.line(width * upper + width * (0.26 + 0.12 * person.eye_opening), 0.014)
    crease *= (arc + 0.15).clip(0.0, 1.0)
    crease *= 0.45
    over(skin.albedo, crease, 0.45 * paints.skin)
    over(skin.albedo, almond, np.full_like(paints.skin, 0.78))

    # Brighter towards the lower rim, dark at the limbus.
    across = u - sign * (0.30 * picture.gaze_x)
    down = v + (0.02 - 0.16 * picture.gaze_y)
    square = across * across
    square += down * down
    radius = 0.45
    ring = easel.cover((radius * radius - square) * (width / (2.0 * radius)))
    ring *= almond
    glow = square * -2.2
    glow += down
    glow += 1.15
    over(skin.albedo, ring, paints.iris * glow)
    pupil = easel.cover((0.042 - square) * (2.4 * width))
    pupil *= almond
    over(skin.albedo, pupil, 0.05 * paints.iris)
    lash = easel.line(width * upper + 0.03 * width, 0.017 + 0.010 * person.eye_opening)
    lash *= easel.cover(1.08 * width - width * np.abs(u))
    lash *= 0.9
    over(skin.albedo, lash, 0.10 * paints.hair)

    # The upper lid shades the ball.
    upper *= -2.2
    upper += 0.75
    shade = upper.clip(0.0, 1.0, out=upper)
    shade *= almond
    shade *= -0.55
    shade += 1.0
    skin.lamp[...] *= shade
    skin.gloss[...] *= 1.0 - almond
    across *= sign
    across -= 0.32 * scene.light.x
    down += 0.16
    spark = bump(across, down, 0.0, 0.0, 0.16, 0.16)
    spark *= 10.0 * width * 0.08 * scene.camera.unit
    spark.clip(0.0, 0.5, out=spark)
    spark *= almond
    skin.gloss[...] += spark


def _mouth(easel: Canvas, skin: Skin) -> None:
    """Two lips with a cupid's bow, the line between them, and teeth when the mouth is open."""
    scene = easel.scene
    person, shape, paints = scene.person, scene.shape, scene.paints
    opened = scene.picture.mouth_open
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
    mask = easel.cover(above)
    mask *= easel.cover(below)
    over(skin.albedo, 0.85 * mask, paints.lips)
    # The upper lip faces down, the lower one up and catches the light.
    low = easel.cover(middle)
    shine = bump(skin.X, middle, 0.0, 0.55 * lower_lip + gap, 0.5 * shape.mouth_w, 0.5 * lower_lip)
    shine *= mask
    shine *= 0.06
    skin.gloss[...] += shine
    low *= 0.34
    low -= 0.20
    low *= mask
    low += 1.0
    skin.lamp[...] *= low
    if opened > 0.0:
        inner = easel.cover(gap * arc - np.abs(middle) - 0.004)
        over(skin.albedo, inner, np.full_like(paints.skin, 0.04))
        over(skin.albedo, inner * easel.cover(0.15 * gap - middle), np.full_like(paints.skin, 0.78))
    seam = easel.line(middle, 0.013)
    seam *= easel.cover(1.03 * shape.mouth_w - shape.mouth_w * u)
    seam *= 0.72 * (1.0 - min(6.0 * opened, 1.0))
    over(skin.albedo, seam, 0.20 * paints.skin)
