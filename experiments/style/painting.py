"""A trained style network, ready to paint: what the command line and notebooks use after fast style transfer was trained, and
with published weights."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias, cast

import jax.numpy as jnp
import numpy as np

from likeness.experiments.style.one_pass import LearnedStyles, OnePass, TrainsOnePass
from likeness.experiments.training.evaluation import read_run, restore
from likeness.research.data.paths import printable
from likeness.research.errors import UserError
from likeness.research.images import fit, read_image, resize, write_image
from likeness.research.images.reading import LoadedImage
from likeness.research.style_networks import StyleNetwork
from likeness.research.types import Float
from likeness.research.weights import KNOWN

Pixels: TypeAlias = Float[np.ndarray, "h w 3"]


@dataclasses.dataclass(frozen=True, eq=False)
class Stylizer:
    """A network that paints in one pass, with its weights.

    Example::

        stylizer = Stylizer.load("runs/stylization/fast_johnson")
        painted = stylizer(read_image("photo.jpg").pixels)
    """

    name: str
    """Where it comes from, for errors."""
    one_pass: OnePass
    """What paints."""

    @classmethod
    def load(cls, model: str | Path) -> "Stylizer":
        """Loads the best checkpoint of a working directory, or published weights by name. Needs no training data.

        Raises:
            UserError: there is no such directory or name, or what it holds paints nothing in one pass.
        """
        if not Path(model).is_dir():
            return cls._published(str(model))
        run = read_run(model)
        experiment, name = run.experiment, printable(model)
        if not isinstance(experiment, TrainsOnePass):
            raise UserError(
                f"{name} holds a run of {type(experiment).__name__}, which paints nothing in one pass: give the working "
                "directory of a config such as stylization/fast_johnson."
            )
        return cls(name, experiment.one_pass(restore(model, run, experiment.learned_shapes())[1]))

    @classmethod
    def _published(cls, name: str) -> "Stylizer":
        published = {one.name: one for one in KNOWN if isinstance(one.encoder, StyleNetwork)}
        if name not in published:
            raise UserError(
                f"There is no working directory {printable(name)}, and no published style network of that name: give one of "
                f"{', '.join(published)}, or train one with `likeness train stylization/fast_johnson`."
            )
        network = cast(StyleNetwork, published[name].encoder)
        styles = (name,) if network.styles == 1 else tuple(str(number) for number in range(network.styles))
        return cls(name, LearnedStyles(network, published[name].load()[0], styles))

    def weights_of(self, styles: Sequence[str], weights: Sequence[float] = ()) -> tuple[float, ...]:
        """How much of each learned style an image gets that is painted in some of them, for :meth:`__call__`.

        Args:
            styles: names of learned styles, which are mixed.
            weights: how much of each; () for all alike.

        Raises:
            UserError: it has not learned a style of that name, or paints in any style; another number of weights.
        """
        learned = self.one_pass.styles
        if learned is None:
            raise UserError(f"{self.name} has learned no style of its own and paints in any: give style images.")
        if unknown := [style for style in styles if style not in learned]:
            raise UserError(
                f"{self.name} paints in the style{'s' if len(learned) > 1 else ''} that it has learned ({', '.join(learned)}) "
                f"and in no other: {printable(unknown[0])} is none of them. `likeness stylize` without --model paints in the "
                "look of any image, and so does a network of stylization/fast_adain."
            )
        given = weights or (1.0,) * len(styles)
        if len(given) != len(styles):
            raise UserError(f"{len(given)} weights are given for {len(styles)} styles: give one weight for each.")
        mixed = dict.fromkeys(learned, 0.0)
        for style, weight in zip(styles, given, strict=True):
            mixed[style] += weight
        return tuple(mixed.values())

    def __call__(
        self, image: Pixels, *, weights: Sequence[float] = (), styles: Sequence[Pixels] = (), strength: float = 1.0
    ) -> Pixels:
        """Paints one image.

        Args:
            image: RGB in [0, 1], of any size that the network can take. Each new size compiles a program of its own.
            weights: how much of each style, of a network that knows several or of several style images; scaled to sum
                to 1. () for all alike.
            styles: style images of any size, for a network of any style.
            strength: of a network of any style: 0 leaves the content's own look, 1 takes all of the style.

        Returns:
            Of the same size, in [0, 1].

        Raises:
            UserError: what this network needs is missing, or it cannot do what is asked; the image is too small.
        """
        self._check_styles(len(styles), strength)
        if not 0 <= strength <= 1:
            raise UserError(f"The strength of a style is {strength}: give a number from 0 to 1.")
        learned = self.one_pass.styles
        mixed = self._mixture(weights, len(styles) if learned is None else len(learned))
        try:
            painted = self.one_pass(image[None], mixed, styles, strength)
        except ValueError as error:
            raise UserError(f"{self.name} cannot paint this image: {error}") from error
        return np.asarray(painted[0])

    def _check_styles(self, count: int, strength: float) -> None:
        learned = self.one_pass.styles
        if learned is None:
            if count == 0:
                raise UserError(f"{self.name} paints in any style, and none is given: give a style image.")
        elif count:
            raise UserError(
                f"{self.name} paints in the style{'s' if len(learned) > 1 else ''} that it has learned "
                f"({', '.join(learned)}) and in no other: leave the style image out, or train stylization/fast_adain."
            )
        elif strength != 1:
            raise UserError(f"{self.name} has learned its style at one strength: leave the strength at 1.")

    def _mixture(self, weights: Sequence[float], count: int) -> Float[np.ndarray, "n"]:
        mixed = np.asarray(weights or (1.0,) * count, np.float32)
        if len(mixed) != count:
            named = f" ({', '.join(self.one_pass.styles)})" if self.one_pass.styles else ""
            raise UserError(f"{len(mixed)} weights are given for {count} styles{named}: give one weight for each.")
        if not (np.isfinite(mixed).all() and mixed.min() >= 0 and mixed.sum() > 0):
            raise UserError(f"The weights of the styles are {weights}: give finite numbers, 0 or more, not all 0.")
        return mixed / mixed.sum()


def paint(
    stylizer: Stylizer,
    content: str | Path,
    out: str | Path,
    *,
    styles: Sequence[str] = (),
    size: int | None = None,
    weights: Sequence[float] = (),
    strength: float = 1.0,
) -> None:
    """Paints an image file with a trained style network and writes the result: ``likeness stylize --model``.

    Args:
        stylizer: what paints.
        content: the image file. Its transparency and its bits are kept where the format of ``out`` holds them.
        out: where the painting goes.
        styles: image files, for a network of any style, brought to the longer side of what is painted; names of learned
            styles for one that has several, of which at least one is named. Several are mixed.
        size: longer side in pixels; None for the image's own.
        weights, strength: see :meth:`Stylizer.__call__`.

    Raises:
        UserError: a file that cannot be read or written, or what :class:`Stylizer` refuses.
    """
    image = read_image(content)
    if size is not None:
        image = resized(image, size)
    learned, looks = stylizer.one_pass.styles, []
    if learned is None:
        looks = [resized(read_image(style), max(image.pixels.shape)).pixels for style in styles]
    elif styles:
        weights = stylizer.weights_of(styles, weights)
    elif len(learned) > 1:
        raise UserError(
            f"{stylizer.name} has learned {len(learned)} styles, and none of them is named: name one after the image, or "
            f"several, which are mixed ({', '.join(learned)}); `--grid sheet.png` paints one image in each."
        )
    painted = stylizer(image.pixels, weights=weights, styles=looks, strength=strength)
    ending = Path(out).suffix.lower()
    write_image(
        out,
        painted,
        bits=image.bits if ending == ".png" else 8,
        alpha=image.alpha if ending in (".png", ".tif", ".tiff", ".webp") else None,
    )


def resized(image: LoadedImage, size: int) -> LoadedImage:
    """An image file's content with ``size`` pixels on its longer side.

    Raises:
        UserError: the size is below 1.
    """
    if size < 1:
        raise UserError(f"The size is {size}: give the longer side in pixels.")
    shape = fit((image.pixels.shape[0], image.pixels.shape[1]), size)
    pixels = np.clip(np.asarray(resize(jnp.asarray(image.pixels), shape)), 0.0, 1.0)
    alpha = image.alpha
    if alpha is not None:
        alpha = np.clip(np.asarray(resize(jnp.asarray(alpha)[..., None], shape))[..., 0], 0.0, 1.0)
    return dataclasses.replace(image, pixels=pixels, alpha=alpha)
