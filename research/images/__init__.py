"""Images for people: read from files and written to them, resized, and their colors matched."""

from likeness.research.images.color import (
    luminance,
    match_colors,
    match_histogram,
    match_luminance,
    rgb_to_yiq,
    with_colors_of,
    yiq_to_rgb,
)
from likeness.research.images.hues import oklab_to_rgb, rgb_to_oklab, with_hues_of
from likeness.research.images.portraits import FaceImageSource, GraceHopper, ProceduralFace
from likeness.research.images.reading import LoadedImage, read_image
from likeness.research.images.resize import fit, resize
from likeness.research.images.sources import ImageFile, ImageSource, Painting, Photograph
from likeness.research.images.writing import write_image

__all__ = [
    "FaceImageSource",
    "GraceHopper",
    "ImageFile",
    "ImageSource",
    "LoadedImage",
    "Painting",
    "Photograph",
    "ProceduralFace",
    "fit",
    "luminance",
    "match_colors",
    "match_histogram",
    "match_luminance",
    "oklab_to_rgb",
    "read_image",
    "resize",
    "rgb_to_oklab",
    "rgb_to_yiq",
    "with_colors_of",
    "with_hues_of",
    "write_image",
    "yiq_to_rgb",
]
