"""Arbitrary style transfer: what is learned is a decoder, which then paints any image in any style in one pass."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.experiments.experiment import Batches, Evaluation, Experiment, LossOutput, Part, Variables
from likeness.experiments.fingerprints import Fingerprints
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.held_out import COLUMNS, HeldOut, sheet
from likeness.experiments.style.objective import StyleObjective
from likeness.experiments.style.terms import Term, layers, total
from likeness.research.data.image_sets import Crops, Paintings, RandomCrops, crop_stream
from likeness.research.data.preprocessing import to_unit
from likeness.research.encoders import Vgg
from likeness.research.images.sources import Painting
from likeness.research.losses import Content, MeanStd
from likeness.research.style_networks import Decoder, adain, mirror, style_statistics
from likeness.research.style_networks.adain import StyleStatistics
from likeness.research.style_networks.borders import reflect_to_multiple
from likeness.research.synthetic.styles import CurlStrokes, VoronoiMosaic
from likeness.research.types import AnyArray, Array, Float, PRNGKey, PyTree


@dataclasses.dataclass(frozen=True)
class OpenedArbitraryStyle:
    """The images of a training."""

    contents: Crops
    styles: Crops
    held_out: np.ndarray
    """(n, size, size, 3), RGB in [0, 1]."""
    held_out_styles: np.ndarray
    """The same of styles."""
    encoder: PyTree
    """The encoder's weights, on the device."""
    evaluator: PyTree
    """The weights of the encoder that evaluates."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArbitraryStyle(Experiment):
    """Trains a decoder g behind adaptive instance normalization of an encoder's layer f (Huang and Belongie 2017).

        t = AdaIN(f(C), f(S)),  G = g(t)
        J(θ) = E_{C,S} [alpha Σ w J_content(t, G) + beta Σ w J_style(S, G) + Σ w J_image(G)]

    The content is compared with t at layer f, as in the paper: at its style already. Every batch pairs contents with styles.
    The decoder mirrors the encoder of the
    :class:`~likeness.experiments.style.objective.StyleObjective`, which is frozen.
    """

    evaluating: ClassVar[str] = "painting and evaluating the held-out images"

    contents: RandomCrops = RandomCrops()
    """C."""
    styles: RandomCrops = RandomCrops(sources=(Paintings(),), zoom=(0.35, 1.0))
    """S."""
    batch_size: int = 4
    """Pairs in a batch."""
    objective: StyleObjective = StyleObjective(
        content_terms=(Term(loss=Content(layers=("relu4_1",))),),
        style_terms=(Term(loss=MeanStd(layers=("relu1_1", "relu2_1", "relu3_1", "relu4_1"))),),
    )
    """What is compared, by which encoder, and by whom the paintings are evaluated. The encoder is a Vgg, and J_content reads no
    other layer than f."""
    layer: str = "relu4_1"
    """f, where the statistics are exchanged: the deeper, the larger the strokes and the harder to decode."""
    held_out: HeldOut = HeldOut()
    """The content images that they are evaluated on."""
    held_out_styles: HeldOut = HeldOut(
        images=(Painting(style=CurlStrokes(), seed=1000), Painting(style=VoronoiMosaic(), seed=1000))
    )
    """The style images; of the same size."""

    def __post_init__(self) -> None:
        if not isinstance(self.encoder.encoder, Vgg):
            raise ValueError(
                f"ArbitraryStyle.objective.encoder is a {type(self.encoder.encoder).__name__}, which has no decoder: give a Vgg"
            )
        mirror(self.encoder.encoder, self.layer)
        if other := [name for name in layers(self.objective.content_terms) if name != self.layer]:
            raise ValueError(
                f"ArbitraryStyle.objective.content_terms read {', '.join(other)}, but AdaIN gives targets at {self.layer} "
                "only: name that layer there, or change ArbitraryStyle.layer"
            )
        if self.contents.size != self.styles.size or self.held_out.size != self.held_out_styles.size:
            raise ValueError("ArbitraryStyle has contents and styles of different sizes: give both the same")
        if self.batch_size < 1:
            raise ValueError(f"ArbitraryStyle.batch_size is {self.batch_size}: give 1 or more pairs")

    @property
    def encoder(self) -> FrozenEncoder:
        """That of the objective."""
        return self.objective.encoder

    @property
    def decoder(self) -> Decoder:
        """g."""
        assert isinstance(self.encoder.encoder, Vgg)
        return mirror(self.encoder.encoder, self.layer)

    def open(self) -> OpenedArbitraryStyle:
        """Opens the images and loads the encoder."""
        return OpenedArbitraryStyle(
            contents=self.contents.open(),
            styles=self.styles.open(),
            held_out=self.held_out.open(),
            held_out_styles=self.held_out_styles.open(),
            encoder=self.encoder.variables(),
            evaluator=self.objective.evaluator.variables(),
        )

    def constants(self, data: OpenedArbitraryStyle) -> PyTree:
        """The encoder's weights."""
        return data.encoder

    def fingerprints(self, data: OpenedArbitraryStyle) -> Fingerprints:
        """Of the training images, those that are held out, and the weights of the encoders."""
        return Fingerprints(
            training={
                "content images": data.contents.fingerprint,
                "style images": data.styles.fingerprint,
                **self.encoder.fingerprint(data.encoder),
            },
            validation={
                **self.held_out.fingerprint("held-out image"),
                **self.held_out_styles.fingerprint("held-out style"),
                **self.objective.evaluator.fingerprint(data.evaluator),
            },
        )

    def describe(self, data: OpenedArbitraryStyle) -> tuple[str, ...]:
        """The training images and those that are held out."""
        evaluated, looks = (", ".join(image.title for image in kept.images) for kept in (self.held_out, self.held_out_styles))
        return (
            *(f"content images: {sentence}" for sentence in data.contents.description),
            *(f"style images: {sentence}" for sentence in data.styles.description),
            f"evaluated on {evaluated} in the look of {looks}",
        )

    def stream(self, data: OpenedArbitraryStyle, seed: int) -> Batches:
        """Batches of uint8 ``contents`` and ``styles``, both (b, size, size, 3)."""
        return crop_stream({"contents": data.contents, "styles": data.styles}, self.batch_size, seed)

    def init(self, key: PRNGKey, constants: PyTree, batch: PyTree) -> Variables:
        """A decoder that has seen nothing."""
        del constants, batch
        decoder = self.decoder
        return Variables({"decoder": decoder.init(key, jnp.zeros((1, 4, 4, decoder.widths[-1])))["params"]}, {})

    def learned_shapes(self) -> Variables:
        """The shapes of the decoder's weights."""
        return jax.eval_shape(self.init, jax.random.key(0), {}, {})

    def one_pass(self, learned: Variables) -> "AnyStyle":
        """The encoder and the trained decoder.

        Raises:
            UserError: the encoder's weights cannot be had.
        """
        return AnyStyle(self, learned.params, self.encoder.variables())

    def statistics(self, encoder: PyTree, styles: Array) -> StyleStatistics:
        """What AdaIN sees of style images (b, h, w, 3), by the encoder's weights. Runs under ``jit``."""
        return style_statistics(self.encoder(encoder, styles)[self.layer])

    def paint(
        self, params: PyTree, encoder: PyTree, images: Array, statistics: StyleStatistics, strength: float | Array = 1.0
    ) -> Array:
        """What the decoder makes of images (b, h, w, 3), RGB in [0, 1], in the styles of these statistics, each image in
        its own or all in one; strength 0 only encodes and decodes. Runs under ``jit``."""
        decoder = self.decoder
        height, width = images.shape[1:3]
        seen = self.encoder(encoder, reflect_to_multiple(images, decoder.stride))
        return self._decode(params, adain(seen[self.layer], statistics, strength))[:, :height, :width]

    def _decode(self, params: PyTree, features: Array) -> Array:
        return self.decoder.apply({"params": params["decoder"]}, features)  # pyright: ignore[reportReturnType]

    def cost(self, params: PyTree, state: PyTree, constants: PyTree, batch: PyTree, key: PRNGKey) -> LossOutput:
        """J of a batch of pairs, and its three parts."""
        del key
        contents, styles = (to_unit(batch[name]) for name in ("contents", "styles"))
        variables = constants
        looks = self.encoder(variables, styles)
        features = adain(self.encoder(variables, contents)[self.layer], style_statistics(looks[self.layer]))
        activations = self.encoder(variables, self._decode(params, features))
        terms = self.objective
        parts = terms.parts(
            total(terms.content_terms, activations, [term.loss.target({self.layer: features}) for term in terms.content_terms]),
            total(terms.style_terms, activations, [term.loss.target(looks) for term in terms.style_terms]),
            total(terms.image_terms, activations, [term.loss.target(activations) for term in terms.image_terms]),
        )
        return LossOutput(sum(parts.values(), start=jnp.zeros(())), state, parts)

    def evaluate(self, data: OpenedArbitraryStyle, params: PyTree, state: PyTree, part: Part) -> Evaluation:
        """How far the held-out images are from their content and from the held-out styles, and what they look like.

        What begins with ``unpainted`` is the same of the images as they came.
        """
        del state
        contents, styles, encoder = data.held_out, data.held_out_styles, data.encoder
        painted = [
            np.asarray(_painted(self, params, encoder, contents, style[None]))
            for style in tracked("painting held-out images", list(styles))
        ]
        works = [
            (painted[column][row], contents[row], style) for column, style in enumerate(styles) for row in range(len(contents))
        ]
        metrics = self.objective.metrics(encoder, data.evaluator, works)
        notes: tuple[str, ...] = ()
        if part == "test":
            metrics |= self.objective.metrics(
                encoder, data.evaluator, [(c, c, style) for _, c, style in works], before="unpainted/"
            )
            notes = (f"{len(contents)} held-out images in {len(styles)} held-out styles",)
        rows = [[column[row] for column in painted] for row in range(len(contents))]
        drawn = sheet(list(contents), list(styles), rows)
        return Evaluation(metrics=metrics, columns=COLUMNS, images={"sheet": drawn}, notes=notes)


@dataclasses.dataclass(frozen=True, eq=False)
class AnyStyle:
    """An encoder and a trained decoder, which paint in the look of any images."""

    styles: ClassVar[None] = None

    experiment: ArbitraryStyle
    params: PyTree
    """What was learned."""
    encoder: PyTree
    """The frozen encoder's weights."""

    def __call__(
        self,
        image: Float[AnyArray, "1 h w 3"],
        weights: Float[AnyArray, "n"],
        styles: Sequence[Float[AnyArray, "h w 3"]],
        strength: float,
    ) -> Float[Array, "1 h w 3"]:
        """See :class:`~likeness.experiments.style.one_pass.OnePass`."""
        seen = [_statistics(self.experiment, self.encoder, style[None]) for style in styles]
        look = jax.tree.map(lambda *parts: jnp.tensordot(weights, jnp.stack(parts), 1), *seen)
        return _decoded(self.experiment, self.params, self.encoder, image, look, jnp.float32(strength))


@functools.partial(jax.jit, static_argnums=0)
def _statistics(experiment: ArbitraryStyle, encoder: PyTree, style: Array) -> StyleStatistics:
    return experiment.statistics(encoder, style)


@functools.partial(jax.jit, static_argnums=0)
def _decoded(
    experiment: ArbitraryStyle, params: PyTree, encoder: PyTree, image: Array, look: StyleStatistics, strength: Array
) -> Array:
    return jnp.clip(experiment.paint(params, encoder, image, look, strength), 0.0, 1.0)


@functools.partial(jax.jit, static_argnums=0)
def _painted(experiment: ArbitraryStyle, params: PyTree, encoder: PyTree, images: Array, style: Array) -> Array:
    statistics = experiment.statistics(encoder, style)
    return jnp.clip(experiment.paint(params, encoder, images, statistics), 0.0, 1.0)
