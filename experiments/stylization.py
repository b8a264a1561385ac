"""Style transfer: what is learned is the picture."""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from experiments import figures
from experiments.experiment import Cost, Evaluation, Part, Variables
from experiments.frozen import FrozenEncoder
from experiments.judge import Judge, relative_errors
from experiments.starts import FromContent, Start
from experiments.terms import Term, layers, targets, total
from research.errors import UserError
from research.losses import Content, Gram, TotalVariation
from research.pictures import match_colors
from research.pictures.resize import resize
from research.pictures.sources import PictureSource
from research.types import PRNGKey, PyTree


@dataclasses.dataclass(frozen=True, kw_only=True)
class StylePicture:
    """A picture whose look is taken on."""

    picture: PictureSource
    """The picture."""
    weight: float = 1.0
    """How much it counts beside other styles."""
    scale: float = 1.0
    """Size of its longer side beside that of the picture painted: 2 makes strokes twice as large."""
    fit: Literal["longer side", "content"] = "longer side"
    """content: it is brought to the content's own height and width, whatever its proportions, as Gatys et al. 2016 did and
    as losses demand that compare sums over pixels."""

    def __post_init__(self) -> None:
        if not 0 < self.scale <= 16:
            raise ValueError(f"StylePicture.scale is {self.scale}: give a number above 0, at most 16")
        if not 0 <= self.weight < float("inf"):
            raise ValueError(f"StylePicture.weight is {self.weight}: give a finite number, 0 or more")
        if self.fit == "content" and self.scale != 1:
            raise ValueError(
                f"StylePicture.scale is {self.scale} but fit='content' gives it the content's size: leave scale at 1"
            )

    def open(self, content: np.ndarray) -> np.ndarray:
        """The picture for a content picture (h, w, 3): RGB in [0, 1]."""
        height, width, _ = content.shape
        pixels = self.picture.open(round(max(height, width) * self.scale))
        if self.fit == "longer side":
            return pixels
        return np.clip(np.asarray(resize(jnp.asarray(pixels), (height, width))), 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Opened:
    """The pictures of a stylization and what the cost keeps of them."""

    original: np.ndarray
    """The content picture as it came, (h, w, 3), RGB in [0, 1]."""
    content: np.ndarray
    """The content picture that is painted, its colors matched where the config says so."""
    styles: tuple[np.ndarray, ...]
    fixed: PyTree
    """The encoder's weights and the targets, on the device."""
    judge: PyTree
    """The weights of the encoder that judges."""


class Rounds:
    """An endless stream that says nothing: a stylization has no batches but its one picture."""

    def __init__(self, pictures: int) -> None:
        self.pictures = pictures

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        return self

    def __next__(self) -> dict[str, np.ndarray]:
        return {"picture": np.arange(self.pictures, dtype=np.int32)}

    def get_state(self) -> dict[str, int]:
        """Nothing moves."""
        return {}

    def set_state(self, state: Any) -> None:
        """Nothing moves."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stylization:
    """Paints the content picture in the look of the styles, by the pixels (Gatys et al. 2016).

        J(G) = alpha Σ w J_content(C, G) + beta Σ_s w_s Σ w J_style(S_s, G) + Σ w J_picture(G)

    G is learned: (1, h, w, 3), RGB in [0, 1]. The encoder is frozen.
    """

    content: PictureSource
    """C, what is to be seen."""
    styles: tuple[StylePicture, ...]
    """S, what it is to look like."""
    encoder: FrozenEncoder = FrozenEncoder()
    """The encoder and where its weights come from."""
    judge: Judge = Judge()
    """By whom the picture is judged."""
    size: int = 320
    """Longer side of the picture, in pixels."""
    alpha: float = 1.0
    """Strength of the content."""
    beta: float = 1.0
    """Strength of the style."""
    content_terms: tuple[Term, ...] = (Term(loss=Content(layers=("relu4_2",))),)
    """J_content."""
    style_terms: tuple[Term, ...] = (Term(loss=Gram(layers=("relu1_1", "relu2_1", "relu3_1", "relu4_1"))),)
    """J_style."""
    picture_terms: tuple[Term, ...] = (Term(loss=TotalVariation(), weight=0.1),)
    """J_picture, of the picture alone."""
    colors: Literal["as they are", "content like style", "style like content"] = "as they are"
    """Whose mean and covariance of color are matched to whose before anything else (symmetric, the map that moves colors
    least): the style's palette on the content, or the content's colors kept (Gatys et al. 2016, "Preserving color")."""
    start: Start = FromContent()
    """The picture to begin with."""
    scale: float = 1.0
    """A factor of the whole cost: what published weights make huge, an optimizer wants of order 1."""

    def __post_init__(self) -> None:
        if not self.styles:
            raise ValueError("Stylization.styles is empty: give at least one style picture")
        if not 16 <= self.size <= 16384:
            raise ValueError(f"Stylization.size is {self.size}: give 16 to 16384 pixels")
        for name in ("alpha", "beta", "scale"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"Stylization.{name} is {getattr(self, name)}: give a finite number, 0 or more")

    def open(self) -> Opened:
        """Reads the pictures, loads the encoder and takes the targets."""
        original = content = self.content.open(self.size)
        styles = tuple(style.open(content) for style in self.styles)
        if self.colors == "content like style":
            content = _recolored(content, styles[0])
        elif self.colors == "style like content":
            styles = tuple(_recolored(style, content) for style in styles)
        variables = self.encoder.variables()
        try:
            kept = {
                "content": targets(self.encoder, variables, content, self.content_terms),
                "styles": [targets(self.encoder, variables, style, self.style_terms) for style in styles],
                "picture": targets(self.encoder, variables, content, self.picture_terms),
            }
        except ValueError as error:
            raise UserError(f"The pictures and the losses of this config do not fit each other: {error}") from error
        fixed = {"encoder": variables, "content": jnp.asarray(content)[None], "targets": kept}
        fixed["start"] = self.start.open(content, styles)
        return Opened(original, content, styles, fixed, self.judge.encoder.variables())

    def fixed(self, data: Opened) -> PyTree:
        """The encoder's weights, the content picture, and what the losses keep of the references."""
        return data.fixed

    def fingerprint(self, data: Opened) -> str:
        """Of the pictures' pixels."""
        digest = hashlib.sha256()
        for picture in (data.content, *data.styles):
            digest.update(str(picture.shape).encode())
            digest.update(np.ascontiguousarray(picture).tobytes())
        return digest.hexdigest()

    def describe(self, data: Opened) -> tuple[str, ...]:
        """The pictures and their sizes."""
        height, width, _ = data.content.shape
        named = [
            f"{style.picture.title} ({picture.shape[1]} × {picture.shape[0]})"
            for style, picture in zip(self.styles, data.styles, strict=True)
        ]
        return (f"painting {self.content.title} ({width} × {height}) in the look of {' and '.join(named)}",)

    def stream(self, data: Opened, seed: int) -> Rounds:
        """The same round again and again."""
        del data, seed
        return Rounds(1)

    def init(self, key: PRNGKey, fixed: PyTree, batch: PyTree) -> Variables:
        """The picture to begin with."""
        del batch
        return Variables({"pixels": self.start(fixed["content"], fixed["start"], key)}, {})

    def cost(self, params: PyTree, state: PyTree, fixed: PyTree, batch: PyTree, key: PRNGKey) -> Cost:
        """J of the picture as it is now, and its three parts."""
        del batch, key
        activations = self.encoder(fixed["encoder"], params["pixels"])
        kept = fixed["targets"]
        parts = {"content": self.alpha * total(self.content_terms, activations, kept["content"])}
        styled = [
            style.weight * total(self.style_terms, activations, target)
            for style, target in zip(self.styles, kept["styles"], strict=True)
        ]
        parts["style"] = self.beta * sum(styled, start=jnp.zeros(()))
        parts["picture"] = total(self.picture_terms, activations, kept["picture"])
        return Cost(self.scale * sum(parts.values(), start=jnp.zeros(())), state, parts)

    def picture(self, params: PyTree) -> np.ndarray:
        """What was painted: (h, w, 3), RGB in [0, 1]."""
        return np.clip(np.asarray(params["pixels"][0], np.float32), 0.0, 1.0)

    def remark(self, metrics: Mapping[str, float]) -> str | None:
        """Nothing to remark."""
        del metrics

    def evaluate(self, data: Opened, params: PyTree, state: PyTree, part: Part) -> Evaluation:
        """What is left of the content, and how near the style is; on the test part also the pictures side by side."""
        del state
        pixels = self.picture(params)
        metrics = self._distances(data, pixels)
        if part == "validation":
            return Evaluation(metrics=metrics, pictures={"picture": pixels})
        titles = [self.content.title, *(style.picture.title for style in self.styles), "painted"]
        shown = figures.side_by_side(dict(zip(titles, [data.original, *data.styles, pixels], strict=True)))
        return Evaluation(metrics=metrics, pictures={"picture": pixels}, figures={"side_by_side": shown})

    def _distances(self, data: Opened, pixels: np.ndarray) -> dict[str, float]:
        """Relative errors, whatever the losses and their normalizers: how far from the content, how far from the style."""
        content, style = layers(self.content_terms), layers(self.style_terms)
        reference, styles = jnp.asarray(data.content), [jnp.asarray(style) for style in data.styles]
        own = relative_errors(self.encoder, content, style, data.fixed["encoder"], jnp.asarray(pixels), reference, styles)
        judge = self.judge
        other = relative_errors(judge.encoder, judge.content, judge.style, data.judge, jnp.asarray(pixels), reference, styles)
        errors = {"content/relative": own[0], "style/relative": own[1]}
        errors |= {"held_out/content/relative": other[0], "held_out/style/relative": other[1]}
        return {name: float(value) for name, value in errors.items()}


def _recolored(picture: np.ndarray, like: np.ndarray) -> np.ndarray:
    return np.clip(np.asarray(match_colors(jnp.asarray(picture), jnp.asarray(like))), 0.0, 1.0)
