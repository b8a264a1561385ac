"""Fast style transfer: what is learned are the weights of a second network, which then paints any image in one pass."""

import dataclasses
import functools
from typing import ClassVar, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.experiments.experiment import Batches, Evaluation, Experiment, LossOutput, Part, Variables
from likeness.experiments.fingerprints import Fingerprints
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.held_out import COLUMNS, HeldOut, sheet
from likeness.experiments.style.objective import StyleObjective
from likeness.experiments.style.one_pass import LearnedStyles
from likeness.experiments.style.terms import Term, targets, total
from likeness.research.checks import check_members
from likeness.research.data.image_sets import Crops, RandomCrops, crop_stream
from likeness.research.data.preprocessing import to_unit
from likeness.research.errors import UserError
from likeness.research.images.sources import ImageSource
from likeness.research.losses import Content
from likeness.research.style_networks import Johnson, StyleNetwork
from likeness.research.types import Array, PRNGKey, PyTree


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearnedStyle:
    """An image whose look a style network learns."""

    image: ImageSource
    """The image."""
    size: int = 256
    """Its longer side, in pixels. Strokes are painted as large as they are in it."""
    weight: float = 1.0
    """How often it is drawn in training beside other styles."""

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 16384:
            raise ValueError(f"LearnedStyle.size is {self.size}: give 16 to 16384 pixels")
        if not 0 < self.weight < float("inf"):
            raise ValueError(f"LearnedStyle.weight is {self.weight}: give a finite number above 0")


class FastStyleConstants(NamedTuple):
    """What the cost of fast style transfer reads, on the device."""

    encoder: PyTree
    """Its weights."""
    styles: list[PyTree]
    """What each style term keeps, one row a style."""
    chances: Array
    """How often each style is drawn."""


@dataclasses.dataclass(frozen=True)
class OpenedFastStyle:
    """The images of a training and what the cost keeps of the styles."""

    crops: Crops
    styles: tuple[np.ndarray, ...]
    """(h, w, 3), RGB in [0, 1]."""
    held_out: np.ndarray
    """(n, size, size, 3), RGB in [0, 1]."""
    constants: FastStyleConstants
    evaluator: PyTree
    """The weights of the encoder that evaluates."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FastStyle(Experiment):
    """Trains a style network P so that P(C) has the content of any image C and the look of a style S (Johnson et al. 2016).

        J(θ) = E_C [alpha Σ w J_content(C, P(C)) + beta Σ w J_style(S, P(C)) + Σ w J_image(P(C))]

    as the :class:`~likeness.experiments.style.objective.StyleObjective` says. A network of several styles gets one of them for
    each image of a batch, drawn by the styles' weights (Dumoulin et al. 2017).
    """

    evaluating: ClassVar[str] = "painting and evaluating the held-out images"

    styles: tuple[LearnedStyle, ...]
    """S, what the network's images are to look like: one, or as many as the network has styles."""
    images: RandomCrops = RandomCrops()
    """C, what is painted in training."""
    batch_size: int = 4
    """Images in a batch."""
    network: nn.Module = Johnson()
    """P, a :class:`~likeness.research.style_networks.StyleNetwork`."""
    objective: StyleObjective = StyleObjective(content_terms=(Term(loss=Content(layers=("relu3_3",))),))
    """What is compared, by which encoder, and by whom the paintings are evaluated."""
    held_out: HeldOut = HeldOut()
    """The images that they are evaluated on."""

    def __post_init__(self) -> None:
        say = f"Johnson() or Conditional(styles={len(self.styles)})"
        check_members("FastStyle", "network", self.network, StyleNetwork, say)
        if len(self.styles) != self.style_count:
            raise ValueError(
                f"FastStyle has {len(self.styles)} styles and a {type(self.network).__name__} that paints "
                f"{self.style_count}: give as many, or Conditional(styles={len(self.styles)})"
            )
        if self.batch_size < 1:
            raise ValueError(f"FastStyle.batch_size is {self.batch_size}: give 1 or more images")

    @property
    def encoder(self) -> FrozenEncoder:
        """That of the objective."""
        return self.objective.encoder

    @property
    def style_count(self) -> int:
        """How many styles the network has."""
        return cast(StyleNetwork, self.network).styles

    def open(self) -> OpenedFastStyle:
        """Opens the images, loads the encoder and takes the targets."""
        crops, held_out = self.images.open(), self.held_out.open()
        styles = tuple(style.image.open(style.size) for style in self.styles)
        variables = self.encoder.variables()
        try:
            kept = [targets(self.encoder, variables, style, self.objective.style_terms) for style in styles]
            stacked = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *kept)
        except (ValueError, TypeError) as error:
            raise UserError(
                "The style images and the losses of this config do not fit each other, or what a loss keeps of the styles "
                f"has not one shape for all of them: {error}"
            ) from error
        weights = jnp.asarray([style.weight for style in self.styles], jnp.float32)
        constants = FastStyleConstants(variables, stacked, weights / weights.sum())
        return OpenedFastStyle(crops, styles, held_out, constants, self.objective.evaluator.variables())

    def constants(self, data: OpenedFastStyle) -> FastStyleConstants:
        """The encoder's weights, what the losses keep of the styles, and how often each is drawn."""
        return data.constants

    def fingerprints(self, data: OpenedFastStyle) -> Fingerprints:
        """Of the training images, the styles, the images that are held out, and the weights of the encoders."""
        styles = {f"style {number}": style.image.fingerprint() for number, style in enumerate(self.styles, 1)}
        return Fingerprints(
            training={
                "training images": data.crops.fingerprint,
                **styles,
                **self.encoder.fingerprint(data.constants.encoder),
            },
            validation={**self.held_out.fingerprint("held-out image"), **self.objective.evaluator.fingerprint(data.evaluator)},
        )

    def describe(self, data: OpenedFastStyle) -> tuple[str, ...]:
        """The styles, the training images and those that are held out."""
        named = [
            f"{style.image.title} ({pixels.shape[1]} × {pixels.shape[0]})"
            for style, pixels in zip(self.styles, data.styles, strict=True)
        ]
        evaluated = ", ".join(image.title for image in self.held_out.images)
        return (
            f"learning to paint in the look of {', '.join(named)}",
            *(f"training images: {sentence}" for sentence in data.crops.description),
            f"evaluated on {evaluated}",
        )

    def stream(self, data: OpenedFastStyle, seed: int) -> Batches:
        """Batches of uint8 ``images`` (b, size, size, 3)."""
        return crop_stream({"images": data.crops}, self.batch_size, seed)

    def init(self, key: PRNGKey, constants: FastStyleConstants, batch: PyTree) -> Variables:
        """A style network that has seen nothing."""
        del constants
        image = jnp.zeros((1, *batch["images"].shape[1:]), jnp.float32)
        weights = jnp.ones((1, self.style_count))
        return Variables({"network": self.network.init(key, image, weights)["params"]}, {})

    def learned_shapes(self) -> Variables:
        """The shapes of the network's weights."""
        batch = {"images": jax.ShapeDtypeStruct((1, 64, 64, 3), np.uint8)}
        return jax.eval_shape(self.init, jax.random.key(0), {}, batch)

    def one_pass(self, learned: Variables) -> LearnedStyles:
        """The trained network."""
        titles = tuple(style.image.title for style in self.styles)
        return LearnedStyles(cast(StyleNetwork, self.network), {"params": learned.params["network"]}, titles)

    def paint(self, params: PyTree, images: Array, weights: Array) -> Array:
        """What the network makes of images (b, h, w, 3), RGB in [0, 1], in styles of weights (b, n). Runs under ``jit``."""
        return self.network.apply({"params": params["network"]}, images, weights)  # pyright: ignore[reportReturnType]

    def cost(self, params: PyTree, state: PyTree, constants: FastStyleConstants, batch: PyTree, key: PRNGKey) -> LossOutput:
        """J of a batch, each image in one style, and its three parts."""
        images = to_unit(batch["images"])
        drawn = jax.random.choice(key, self.style_count, (len(images),), p=constants.chances)
        painted = self.paint(params, images, jax.nn.one_hot(drawn, self.style_count))
        original, activations = self.encoder(constants.encoder, images), self.encoder(constants.encoder, painted)
        terms, style = self.objective, jax.tree.map(lambda leaf: leaf[drawn], constants.styles)
        parts = terms.parts(
            total(terms.content_terms, activations, [term.loss.target(original) for term in terms.content_terms]),
            total(terms.style_terms, activations, style),
            total(terms.image_terms, activations, [term.loss.target(original) for term in terms.image_terms]),
        )
        return LossOutput(sum(parts.values(), start=jnp.zeros(())), state, parts)

    def evaluate(self, data: OpenedFastStyle, params: PyTree, state: PyTree, part: Part) -> Evaluation:
        """How far the held-out images are from their content and from the styles, and what they look like.

        What begins with ``unpainted`` is the same of the images as they came.
        """
        del state
        count, contents = self.style_count, data.held_out
        columns = [np.eye(count, dtype=np.float32)[style] for style in range(count)]
        if count > 1:
            columns.append(np.full(count, 1.0 / count, np.float32))
        painted = [
            np.asarray(_painted(self, params, contents, np.tile(weights, (len(contents), 1))))
            for weights in tracked("painting held-out images", columns)
        ]
        own = data.constants.encoder
        works = [
            (painted[style][row], contents[row], data.styles[style]) for style in range(count) for row in range(len(contents))
        ]
        metrics = self.objective.metrics(own, data.evaluator, works)
        notes: tuple[str, ...] = ()
        if part == "test":
            metrics |= self.objective.metrics(
                own, data.evaluator, [(c, c, style) for _, c, style in works], before="unpainted/"
            )
            notes = (f"{len(contents)} held-out images, each in {count} style{'s' if count > 1 else ''}",)
        rows = [[column[row] for column in painted] for row in range(len(contents))]
        drawn = sheet(list(contents), data.styles, rows)
        return Evaluation(metrics=metrics, columns=COLUMNS, images={"sheet": drawn}, notes=notes)


@functools.partial(jax.jit, static_argnums=0)
def _painted(experiment: FastStyle, params: PyTree, images: Array, weights: Array) -> Array:
    return jnp.clip(experiment.paint(params, images, weights), 0.0, 1.0)
