"""Fast style transfer: what is learned are the weights of a second network, which then paints any picture in one pass."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.experiments.experiment import Batches, Cost, Evaluation, Part, Variables
from likeness.experiments.style.frozen import FrozenEncoder
from likeness.experiments.style.held_out import COLUMNS, Critic, HeldOut, sheet
from likeness.experiments.style.judge import Judge
from likeness.experiments.style.terms import Term, targets, total
from likeness.experiments.training.resuming import Fingerprints
from likeness.research.data.image_sets import Crops, RandomCrops, crop_stream
from likeness.research.data.preprocessing import to_unit
from likeness.research.errors import UserError
from likeness.research.images.sources import PictureSource
from likeness.research.losses import Content, Gram, TotalVariation
from likeness.research.style_networks import Conditional, Johnson
from likeness.research.types import Array, PRNGKey, PyTree


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearnedStyle:
    """A picture whose look a painter learns."""

    picture: PictureSource
    """The picture."""
    size: int = 256
    """Its longer side, in pixels. Strokes are painted as large as they are in it."""
    weight: float = 1.0
    """How often it is drawn in training beside other styles."""

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 16384:
            raise ValueError(f"LearnedStyle.size is {self.size}: give 16 to 16384 pixels")
        if not 0 < self.weight < float("inf"):
            raise ValueError(f"LearnedStyle.weight is {self.weight}: give a finite number above 0")


@dataclasses.dataclass(frozen=True)
class Opened:
    """The pictures of a training and what the cost keeps of the styles."""

    crops: Crops
    styles: tuple[np.ndarray, ...]
    """(h, w, 3), RGB in [0, 1]."""
    held_out: np.ndarray
    """(n, size, size, 3), RGB in [0, 1]."""
    fixed: PyTree
    """The encoder's weights and the targets, on the device."""
    judge: PyTree
    """The weights of the encoder that judges."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FastStyle:
    """Trains a painter P so that P(C) has the content of any picture C and the look of a style S (Johnson et al. 2016).

        J(θ) = E_C [alpha Σ w J_content(C, P(C)) + beta Σ w J_style(S, P(C)) + Σ w J_picture(P(C))]

    A painter of several styles gets one of them for each picture of a batch, drawn by the styles' weights (Dumoulin et al.
    2017). The losses are those of :class:`~likeness.experiments.style.stylization.Stylization`; the encoder is frozen.
    """

    judging: ClassVar[str] = "painting and judging the held-out pictures"

    styles: tuple[LearnedStyle, ...]
    """S, what the painter's pictures are to look like: one, or as many as the painter has styles."""
    pictures: RandomCrops = RandomCrops()
    """C, what is painted in training."""
    batch_size: int = 4
    """Pictures in a batch."""
    painter: Johnson | Conditional = Johnson()
    """P."""
    encoder: FrozenEncoder = FrozenEncoder()
    """The encoder and where its weights come from."""
    judge: Judge = Judge()
    """By whom the paintings are judged."""
    held_out: HeldOut = HeldOut()
    """The pictures that they are judged on."""
    alpha: float = 1.0
    """Strength of the content."""
    beta: float = 1.0
    """Strength of the style."""
    content_terms: tuple[Term, ...] = (Term(loss=Content(layers=("relu3_3",))),)
    """J_content."""
    style_terms: tuple[Term, ...] = (Term(loss=Gram(layers=("relu1_1", "relu2_1", "relu3_1", "relu4_1"))),)
    """J_style."""
    picture_terms: tuple[Term, ...] = (Term(loss=TotalVariation(), weight=0.1),)
    """J_picture, of the painted picture alone."""

    def __post_init__(self) -> None:
        if len(self.styles) != self.painters_styles:
            raise ValueError(
                f"FastStyle has {len(self.styles)} styles and a {type(self.painter).__name__} that paints "
                f"{self.painters_styles}: give as many, or Conditional(styles={len(self.styles)})"
            )
        if self.batch_size < 1:
            raise ValueError(f"FastStyle.batch_size is {self.batch_size}: give 1 or more pictures")
        for name in ("alpha", "beta"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"FastStyle.{name} is {getattr(self, name)}: give a finite number, 0 or more")

    @property
    def painters_styles(self) -> int:
        """How many styles the painter has."""
        return self.painter.styles if isinstance(self.painter, Conditional) else 1

    def open(self) -> Opened:
        """Opens the pictures, loads the encoder and takes the targets."""
        crops, held_out = self.pictures.open(), self.held_out.open()
        styles = tuple(style.picture.open(style.size) for style in self.styles)
        variables = self.encoder.variables()
        try:
            kept = [targets(self.encoder, variables, style, self.style_terms) for style in styles]
            stacked = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *kept)
        except (ValueError, TypeError) as error:
            raise UserError(
                "The style pictures and the losses of this config do not fit each other, or what a loss keeps of the styles "
                f"has not one shape for all of them: {error}"
            ) from error
        weights = jnp.asarray([style.weight for style in self.styles], jnp.float32)
        fixed = {"encoder": variables, "styles": stacked, "chances": weights / weights.sum()}
        return Opened(crops, styles, held_out, fixed, self.judge.variables())

    def fixed(self, data: Opened) -> PyTree:
        """The encoder's weights, what the losses keep of the styles, and how often each is drawn."""
        return data.fixed

    def fingerprints(self, data: Opened) -> Fingerprints:
        """Of the training pictures, the styles, the pictures that are held out, and the weights of the encoders."""
        styles = {f"style {number}": style.picture.fingerprint() for number, style in enumerate(self.styles, 1)}
        return Fingerprints(
            training={
                "training pictures": data.crops.fingerprint,
                **styles,
                **self.encoder.fingerprint(data.fixed["encoder"]),
            },
            validation={**self.held_out.fingerprint("held-out picture"), **self.judge.fingerprint(data.judge)},
        )

    def describe(self, data: Opened) -> tuple[str, ...]:
        """The styles, the training pictures and those that are held out."""
        named = [
            f"{style.picture.title} ({pixels.shape[1]} × {pixels.shape[0]})"
            for style, pixels in zip(self.styles, data.styles, strict=True)
        ]
        judged = ", ".join(picture.title for picture in self.held_out.pictures)
        return (
            f"learning to paint in the look of {', '.join(named)}",
            *(f"training pictures: {sentence}" for sentence in data.crops.description),
            f"judged on {judged}",
        )

    def stream(self, data: Opened, seed: int) -> Batches:
        """Batches of uint8 ``pictures`` (b, size, size, 3)."""
        return crop_stream({"pictures": data.crops}, self.batch_size, seed)

    def init(self, key: PRNGKey, fixed: PyTree, batch: PyTree) -> Variables:
        """A painter that has seen nothing."""
        del fixed
        picture = jnp.zeros((1, *batch["pictures"].shape[1:]), jnp.float32)
        weights = () if isinstance(self.painter, Johnson) else (jnp.ones((1, self.painters_styles)),)
        return Variables({"painter": self.painter.init(key, picture, *weights)["params"]}, {})

    def paint(self, params: PyTree, pictures: Array, weights: Array) -> Array:
        """What the painter makes of pictures (b, h, w, 3), RGB in [0, 1], in styles of weights (b, n). Runs under ``jit``."""
        chosen = () if isinstance(self.painter, Johnson) else (weights,)
        return self.painter.apply({"params": params["painter"]}, pictures, *chosen)  # pyright: ignore[reportReturnType]

    def cost(self, params: PyTree, state: PyTree, fixed: PyTree, batch: PyTree, key: PRNGKey) -> Cost:
        """J of a batch, each picture in one style, and its three parts."""
        pictures = to_unit(batch["pictures"])
        drawn = jax.random.choice(key, self.painters_styles, (len(pictures),), p=fixed["chances"])
        painted = self.paint(params, pictures, jax.nn.one_hot(drawn, self.painters_styles))
        original, activations = self.encoder(fixed["encoder"], pictures), self.encoder(fixed["encoder"], painted)
        content = [term.loss.target(original) for term in self.content_terms]
        style = jax.tree.map(lambda leaf: leaf[drawn], fixed["styles"])
        parts = {
            "content": self.alpha * total(self.content_terms, activations, content),
            "style": self.beta * total(self.style_terms, activations, style),
            "picture": total(self.picture_terms, activations, [term.loss.target(original) for term in self.picture_terms]),
        }
        return Cost(sum(parts.values(), start=jnp.zeros(())), state, parts)

    def remark(self, metrics: Mapping[str, float]) -> str | None:
        """Nothing to remark."""
        del metrics

    def evaluate(self, data: Opened, params: PyTree, state: PyTree, part: Part) -> Evaluation:
        """How far the held-out pictures are from their content and from the styles, and what they look like.

        What begins with ``unpainted`` is the same of the pictures as they came.
        """
        del state
        count, contents = self.painters_styles, data.held_out
        columns = [np.eye(count, dtype=np.float32)[style] for style in range(count)]
        if count > 1:
            columns.append(np.full(count, 1.0 / count, np.float32))
        painted = [
            np.asarray(_painted(self, params, contents, np.tile(weights, (len(contents), 1))))
            for weights in tracked("painting held-out pictures", columns)
        ]
        critic = Critic(encoder=self.encoder, judge=self.judge, content=self.content_terms, style=self.style_terms)
        own = data.fixed["encoder"]
        works = [
            (painted[style][row], contents[row], data.styles[style]) for style in range(count) for row in range(len(contents))
        ]
        metrics = critic.metrics(own, data.judge, works)
        notes: tuple[str, ...] = ()
        if part == "test":
            metrics |= critic.metrics(own, data.judge, [(c, c, style) for _, c, style in works], before="unpainted/")
            notes = (f"{len(contents)} held-out pictures, each in {count} style{'s' if count > 1 else ''}",)
        rows = [[column[row] for column in painted] for row in range(len(contents))]
        drawn = sheet(list(contents), data.styles, rows)
        return Evaluation(metrics=metrics, columns=COLUMNS, pictures={"sheet": drawn}, notes=notes)


@functools.partial(jax.jit, static_argnums=0)
def _painted(experiment: FastStyle, params: PyTree, pictures: Array, weights: Array) -> Array:
    return jnp.clip(experiment.paint(params, pictures, weights), 0.0, 1.0)
