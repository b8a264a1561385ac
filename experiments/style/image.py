"""The images whose look is taken on, and where."""

import dataclasses
import math
from typing import Literal

import jax.numpy as jnp
import numpy as np

from likeness.experiments.style.terms import Term
from likeness.research.errors import UserError
from likeness.research.images.resize import resize
from likeness.research.images.sources import ImageSource


@dataclasses.dataclass(frozen=True, kw_only=True)
class StyleImage:
    """An image whose look is taken on."""

    image: ImageSource
    """The image."""
    weight: float = 1.0
    """How much it counts beside other styles: what matters is its share in the sum of all weights."""
    scale: float = 1.0
    """Size of its longer side beside that of the image painted: 2 makes strokes twice as large."""
    terms: tuple[Term, ...] = ()
    """Losses of its own in place of the experiment's, such as other layers: forms of one style, fine strokes of another."""
    region: ImageSource | None = None
    """Where in the painted image it applies: an image of the content's proportions, white there and black elsewhere (Gatys
    et al. 2017, "Controlling perceptual factors in neural style transfer"); None for everywhere."""
    mask: ImageSource | None = None
    """What of it counts, in the same way; None for all of it."""
    fit: Literal["longer side", "stretch", "crop"] = "longer side"
    """longer side: it keeps its proportions. The others give it the content's own height and width, as losses demand that
    compare sums over pixels: stretch changes its proportions (Gatys et al. 2016 "resized the style image to the same size"),
    crop cuts off what is too much around its center, and with a scale above 1 shows a part of it larger."""

    turned: tuple[int, ...] = ()
    """Quarters of a circle by which copies of it are turned that count as parts of it, for losses that look for neighbors in
    it: (1, 2, 3) adds three. A stroke that runs down then is there for what runs across."""

    def __post_init__(self) -> None:
        if not set(self.turned) <= {1, 2, 3} or len(set(self.turned)) != len(self.turned):
            raise ValueError(f"StyleImage.turned is {self.turned}: give quarters of a circle, each of 1, 2 and 3 at most once")
        if not 0 < self.scale <= 16:
            raise ValueError(f"StyleImage.scale is {self.scale}: give a number above 0, at most 16")
        if not 0 <= self.weight < float("inf"):
            raise ValueError(f"StyleImage.weight is {self.weight}: give a finite number, 0 or more")
        if (self.fit == "stretch" and self.scale != 1) or (self.fit == "crop" and self.scale < 1):
            raise ValueError(
                f"StyleImage.scale is {self.scale}, but fit={self.fit!r} gives it the content's size: leave scale at 1, or "
                "show a part of it larger by fit='crop' and a scale above 1"
            )

    def open(self, content: np.ndarray) -> np.ndarray:
        """The image for a content image (h, w, 3): RGB in [0, 1]."""
        height, width, _ = content.shape
        if self.fit == "longer side":
            return self.image.open(round(max(height, width) * self.scale))
        pixels = self.image.open(max(height, width))
        if self.fit == "stretch":
            return np.clip(np.asarray(resize(jnp.asarray(pixels), (height, width))), 0.0, 1.0)
        size = math.ceil(self.scale * max(height / pixels.shape[0], width / pixels.shape[1]) * max(pixels.shape[:2]))
        pixels = self.image.open(size)
        # The shorter side is rounded, and may lack a pixel of what it was to cover.
        while pixels.shape[0] < height or pixels.shape[1] < width:
            pixels = self.image.open(size := size + 1)
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        return pixels[top : top + height, left : left + width]

    def sources(self) -> dict[str, ImageSource]:
        """Everything that it reads, by what it is to the style: the style itself is called ``""``."""
        read = {"": self.image, "region of ": self.region, "mask of ": self.mask}
        return {name: source for name, source in read.items() if source is not None}

    def region_in(self, content: np.ndarray) -> np.ndarray | None:
        """The region at the content's size (h, w), from 0 to 1."""
        return None if self.region is None else _opened_mask(self.region, content, "region", "the content image")

    def mask_of(self, opened: np.ndarray) -> np.ndarray | None:
        """The mask at the opened style's size (h, w), from 0 to 1."""
        return None if self.mask is None else _opened_mask(self.mask, opened, "mask", f"the style image {self.image.title}")


def _opened_mask(source: ImageSource, image: np.ndarray, field: str, whose: str) -> np.ndarray:
    height, width, _ = image.shape
    mask = source.open(max(height, width)).mean(axis=2)
    # The longer side fits by construction; a rounding of the other by one pixel is no other shape.
    if abs(mask.shape[0] - height) > 1 or abs(mask.shape[1] - width) > 1:
        raise UserError(
            f"StyleImage.{field} {source.title} has the proportions {mask.shape[1]}:{mask.shape[0]} and {whose} has "
            f"{width}:{height}: give a mask of the same proportions."
        )
    mask = np.asarray(resize(jnp.asarray(np.repeat(mask[:, :, None], 3, axis=2)), (height, width)))[:, :, 0]
    mask = np.clip(mask, 0.0, 1.0)
    if mask.max() < 1 / 255:
        raise UserError(f"StyleImage.{field} {source.title} is black everywhere: white marks what counts.")
    return mask
