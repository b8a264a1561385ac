"""Encoders of faces whose weights do not change: published ones, and those that a recognition run has trained."""

import dataclasses
from typing import Protocol, runtime_checkable

import jax.numpy as jnp

from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.recognition.recognition import Recognition
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.experiments.training.evaluation import read_run
from likeness.research.encoders import Encoder, MobileFaceNet
from likeness.research.errors import UserError
from likeness.research.types import Activations, Array, Float, PyTree
from likeness.research.weights import Pretrained

_LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue in gray (ITU-R 601), as images are decoded."""


@runtime_checkable
class FaceEncoder(Protocol):
    """Turns crops of faces into activations, among them ``embedding``."""

    def variables(self) -> PyTree:
        """The weights.

        Raises:
            UserError: when they cannot be had.
        """
        ...

    def __call__(self, variables: PyTree, images: Float[Array, "b h w 3"]) -> Activations:
        """The activations of aligned faces, RGB in [0, 1]. Runs under ``jit``.

        Raises:
            ValueError: crops of a size that it does not take.
        """
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedFace:
    """A published face encoder."""

    encoder: Encoder = MobileFaceNet(normalize=False)
    """The network. Not normalized: the embeddings of a face and of its mirror image are added as they are."""
    weights: Pretrained = Pretrained(name="mobilefacenet")
    """Where its weights come from."""

    def variables(self) -> PyTree:
        """The weights, see :class:`FaceEncoder`."""
        return self.weights.variables(self.encoder)

    def __call__(self, variables: PyTree, images: Float[Array, "b h w 3"]) -> Activations:
        """See :class:`FaceEncoder`."""
        return self.encoder.apply(variables, images)  # pyright: ignore[reportReturnType]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FromRun:
    """The encoder of a recognition run of this project, as it was trained: the one that its recognizer answers with.

    It takes crops of the size of the run's images, and makes them gray where those are.
    """

    workdir: str
    """The working directory of the run."""

    def variables(self) -> PyTree:
        """The weights, see :class:`FaceEncoder`."""
        weights, state = Recognizer.load(self.workdir).variables
        return {"params": weights["encoder"], **state}

    def __call__(self, variables: PyTree, images: Float[Array, "b h w 3"]) -> Activations:
        """See :class:`FaceEncoder`."""
        inputs = ModelInputs.load(self.workdir)
        height, width, channels = inputs.shape
        if images.shape[1:3] != (height, width):
            raise ValueError(
                f"the recognizer in {self.workdir} was trained on images of {height}×{width} pixels and the crop is "
                f"{images.shape[1]}×{images.shape[2]}: set the template's height and width"
            )
        if channels == 1:
            images = jnp.sum(images * jnp.asarray(_LUMA), axis=-1, keepdims=True)
        if inputs.preprocessing is not None and inputs.preprocessing.polarity == "inverted":
            images = 1.0 - images
        experiment = read_run(self.workdir).experiment
        if not isinstance(experiment, Recognition):
            raise UserError(f"{self.workdir} holds a {type(experiment).__name__}, not a face recognizer.")
        return experiment.encoder.apply(variables, images, train=False)  # pyright: ignore[reportReturnType]
