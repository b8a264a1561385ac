"""Colors of skin, hair, eyes, lips, cloth and backdrop, as linear light; from traits."""

import numpy as np

from likeness.research.synthetic.faces.geometry import Column

Color = list[Column]
"""Red, green and blue, a column each."""

_LUMA = (0.299, 0.587, 0.114)

# sRGB stops along a trait that runs from 0 to 1.
_SKIN = (
    (255, 226, 206),
    (247, 205, 178),
    (232, 180, 146),
    (205, 148, 110),
    (164, 108, 74),
    (118, 74, 50),
    (82, 52, 38),
)
_HAIR = (
    (30, 25, 26),
    (48, 34, 28),
    (78, 50, 34),
    (118, 78, 46),
    (170, 122, 70),
    (214, 176, 112),
    (196, 190, 184),
)
_IRIS = ((52, 32, 22), (92, 58, 30), (120, 100, 50), (84, 122, 80), (84, 138, 166), (122, 160, 186))
_LIPS = ((196, 110, 104), (204, 92, 92), (176, 64, 76), (150, 74, 70))


def _stops(position: Column, stops: tuple[tuple[int, int, int], ...]) -> Color:
    grid = np.linspace(0.0, 1.0, len(stops))
    table = (np.asarray(stops) / 255.0) ** 2
    return [np.interp(position, grid, table[:, c]).astype(np.float32) for c in range(3)]


def channels(color: Color, count: int) -> np.ndarray:
    """The color (3, b, 1, 1), or its luminance (1, b, 1, 1) when images are gray."""
    if count == 1:
        gray = sum(weight * np.sqrt(channel) for weight, channel in zip(_LUMA, color, strict=True))
        color = [gray * gray]
    return np.stack(color).astype(np.float32)


def hsv(hue: Column, saturation: Column | float, value: Column) -> Color:
    """Linear light of hue (turns), saturation and value."""
    color = []
    for offset in (0.0, 2.0 / 3.0, 1.0 / 3.0):
        ramp = np.abs((hue + offset) % 1.0 * 6.0 - 3.0) - 1.0
        channel = value * (1.0 - saturation * (1.0 - np.clip(ramp, 0.0, 1.0)))
        color.append((channel * channel).astype(np.float32))
    return color


def skin(tone: Column, warmth: Column) -> Color:
    """Skin from fair (0) to deep (1), from rosy to olive."""
    red, green, blue = _stops(tone, _SKIN)
    return [red * (1.04 - 0.08 * warmth), green * (0.95 + 0.09 * warmth), blue * (1.06 - 0.20 * warmth)]


def hair(tone: Column, redness: Column, skin_tone: Column) -> Color:
    """Hair from black to blond to gray; the deeper the skin, the rarer the light end."""
    red, green, blue = _stops(tone ** (1.0 + 2.0 * skin_tone), _HAIR)
    tint = np.clip(redness - 0.55, 0.0, 1.0)
    return [red * (1.0 + 0.7 * tint), green * (1.0 - 0.35 * tint), blue * (1.0 - 0.6 * tint)]


def iris(position: Column, skin_tone: Column) -> Color:
    """Irises from dark brown to light blue."""
    return _stops(position * (1.0 - 0.7 * skin_tone), _IRIS)


def lips(position: Column, skin_color: Color) -> Color:
    """Lips between the skin's own color and a stronger red."""
    return [0.42 * red + 0.50 * own for red, own in zip(_stops(position, _LIPS), skin_color, strict=True)]


def light(warmth: Column) -> Color:
    """The light's color, of constant green."""
    return [1.0 + 0.16 * warmth, np.ones_like(warmth), 1.0 - 0.22 * warmth]
