"""ArtFID of a set of paintings, as a config names it: the encoder whose features are compared, and LPIPS."""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.perceptual import Perceptual
from likeness.research.encoders import InceptionV3
from likeness.research.errors import UserError
from likeness.research.metrics.frechet import art_fid, extrapolated_frechet_distance, frechet_distance
from likeness.research.types import Array, Float, PyTree, Scalar
from likeness.research.weights import Pretrained

__all__ = ["ArtFID", "ArtFIDScore"]


class ArtFIDScore(NamedTuple):
    """How well a set of paintings keeps its contents and meets its styles."""

    content_distance: float
    """The mean LPIPS of the paintings from their contents, in no unit; 0 is the same images."""
    style_distance: float
    """FID∞ of the paintings from the styles, or FID, in squared units of the features; 0 is the same mean and covariance."""
    value: float
    """``(1 + content_distance)(1 + style_distance)``; 1 is best."""
    paintings: int
    """How many they are. Where the distance is not extrapolated, only values of as many compare."""
    extrapolated: bool
    """Whether the style's distance is FID∞, and not FID."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArtFID:
    """ArtFID (Wright and Ommer 2022) of a set of paintings, where its weights are at hand: ``(1 + LPIPS)(1 + FID)``.

    LPIPS is AlexNet's, from each painting to its content, and its mean is taken. FID compares all paintings with all styles, by
    the 2,048 features of an Inception-v3 that its authors trained on paintings. Images are shown to both networks in the size
    that they have.

    The weights are ``alexnet`` and ``lpips_alex``, which ``likeness weights fetch`` brings, and ``inception_art``, which a
    person brings: ``likeness weights import art_inception.pth --name inception_art``. That file was not at hand here, so no
    published value has been compared. With drawn weights the features are those of the authors' own code (art-fid 0.0.2) to
    2e-6 of the largest.

    Of more than ``smallest`` paintings the distance of the styles is FID∞, as the authors' command computes it (see
    :func:`~likeness.research.metrics.frechet.extrapolated_frechet_distance`). Of fewer it is FID of all of them, which is what
    their code comes to then too: each of its distances is of the same images.

    FID of n paintings is the larger the fewer they are. The authors take 50,000 pairs of a content and a style. Of a hundred
    paintings it compares only methods that painted the same pairs, and says nothing beside values from elsewhere.
    """

    encoder: FrozenEncoder = FrozenEncoder(encoder=InceptionV3(), weights=Pretrained(name="inception_art"))
    """Whose features are compared."""
    layer: str = "avgpool"
    """The layer that is read; the mean over its map where it has one."""
    perceptual: Perceptual = Perceptual(network="alex")
    """LPIPS, by which paintings are compared with contents."""
    smallest: int = 5000
    """Of more paintings than these the style's distance is extrapolated, from sizes that begin here."""
    points: int = 15
    """How many sizes those are: the authors' function has 15, and their command hands it 8, its number of workers."""

    def __post_init__(self) -> None:
        if self.smallest < 2 or self.points < 2:
            raise ValueError(
                f"ArtFID: smallest is {self.smallest} and points is {self.points}; a line over sizes takes at least 2 of each."
            )

    def variables(self) -> PyTree:
        """The weights of the encoder and of LPIPS.

        Raises:
            UserError: they cannot be had, or do not fit.
        """
        return {"encoder": self.encoder.variables(), "perceptual": self.perceptual.variables()}

    def features(self, variables: PyTree, images: Iterable[Float[np.ndarray, "h w 3"]]) -> Float[np.ndarray, "n d"]:
        """What the encoder sees in images, one after the other; each size among them is compiled once.

        Args:
            variables: :meth:`variables`.
            images: RGB in [0, 1], of any sizes.

        Returns:
            float32, a row an image.

        Raises:
            UserError: no images, one that is too small for the encoder, or no such layer.
        """
        rows = []
        for number, image in enumerate(images, 1):
            try:
                rows.append(np.asarray(_features(self.encoder, self.layer, variables["encoder"], jnp.asarray(image)[None])[0]))
            except ValueError as error:
                raise UserError(f"ArtFID: image {number} of {_size(image)} cannot be measured: {error}") from error
        if not rows:
            raise UserError("ArtFID: there are no images to measure; give a set of paintings, and the images of their styles.")
        return np.stack(rows)

    def content_distances(
        self,
        variables: PyTree,
        paintings: Sequence[Float[np.ndarray, "h w 3"]],
        contents: Sequence[Float[np.ndarray, "h w 3"]],
    ) -> Float[np.ndarray, "n"]:
        """LPIPS of each painting from its content.

        Args:
            variables: :meth:`variables`.
            paintings: RGB in [0, 1].
            contents: one for each of them, of its size.

        Returns:
            float64.

        Raises:
            UserError: none, another number of contents, or a content of another size than its painting.
        """
        count = len(paintings)
        if not count or len(contents) != count:
            raise UserError(
                f"ArtFID: there are {count} paintings and {len(contents)} contents; give the content of each painting, "
                "in the same order."
            )
        found = []
        for number, (painting, content) in enumerate(zip(paintings, contents, strict=True), 1):
            if painting.shape != content.shape:
                raise UserError(
                    f"ArtFID: painting {number} has {_size(painting)} and its content {_size(content)}; give both of one size."
                )
            pair = (jnp.asarray(each)[None] for each in (painting, content))
            found.append(float(_perceptual(self.perceptual, variables["perceptual"], *pair)))
        return np.array(found)

    def score(
        self,
        painted: Float[np.ndarray, "n d"],
        styles: Float[np.ndarray, "m d"],
        content_distances: Float[np.ndarray, "n"],
    ) -> ArtFIDScore:
        """ArtFID of what was measured already.

        Args:
            painted: :meth:`features` of the paintings.
            styles: :meth:`features` of the styles. A style that several paintings have counts as often as it has rows.
            content_distances: :meth:`content_distances`.

        Raises:
            UserError: fewer than two paintings or styles, or another number of styles than of paintings where the distance is
                extrapolated.
        """
        count = len(painted)
        if min(count, len(styles)) < 2:
            raise UserError(
                f"ArtFID: there are {count} paintings and {len(styles)} styles; a covariance takes two of either, and says "
                "something of thousands."
            )
        extrapolated = count > self.smallest
        if extrapolated and len(styles) != count:
            raise UserError(
                f"ArtFID: there are {count} paintings and {len(styles)} styles; more than {self.smallest} paintings are "
                "extrapolated from, which takes the style of each painting, in the same order."
            )
        if extrapolated:
            distance = extrapolated_frechet_distance(painted, styles, smallest=self.smallest, points=self.points)
        else:
            distance = frechet_distance(painted, styles)
        content = float(np.mean(content_distances))
        # Below 0 it is only by rounding, or by the noise of an extrapolation.
        distance = max(distance, 0.0)
        return ArtFIDScore(content, distance, art_fid(content, distance), count, extrapolated)

    def __call__(
        self,
        variables: PyTree,
        paintings: Sequence[Float[np.ndarray, "h w 3"]],
        contents: Sequence[Float[np.ndarray, "h w 3"]],
        styles: Sequence[Float[np.ndarray, "h w 3"]],
    ) -> ArtFIDScore:
        """ArtFID of a set of paintings.

        Args:
            variables: :meth:`variables`.
            paintings: RGB in [0, 1], as they are in their 8-bit files.
            contents: one for each of them, of its size.
            styles: the image whose style each has, in the same order, of any size; or, of up to ``smallest`` paintings, any
                other images of the style, at least two.

        Raises:
            UserError: see :meth:`features`, :meth:`content_distances` and :meth:`score`.
        """
        kept = self.content_distances(variables, paintings, contents)
        return self.score(self.features(variables, paintings), self.features(variables, styles), kept)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _features(encoder: FrozenEncoder, layer: str, variables: PyTree, images: Array) -> Array:
    activations = encoder(variables, images)
    if layer not in activations:
        raise ValueError(f"the encoder has no layer {layer!r}; it has {', '.join(activations)}")
    found = activations[layer].astype(jnp.float32)
    return found.mean(axis=tuple(range(1, found.ndim - 1)))


@functools.partial(jax.jit, static_argnums=0)
def _perceptual(distance: Perceptual, variables: PyTree, image: Array, content: Array) -> Scalar:
    return distance(variables, image, content)


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}×{image.shape[0]} pixels"
