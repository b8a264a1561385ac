"""Portraits about to be painted: all that is one number or one color for each."""

from typing import NamedTuple

import numpy as np

from likeness.research.synthetic.faces import palette
from likeness.research.synthetic.faces.geometry import (
    NOSE_BRIDGE,
    NOSE_BRIDGE_RADIUS,
    NOSE_TIP,
    NOSE_TIP_RADIUS,
    Column,
    Ellipsoid,
    FaceIdentity,
    Head,
    Nuisance,
    View,
    columns,
    head,
    view,
)


class Vector(NamedTuple):
    """A direction or a point."""

    x: Column
    y: Column
    z: Column


class FaceStyle(NamedTuple):
    """What the one style trait means: bald, short, curly, fringed, long."""

    present: Column
    volume: Column
    fringe: Column
    length: Column
    curly: Column


class Paints(NamedTuple):
    """Linear light, (channels, b, 1, 1) each."""

    skin: np.ndarray
    blush: np.ndarray
    lips: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    lamp: np.ndarray
    backdrop: np.ndarray
    backdrop_far: np.ndarray
    cloth: np.ndarray
    frame: np.ndarray
    lens: np.ndarray
    foreground: np.ndarray


class Hills(NamedTuple):
    """Hills and hollows of height h (1 - ((X - x) / rx)^2 - ((Y - y) / ry)^2)^2, (hills, b, 1, 1) each."""

    x: np.ndarray
    y: np.ndarray
    steep_x: np.ndarray  # 1 / rx^2
    steep_y: np.ndarray
    height: np.ndarray


class Scene(NamedTuple):
    """Some portraits; numbers are (b, 1, 1), so that they broadcast over pixels."""

    person: FaceIdentity
    image: Nuisance
    shape: Head
    camera: View
    skull: Ellipsoid
    shell: Ellipsoid
    cut: FaceStyle
    paints: Paints
    nose: Hills  # tip and bridge, as they stand out
    relief: Hills  # as they bend the light: MIDDLE on the axis, the others on either side
    light: Vector  # unit vector towards the lamp, camera frame
    light_head: Vector  # the same in the head frame
    sight: Vector  # unit vector towards the viewer, head frame
    hair_lift: Column  # Y of the hair shell's center


MIDDLE, SOCKET, CHEEK = 4, 5, 6
"""How many hills of the relief lie on the face's axis, and which two of the others shade and color the skin."""

HAIR_BACK = -0.06
"""Z of the hair shell's center."""


def scene(identity: np.ndarray, nuisance: np.ndarray, size: int, channels: int) -> Scene:
    """Everything about b portraits that does not depend on the pixel."""
    person = FaceIdentity(*(column[:, :, None] for column in columns(identity)))
    image = Nuisance(*(column[:, :, None] for column in columns(nuisance)))
    shape, camera, cut = head(person, image), view(image, size), _style(person)
    azimuth, elevation = (
        np.asarray(angle * (np.pi / 180), np.float32) for angle in (image.light_azimuth, image.light_elevation)
    )
    level = np.cos(elevation)
    light = Vector(level * np.sin(azimuth), -np.sin(elevation), level * np.cos(azimuth))
    zero = np.zeros_like(level)
    return Scene(
        person,
        image,
        shape,
        camera,
        Ellipsoid.seen(camera, shape.width, 1.0, shape.depth),
        Ellipsoid.seen(
            camera,
            shape.width + 0.8 * cut.volume,
            1.0 + cut.volume * (0.7 + 0.5 * person.hair_height),
            shape.depth + cut.volume,
        ),
        cut,
        _paints(person, image, channels),
        _hills(_nose(shape, 1.0, 1.0)),
        _hills(_relief(shape, person, image)),
        light,
        Vector(
            *camera.unproject(
                camera.cos_roll * light.x + camera.sin_roll * light.y,
                camera.cos_roll * light.y - camera.sin_roll * light.x,
                light.z,
            )
        ),
        Vector(*camera.unproject(zero, zero, zero + 1.0)),
        -0.55 * cut.volume - 0.03 * person.hair_height,
    )


def _nose(shape: Head, tip: float, bridge: float) -> list[tuple]:
    return [
        (0.0, shape.nose_y - NOSE_TIP, shape.nose_w, NOSE_TIP_RADIUS, tip * shape.nose_h),
        (0.0, shape.nose_y - NOSE_BRIDGE, shape.bridge_w, NOSE_BRIDGE_RADIUS, bridge * shape.bridge_h),
    ]


def _relief(shape: Head, person: FaceIdentity, image: Nuisance) -> list[tuple]:
    cheek = 0.03 + 0.035 * person.cheekbones + 0.02 * image.smile
    return [
        *_nose(shape, 0.55, 0.75),
        (0.0, shape.mouth_y, 1.25 * shape.mouth_w, 0.20, 0.030),
        (0.0, 0.90, 0.24, 0.16, 0.02 + 0.05 * person.chin),
        (0.72 * shape.nose_w, shape.nose_y + 0.035, 0.45 * shape.nose_w, 0.08, 0.030),
        (shape.eye_x - 0.02, shape.eye_y, 0.24, 0.15, -0.040),
        (0.36, shape.eye_y + 0.33, 0.26, 0.22, cheek),
    ]


def _hills(hills: list[tuple]) -> Hills:
    batch = np.shape(hills[0][1])
    x, y, rx, ry, height = (
        np.stack([np.broadcast_to(np.float32(value), batch) for value in column]) for column in zip(*hills, strict=True)
    )
    return Hills(x, y, 1.0 / (rx * rx), 1.0 / (ry * ry), height)


def _style(person: FaceIdentity) -> FaceStyle:
    """Cut the style trait into styles: 8 % bald, then short, fringed, curly, and four kinds of long hair."""
    kind = person.hair_style
    long = kind > 0.52
    curly = ((kind > 0.36) & (kind <= 0.52)) | (kind > 0.86)
    fringe = ((kind > 0.24) & (kind <= 0.36)) | ((kind > 0.70) & (kind <= 0.82))
    present = kind > 0.08
    long, curly, fringe, present = (flag.astype(np.float32) for flag in (long, curly, fringe, present))
    volume = 0.035 + (0.06 + 0.05 * long) * person.hair_volume + curly * (0.04 + 0.12 * person.hair_volume)
    return FaceStyle(present, volume * present, fringe, long * (0.45 + 0.75 * person.hair_length), curly)


def _paints(person: FaceIdentity, image: Nuisance, channels: int) -> Paints:
    skin = palette.skin(person.skin_tone, person.skin_warmth)
    value = image.backdrop_value * (0.45 + 0.4 * np.minimum(image.light_intensity, 1.2))
    square = image.glasses_shape
    return Paints(
        *(
            palette.channels(color, channels)
            for color in (
                skin,
                [skin[0], skin[1] * 0.66, skin[2] * 0.62],
                palette.lips(person.lip_color, skin),
                palette.hair(person.hair_tone, person.hair_redness, person.skin_tone),
                palette.iris(person.eye_color, person.skin_tone),
                palette.light(image.light_warmth),
                palette.hsv(image.backdrop_hue, 0.25, value),
                palette.hsv(image.backdrop_hue + 0.06, 0.42, value * 0.5),
                palette.hsv(image.clothes_hue, 0.5, image.clothes_value),
                palette.hsv(image.clothes_hue + 0.3, 0.45, 0.08 + 0.25 * (1.0 - square)),
                palette.hsv(image.clothes_hue + 0.5, 0.3, 0.13 + 0.0 * square),
                palette.hsv(image.clothes_hue + 0.45, 0.4, 0.25 + 0.4 * image.backdrop_value),
            )
        )
    )
