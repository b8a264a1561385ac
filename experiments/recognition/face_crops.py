"""Where the face is in an image, and where an encoder of faces wants it."""

import dataclasses
from typing import Protocol, runtime_checkable

import numpy as np

from likeness.research.errors import UserError
from likeness.research.geometry import Similarity, fit_similarity
from likeness.research.geometry.template import Template
from likeness.research.images.portraits import FaceImageSource
from likeness.research.images.sources import ImageSource

_LARGEST_MISFIT = 0.6
"""Root mean square distance of fitted landmarks from the template, over the template's own spread. Of the 13,233 images
of Labeled Faces in the Wild none is above 0.52; with left and right exchanged none is below 0.84."""


@runtime_checkable
class FaceAlignment(Protocol):
    """Says how an image is laid over a template."""

    def to_template(self, template: Template, image: tuple[int, int], source: ImageSource | None) -> Similarity:
        """From the image's pixels to the template's.

        Args:
            template: where the encoder wants the face.
            image: height and width of the image.
            source: where the image comes from, if that is known.

        Raises:
            UserError: when the face cannot be where it is said to be.
        """
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Landmarks:
    """The points of the template in the image, such as a detector of landmarks gives them."""

    points: tuple[tuple[float, float], ...]
    """(x, y), in the template's order."""
    size: tuple[int, int]
    """Width and height of the image in which they were found; the painted one may be larger or smaller."""

    def __post_init__(self) -> None:
        width, height = self.size
        if min(self.size) < 1:
            raise ValueError(f"Landmarks.size is {self.size}: give the width and height of the image, in pixels")
        # A point a little outside is an eye at the edge; one far outside belongs to another image.
        for x, y in self.points:
            if not (-0.5 * width <= x <= 1.5 * width and -0.5 * height <= y <= 1.5 * height):
                raise ValueError(f"Landmarks.points has ({x:g}, {y:g}), outside of the image of {width} × {height} pixels")

    def to_template(self, template: Template, image: tuple[int, int], source: ImageSource | None) -> Similarity:
        """See :class:`FaceAlignment`."""
        del source
        height, width = image
        if abs(height * self.size[0] - width * self.size[1]) > max(*self.size, height, width):
            raise UserError(
                f"The landmarks were found in an image of {self.size[0]} × {self.size[1]} pixels and the one painted is "
                f"{width} × {height}, of other proportions: give the landmarks of this image."
            )
        found = np.array(self.points, np.float64).reshape(-1, 2)
        return align_landmarks((found + 0.5) * [width / self.size[0], height / self.size[1]] - 0.5, template)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceLandmarks:
    """Where the image's source says: a portrait of :mod:`likeness.research.images.portraits` knows."""

    def to_template(self, template: Template, image: tuple[int, int], source: ImageSource | None) -> Similarity:
        """See :class:`FaceAlignment`."""
        if not isinstance(source, FaceImageSource):
            who = "its source is not known here" if source is None else f"a {type(source).__name__} does not say"
            raise UserError(
                f"Where is the face in the image? {who[0].upper()}{who[1:]}. Give five points, in the order eye on the left, "
                "eye on the right, tip of the nose, corner of the mouth on the left, on the right: to `likeness stylize` by "
                "--face X Y …, in a config by face=Landmarks(points=((x, y), …), size=(width, height)); or there "
                "face=CenterCrop() if the face fills the image."
            )
        return align_landmarks(source.landmarks(max(image)).astype(np.float64), template)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CenterCrop:
    """The middle of the image, upright: for images cropped as those were that the encoder was trained on."""

    share: float = 1.0
    """Of the largest crop of the template's proportions that fits in the image."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"CenterCrop.share is {self.share}: give a share above 0, at most 1")

    def to_template(self, template: Template, image: tuple[int, int], source: ImageSource | None) -> Similarity:
        """See :class:`FaceAlignment`."""
        del source
        scale = max(side / pixels for side, pixels in zip(template.size, image, strict=True)) / self.share
        down, right = ((side - 1 - scale * (pixels - 1)) / 2 for side, pixels in zip(template.size, image, strict=True))
        return Similarity(a=scale, b=0.0, right=right, down=down)


def align_landmarks(points: np.ndarray, template: Template) -> Similarity:
    """The best similarity from landmarks (n, 2) in an image's pixels to a template's.

    Raises:
        UserError: when the landmarks do not look like the template.
    """
    goal = template.array()
    try:
        fitted = fit_similarity(points, goal)
    except ValueError as error:
        raise UserError(f"The face cannot be laid over the template: {error}") from error
    misfit = np.sqrt(np.square(fitted(points) - goal).sum() / np.square(goal - goal.mean(axis=0)).sum())
    if misfit > _LARGEST_MISFIT:
        raise UserError(
            f"The landmarks {np.round(points, 1).tolist()} do not look like a face: laid over the template as well as they can "
            f"be, they are off by {misfit:.0%} of its extent. Check their order (the eye on the left of the image, the eye "
            "on its right, the tip of the nose, the corner of the mouth on the left, on the right) and that each is (x, y)."
        )
    return fitted
