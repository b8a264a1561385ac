"""Inversion: what of an image a layer still knows."""

import dataclasses
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.experiment import Evaluation, Experiment, LossOutput, Originals, Part, Variables
from likeness.experiments.fingerprints import Fingerprints
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.visualization.synthesis_sheet import ShownSynthesis, mosaic, sheet_of
from likeness.research.encoders import SqueezeNet
from likeness.research.errors import UserError
from likeness.research.images.sources import ImageSource, Photograph
from likeness.research.losses import Content, TotalVariation
from likeness.research.metrics.image_quality import psnr, ssim
from likeness.research.types import Array, Float, PRNGKey, PyTree
from likeness.research.visualization import Parametrization, Pixels
from likeness.research.weights import Pretrained

_COLUMNS = {"": "inverted"}


class InversionConstants(NamedTuple):
    """What the cost of an inversion reads, on the device."""

    encoder: PyTree
    """Its weights."""
    targets: dict[str, PyTree]
    """What each layer sees of the photograph."""
    like: Float[Array, "1 h w 3"]
    """Of the shape of one of the images that are learned."""


@dataclasses.dataclass(frozen=True)
class OpenedInversion:
    """What an inversion reads."""

    image: np.ndarray
    """(h, w, 3), RGB in [0, 1]."""
    constants: InversionConstants


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inversion(Experiment):
    """Images in which a layer sees what it sees in a photograph, one for each of several layers, all learned at once.

        J(X) = Σ_l ‖F_l(X_l) - F_l(P)‖² / ‖F_l(P)‖² + v_l TV(X_l)

    They begin with noise. What they have in common with the photograph the layer knows; what they have not it has forgotten
    (Mahendran and Vedaldi, "Understanding deep image representations by inverting them", CVPR 2015).
    """

    evaluating: ClassVar[str] = "comparing the images with the photograph"

    image: ImageSource = Photograph(name="china")
    """P, the photograph."""
    encoder: FrozenEncoder = FrozenEncoder(encoder=SqueezeNet(), weights=Pretrained(name="squeezenet11"))
    """What is looked into."""
    layers: tuple[str, ...]
    """Where, each by an image of its own."""
    size: int = 128
    """Longer side, in pixels."""
    variation: float | tuple[float, ...] = 0.1
    """v: how much an image's roughness counts (:class:`likeness.research.losses.TotalVariation`), one number or one a layer.
    The deeper a layer, the more it leaves open and the more this decides."""
    parametrization: Parametrization = Pixels()
    """What is learned of the images."""

    def __post_init__(self) -> None:
        if not self.layers or len(set(self.layers)) != len(self.layers):
            raise ValueError(f"Inversion.layers is {self.layers}: name at least one layer, and each only once")
        if not 16 <= self.size <= 16384:
            raise ValueError(f"Inversion.size is {self.size}: give 16 to 16384 pixels")
        if len(self._variations) != len(self.layers) or not all(0 <= v < float("inf") for v in self._variations):
            raise ValueError(
                f"Inversion.variation is {self.variation} for the layers {', '.join(self.layers)}: give a finite number, 0 "
                f"or more, or one for each of the {len(self.layers)} layers"
            )

    def open(self) -> OpenedInversion:
        """Reads the image, loads the encoder and takes what the layers see.

        Raises:
            UserError: an image that cannot be read, weights that cannot be had, or layers that the network does not have.
        """
        image, variables = self.image.open(self.size), self.encoder.variables()
        try:
            targets = jax.jit(self._targets)(variables, jnp.asarray(image)[None])
        except ValueError as error:
            raise UserError(f"The layers and the encoder of this config do not fit each other: {error}") from error
        return OpenedInversion(image, InversionConstants(variables, targets, jnp.zeros((1, *image.shape))))

    def constants(self, data: OpenedInversion) -> InversionConstants:
        """The encoder's weights, what the layers see, and an image of the shape of those learned."""
        return data.constants

    def fingerprints(self, data: OpenedInversion) -> Fingerprints:
        """Of the image and the encoder's weights."""
        return Fingerprints(
            training={"photograph": self.image.fingerprint(), **self.encoder.fingerprint(data.constants.encoder)}
        )

    def describe(self, data: OpenedInversion) -> tuple[str, ...]:
        """What is inverted, and where."""
        height, width, _ = data.image.shape
        return (f"inverting what {', '.join(self.layers)} see of {self.image.title} ({width} × {height})",)

    def init(self, key: PRNGKey, constants: InversionConstants, batch: PyTree) -> Variables:
        """Noise."""
        del batch
        return Variables(self.parametrization.init(key, self._shape(constants)), {})

    def cost(self, params: PyTree, state: PyTree, constants: InversionConstants, batch: PyTree, key: PRNGKey) -> LossOutput:
        """J of the images as they are now; for the log, the error of each layer."""
        del batch, key
        pixels = self._pixels(params, constants)
        errors = self._errors(constants.encoder, constants.targets, pixels)
        value = sum(errors.values(), start=jnp.zeros(()))
        for number, weight in enumerate(self._variations):
            if weight:
                value = value + weight * TotalVariation()({"input": pixels[number : number + 1]}, {})
        return LossOutput(value, state, errors)

    def images(self, data: OpenedInversion, params: PyTree) -> Float[np.ndarray, "n h w 3"]:
        """One for each layer, RGB in [0, 1]."""
        return np.clip(np.asarray(self._pixels(params, data.constants), np.float32), 0.0, 1.0)

    def originals(self) -> Originals:
        """The photograph, of each layer's image."""
        image = self.image.open(self.size)
        return Originals({layer.replace("/", "_"): image for layer in self.layers})

    def evaluate(self, data: OpenedInversion, params: PyTree, state: PyTree, part: Part) -> Evaluation:
        """How near each image is to the photograph: in its layer, in its pixels and in its structure.

        ``LAYER/relative`` is ``‖F - P‖²/‖P‖²``, ``LAYER/psnr`` in dB, ``LAYER/ssim`` of images of 11 pixels or more. On the
        test part also a sheet, layer by layer.
        """
        del state
        made = self.images(data, params)
        errors = jax.jit(self._errors)(data.constants.encoder, data.constants.targets, jnp.asarray(made))
        metrics: dict[str, float] = {}
        for layer, one in zip(self.layers, made, strict=True):
            metrics |= {f"{layer}/relative": float(errors[layer]), f"{layer}/psnr": psnr(one, data.image)}
            if min(one.shape[:2]) >= 11:
                metrics[f"{layer}/ssim"] = ssim(one, data.image)
        images = {"image": mosaic(made)}
        if part == "validation":
            return Evaluation(metrics=metrics, columns=_COLUMNS, images=images)
        shown = [
            ShownSynthesis(f"{layer}: {metrics[f'{layer}/relative']:.2g}", one)
            for layer, one in zip(self.layers, made, strict=True)
        ]
        images |= {layer.replace("/", "_"): one for layer, one in zip(self.layers, made, strict=True)}
        drawn = sheet_of((ShownSynthesis(self.image.title, data.image), *shown))
        return Evaluation(metrics=metrics, columns=_COLUMNS, figures={"inversion": drawn}, images=images)

    @property
    def _variations(self) -> tuple[float, ...]:
        return self.variation if isinstance(self.variation, tuple) else (self.variation,) * len(self.layers)

    def _shape(self, constants: InversionConstants) -> tuple[int, int, int, int]:
        _, height, width, colors = constants.like.shape
        return len(self.layers), height, width, colors

    def _pixels(self, params: PyTree, constants: InversionConstants) -> Float[Array, "n h w 3"]:
        return self.parametrization.to_pixels(params, self._shape(constants))

    def _targets(self, variables: PyTree, image: Float[Array, "1 h w 3"]) -> PyTree:
        activations = self.encoder(variables, image)
        return {layer: Content(layers=(layer,)).target(activations) for layer in self.layers}

    def _errors(self, variables: PyTree, targets: PyTree, pixels: Float[Array, "n h w 3"]) -> dict[str, Array]:
        """Each image is seen by itself, so that the network is run only as far as its layer."""
        return {
            layer: Content(layers=(layer,))(self.encoder(variables, pixels[number : number + 1]), targets[layer])
            for number, layer in enumerate(self.layers)
        }
