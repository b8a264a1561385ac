"""Synthesis: images learned so that a network's units see in them what they look for."""

import dataclasses
import math
import re
from typing import ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.experiment import Evaluation, Experiment, LossOutput, Originals, Part, Variables
from likeness.experiments.fingerprints import Fingerprints
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.terms import Term
from likeness.experiments.visualization.synthesis_sheet import ShownSynthesis, mosaic, sheet_of
from likeness.research.encoders import SqueezeNet
from likeness.research.errors import UserError
from likeness.research.images.sources import ImageSource, Photograph
from likeness.research.types import Array, Float, PRNGKey, PyTree
from likeness.research.visualization import Chain, Fourier, Jitter, Objective, Parametrization, Pixels, Rotate, Transform, Zoom
from likeness.research.weights import Pretrained


class SynthesisConstants(NamedTuple):
    """What the cost of a synthesis reads, on the device."""

    encoder: PyTree
    """Its weights."""
    like: Float[Array, "1 h w 3"]
    """Of the shape of one of the images that are learned."""
    base: Float[Array, "1 h w 3"] | None
    """The image to begin with."""


@dataclasses.dataclass(frozen=True)
class OpenedSynthesis:
    """What a synthesis reads."""

    image: np.ndarray | None
    """The image to begin with, (h, w, 3), RGB in [0, 1]."""
    constants: SynthesisConstants


@dataclasses.dataclass(frozen=True, kw_only=True)
class Synthesis(Experiment):
    """Activation maximization: an image for each objective, all learned at once, by the pixels.

        J(X) = -Σ_o mean_k score_o(T(X_ok)) + Σ w J_image(X)

    T is a random movement, another one at every step. A unit behind a ReLU that noise leaves silent has no slope, and its
    image stays noise: name the layer before the ReLU instead. With an image to begin with it is DeepDream: what is learned
    is then added to it, from small to large.
    """

    evaluating: ClassVar[str] = "scoring the images"

    encoder: FrozenEncoder = FrozenEncoder(encoder=SqueezeNet(), weights=Pretrained(name="squeezenet11"))
    """What is looked into."""
    objectives: tuple[Objective, ...]
    """What the images are to excite, one each."""
    copies: int = 1
    """Images of each objective, from different noise, scored together
    (:class:`likeness.research.visualization.Diversity`)."""
    image: ImageSource | None = None
    """What it begins with and adds to; None for noise."""
    size: int = 128
    """Longer side, in pixels; without an image to begin with, both."""
    octaves: int = 1
    """Sizes in which an image is dreamed into, the smallest first: large figures come from the small ones. The steps are
    shared evenly. Each compiles a program of its own."""
    octave_scale: float = 1.4
    """Each octave is so many times larger than the one before."""
    parametrization: Parametrization = Fourier()
    """What is learned of the images."""
    transforms: Transform = Chain(transforms=(Jitter(pixels=8), Zoom(share=0.1), Rotate(degrees=10.0), Jitter(pixels=4)))
    """How they are moved before the network sees them."""
    image_terms: tuple[Term, ...] = ()
    """J_image, of the images alone."""

    def __post_init__(self) -> None:
        if not self.objectives:
            raise ValueError("Synthesis.objectives is empty: give at least one")
        if not 16 <= self.size <= 16384:
            raise ValueError(f"Synthesis.size is {self.size}: give 16 to 16384 pixels")
        for name in ("copies", "octaves"):
            if getattr(self, name) < 1:
                raise ValueError(f"Synthesis.{name} is {getattr(self, name)}: give 1 or more")
        if not 1 < self.octave_scale <= 16:
            raise ValueError(f"Synthesis.octave_scale is {self.octave_scale}: give a number above 1, at most 16")
        if self.octaves > 1 and not isinstance(self.parametrization, Pixels):
            raise ValueError(
                f"Synthesis.octaves is {self.octaves}, but the images are made of {type(self.parametrization).__name__}, "
                "which has large figures from the start: set octaves to 1, or the parametrization to Pixels"
            )

    def stages(self) -> tuple["Synthesis", ...]:
        """One for each octave."""
        sizes = [max(16, round(self.size / self.octave_scale**smaller)) for smaller in reversed(range(self.octaves))]
        return tuple(dataclasses.replace(self, size=size, octaves=1) for size in sizes)

    @property
    def step_cost(self) -> float:
        """The pixels of a square of this size."""
        return float(self.size**2)

    def promote(self, learned: Array, constants: SynthesisConstants) -> Array:
        """The pixels of a smaller octave, or a moment of their gradient, at this one's size, bilinearly."""
        return jax.image.resize(learned, (len(learned), *constants.like.shape[1:]), "linear")

    def open(self) -> OpenedSynthesis:
        """Loads the encoder and reads the image.

        Raises:
            UserError: an image that cannot be read, weights that cannot be had, or objectives that the network does not have.
        """
        image = None if self.image is None else self.image.open(self.size)
        variables = self.encoder.variables()
        shape = (1, self.size, self.size, 3) if image is None else (1, *image.shape)
        constants = SynthesisConstants(
            encoder=variables,
            like=jnp.zeros(shape),
            base=None if image is None else jnp.asarray(image)[None],
        )
        try:
            # Now, and not in the first step; of shapes only.
            jax.eval_shape(self._scores, variables, jax.ShapeDtypeStruct((self._count, *shape[1:]), jnp.float32))
        except ValueError as error:
            raise UserError(f"The objectives and the encoder of this config do not fit each other: {error}.") from error
        return OpenedSynthesis(image, constants)

    def constants(self, data: OpenedSynthesis) -> SynthesisConstants:
        """The encoder's weights, the image to begin with, and one of the shape of those learned."""
        return data.constants

    def fingerprints(self, data: OpenedSynthesis) -> Fingerprints:
        """Of the encoder's weights, and of the image to begin with where there is one."""
        begun = {} if self.image is None else {"image to begin with": self.image.fingerprint()}
        return Fingerprints(training={**begun, **self.encoder.fingerprint(data.constants.encoder)})

    def describe(self, data: OpenedSynthesis) -> tuple[str, ...]:
        """What is sought, and how large."""
        height, width = data.constants.like.shape[1:3]
        sought = ", ".join(objective.title for objective in self.objectives)
        begun = "from noise" if self.image is None else f"into {self.image.title}"
        return (f"{self._count} images ({width} × {height}), {begun}, of what excites {sought}",)

    def init(self, key: PRNGKey, constants: SynthesisConstants, batch: PyTree) -> Variables:
        """Noise, or what changes nothing of the image."""
        del batch
        return Variables(self.parametrization.init(key, self._shape(constants), based=self.image is not None), {})

    def cost(self, params: PyTree, state: PyTree, constants: SynthesisConstants, batch: PyTree, key: PRNGKey) -> LossOutput:
        """J of the images as they are now; for the log, their mean score."""
        del batch
        pixels = self._pixels(params, constants)
        moved = self.transforms(key, pixels)
        scores = jnp.mean(self._scores(constants.encoder, moved), axis=1)
        parts = {"score": jnp.mean(scores)}
        value = -jnp.sum(scores)
        if self.image_terms:
            seen = {"input": pixels}
            # Losses are means over the images, scores are sums.
            terms = (term.weight * term.loss(seen, term.loss.target(seen)) for term in self.image_terms)
            parts["image"] = sum(terms, start=jnp.zeros(()))
            value = value + len(self.objectives) * parts["image"]
        return LossOutput(value, state, parts)

    def images(self, data: OpenedSynthesis, params: PyTree) -> Float[np.ndarray, "n h w 3"]:
        """What was made, the copies of each objective after each other: RGB in [0, 1]."""
        return np.clip(np.asarray(self._pixels(params, data.constants), np.float32), 0.0, 1.0)

    def originals(self) -> Originals:
        """The image that the only one made began with; none where it began with noise, or where several were made."""
        return Originals({"image": self.image.open(self.size)} if self.image is not None and self._count == 1 else {})

    def evaluate(self, data: OpenedSynthesis, params: PyTree, state: PyTree, part: Part) -> Evaluation:
        """The scores of the images, not moved, beside those of photographs; on the test part also a sheet of all.

        The photograph is the one that was begun with, or else the better of scikit-learn's two, their centers, for each
        objective.
        """
        del state
        made = self.images(data, params)
        scores = self._evaluated(data, made)
        metrics = {"synthesis/score": float(scores.mean())}
        if part == "validation":
            return Evaluation(metrics=metrics, columns=_COLUMNS, images={"image": mosaic(made, self.copies)})
        photographs = [data.image] if data.image is not None else [_square(name, self.size) for name in _NAMES]
        theirs = np.max([self._evaluated(data, np.repeat(one[None], self._count, 0)) for one in photographs], axis=0)
        metrics["synthesis/score_of_photographs"] = float(theirs.mean())
        titles = [objective.title for objective in self.objectives for _ in range(self.copies)]
        shown = [
            ShownSynthesis(*each) for each in zip(titles, made, scores.ravel().tolist(), theirs.ravel().tolist(), strict=True)
        ]
        before = () if data.image is None else (ShownSynthesis(self.image.title if self.image else "", data.image),)
        files = {"image": mosaic(made, self.copies)}
        if self._count > 1:
            files |= {f"{number:02d}_{_file(one.title)}": one.image for number, one in enumerate(shown)}
        said = [{"objective": one.title, "score": one.score, "photographs": one.photographs} for one in shown]
        return Evaluation(
            metrics=metrics,
            columns=_COLUMNS,
            figures={"synthesis": sheet_of((*before, *shown))},
            artifacts={"scores": {"images": said}},
            images=files,
        )

    @property
    def _count(self) -> int:
        return len(self.objectives) * self.copies

    def _shape(self, constants: SynthesisConstants) -> tuple[int, int, int, int]:
        _, height, width, colors = constants.like.shape
        return self._count, height, width, colors

    def _pixels(self, params: PyTree, constants: SynthesisConstants) -> Float[Array, "n h w 3"]:
        return self.parametrization.to_pixels(params, self._shape(constants), constants.base)

    def _scores(self, variables: PyTree, pixels: Float[Array, "n h w 3"]) -> Float[Array, "objectives copies"]:
        """The network is run as far as each group of objectives needs it."""
        grouped: dict[tuple[str, ...], list[int]] = {}
        for number, objective in enumerate(self.objectives):
            grouped.setdefault(objective.layers, []).append(number)
        scores: dict[int, Array] = {}
        for numbers in grouped.values():
            rows = np.concatenate([np.arange(number * self.copies, (number + 1) * self.copies) for number in numbers])
            activations = self.encoder(variables, pixels if len(grouped) == 1 else pixels[rows])
            for place, number in enumerate(numbers):
                own = slice(place * self.copies, (place + 1) * self.copies)
                objective = self.objectives[number]
                read = {name: value[own] for name, value in activations.items()}
                scores[number] = objective(read)
        return jnp.stack([scores[number] for number in range(len(self.objectives))])

    def _evaluated(self, data: OpenedSynthesis, images: np.ndarray) -> Float[np.ndarray, "objectives copies"]:
        return np.asarray(jax.jit(self._scores)(data.constants.encoder, jnp.asarray(images)))


_COLUMNS = {"": "made"}
_NAMES: tuple[Literal["china", "flower"], ...] = ("china", "flower")


def _square(name: Literal["china", "flower"], size: int) -> np.ndarray:
    """A photograph's center, (size, size, 3)."""
    # Its shorter side is two thirds of the longer one.
    pixels = Photograph(name=name).open(math.ceil(1.5 * size) + 1)
    top, left = ((side - size) // 2 for side in pixels.shape[:2])
    return pixels[top : top + size, left : left + size]


def _file(title: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", title).strip("_")
