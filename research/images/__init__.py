"""Pictures for people: read from files and written to them, resized, and their colors matched."""

from likeness.research.images.color import (
    luminance,
    match_colors,
    match_histogram,
    match_luminance,
    rgb_to_yiq,
    with_colors_of,
    yiq_to_rgb,
)
from likeness.research.images.reading import Picture, read_picture
from likeness.research.images.resize import fit, resize
from likeness.research.images.writing import write_picture

__all__ = [
    "Picture",
    "fit",
    "luminance",
    "match_colors",
    "match_histogram",
    "match_luminance",
    "read_picture",
    "resize",
    "rgb_to_yiq",
    "with_colors_of",
    "write_picture",
    "yiq_to_rgb",
]
