"""The network that is looked into: an encoder and the weights that it has learned."""

import dataclasses
from pathlib import Path
from typing import cast

import flax.linen as nn
from flax.errors import ScopeParamShapeError

from likeness.experiments.config import to_json
from likeness.experiments.style.frozen import RandomWeights, Weights, are_drawn
from likeness.experiments.training.resuming import of_arrays
from likeness.experiments.visualization.microscope import Microscope
from likeness.research.encoders import ImageEncoder, SqueezeNet, Vgg
from likeness.research.errors import UserError
from likeness.research.images.color import luminance
from likeness.research.types import Activations, Array, Float, PyTree
from likeness.research.weights import Pretrained


@dataclasses.dataclass(frozen=True, kw_only=True)
class Learned:
    """The weights that a run of recognition has learned."""

    workdir: str = "runs/recognition/quickstart"
    """Its working directory."""

    def variables(self, encoder: nn.Module) -> PyTree:
        """The weights of its best checkpoint.

        Raises:
            UserError: there is no such run, or it has learned another encoder.
        """
        if not Path(self.workdir).is_dir():
            raise UserError(
                f"There is no working directory {self.workdir}, whose encoder was to be looked into: train one first, such as "
                "by `likeness train recognition/quickstart`, or name another with --experiment.network.weights.workdir."
            )
        scope = Microscope.load(self.workdir)
        if to_json(scope.encoder) != to_json(encoder):
            raise UserError(
                f"{self.workdir} has learned {scope.encoder}, but this config looks into {encoder}: make them the same."
            )
        return scope.variables


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """An encoder and where its weights come from. Called on weights and images it gives the activations."""

    encoder: nn.Module = SqueezeNet()
    """The network."""
    weights: Weights = Pretrained(name="squeezenet11")
    """Where its weights come from: published ones, those of a run, or random ones."""
    gray: bool = False
    """Whether it has learned gray images; it is then shown the luminance."""

    def __post_init__(self) -> None:
        if isinstance(self.weights, RandomWeights) and not isinstance(self.encoder, Vgg | SqueezeNet):
            raise ValueError(
                f"Network.weights are random, which only Vgg and SqueezeNet may have, and the encoder is a "
                f"{type(self.encoder).__name__}: give Learned or Pretrained weights"
            )

    def variables(self) -> PyTree:
        """The weights.

        Raises:
            UserError: when they cannot be had or do not fit the encoder.
        """
        return self.weights.variables(cast(ImageEncoder, self.encoder))

    def fingerprint(self, variables: PyTree) -> dict[str, str]:
        """Of its weights, under their name; none of those that are drawn by the config."""
        return {} if are_drawn(self.weights) else {"weights of the network": of_arrays(variables)}

    def __call__(self, variables: PyTree, images: Float[Array, "n h w 3"]) -> Activations:
        """The activations of images, RGB in [0, 1]."""
        seen = luminance(images)[..., None] if self.gray else images
        try:
            return cast(Activations, self.encoder.apply(variables, seen))
        except ScopeParamShapeError as error:
            raise ValueError(
                f"the encoder cannot see images of {seen.shape[-1]} color(s) and {seen.shape[2]} x {seen.shape[1]} pixels "
                f"with its weights ({error}): try Network.gray, or another size"
            ) from error
