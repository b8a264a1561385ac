"""An encoder with weights that do not change: random ones, published ones, or those that a run has learned."""

import dataclasses
import math
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util
from flax.errors import ScopeParamShapeError

from likeness.experiments.config import to_json
from likeness.experiments.encoders import inner, wrapped
from likeness.experiments.experiment import Variables
from likeness.experiments.fingerprints import of_arrays
from likeness.experiments.preprocessing import ModelInputs, preprocessing_of
from likeness.experiments.training.evaluation import read_run, restore
from likeness.research.checks import check_members
from likeness.research.data.preprocessing import Preprocessing
from likeness.research.encoders import Vgg, normalize_energy
from likeness.research.errors import UserError
from likeness.research.geometry.receptive_field import NetworkGeometry
from likeness.research.images.color import luminance
from likeness.research.types import Activations, Array, Float, PRNGKey, PyTree

__all__ = ["FromRun", "FrozenEncoder", "LearnedEncoder", "LearnsEncoder", "Random", "Weights", "are_drawn"]


@runtime_checkable
class Weights(Protocol):
    """Where an encoder's weights come from.

    Two members may be left out. ``drawn`` is true for weights that were never trained (:func:`are_drawn`). ``preprocessing``,
    a :class:`~likeness.research.data.Preprocessing`, is that of the images which the weights were trained on; without it they
    take RGB images of any size.
    """

    def variables(self, encoder: nn.Module) -> PyTree:
        """The weights of this encoder.

        Raises:
            UserError: when they cannot be had or do not fit it.
        """
        ...


def are_drawn(weights: Weights) -> bool:
    """Whether weights follow from the config alone, untrained: then nothing is read that could change, and the units of the
    encoder look for nothing in particular.

    Example:
        >>> from likeness.research.weights import Pretrained
        >>> are_drawn(Random()), are_drawn(Pretrained(name="squeezenet11"))
        (True, False)
    """
    return bool(getattr(weights, "drawn", False))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Random:
    """Random filters, scaled so that every layer has the same energy on colored noise.

    Normal of variance 2 / fan-in, with no bias (He et al. 2015), drawn by NumPy: the same for every device, and nothing is
    compiled for it. He, Wang and Hopcroft 2016, "A powerful generative model using random weights for the deep image
    representation".
    """

    drawn: ClassVar[bool] = True
    """They follow from the seed."""

    seed: int = 0
    """Which filters."""

    def variables(self, encoder: nn.Module) -> PyTree:
        """The same for the same seed.

        Raises:
            UserError: the encoder has parameters that are no filters of the layers in its ``geometry``.
        """
        draw = np.random.default_rng(self.seed)
        images, key = colored_noise(draw, 4, 96), jax.random.key(0)
        shapes = _flat(jax.eval_shape(encoder.init, key, images))
        drawn: dict[str, np.ndarray] = {}
        for kernel, bias in _filters(encoder, shapes):
            shape = shapes[kernel].shape
            drawn[kernel] = draw.standard_normal(shape, np.float32) * np.float32(math.sqrt(2 / math.prod(shape[:-1])))
            drawn[bias] = np.zeros(shapes[bias].shape, np.float32)
        # The preprocessing is not random.
        others = shapes.keys() - drawn.keys()

        def given(key: PRNGKey) -> dict[str, Array]:
            made = _flat(encoder.init(key, images))
            return {name: made[name] for name in others}

        variables = traverse_util.unflatten_dict(drawn | (jax.jit(given)(key) if others else {}), sep="/")
        return normalize_energy(encoder, variables, jnp.asarray(images)) if drawn else variables


def _filters(encoder: nn.Module, shapes: dict[str, Any]) -> list[tuple[str, str]]:
    """The names of kernel and bias of every layer that has them, in the order in which the layers are computed."""
    geometry = encoder.geometry if isinstance(encoder, NetworkGeometry) else ()
    pairs = [(f"params/{layer.name}/kernel", f"params/{layer.name}/bias") for layer in geometry]
    found = [pair for pair in pairs if shapes.keys() >= set(pair)]
    known = {name for pair in found for name in pair}
    if unknown := sorted(name for name in shapes.keys() - known if not name.startswith("params/conv0/")):
        raise UserError(
            f"The weights are Random, and {type(encoder).__name__} has {unknown[0].replace('/', '.')}, which is no filter of a "
            "layer in its `geometry`: only convolutions with ReLU and pooling between them, as in Vgg and SqueezeNet, can be "
            "brought to equal energy. Give Pretrained or FromRun weights."
        )
    return found


@runtime_checkable
class LearnsEncoder(Protocol):
    """An experiment that learns an encoder, which others can then use and look into."""

    @property
    def encoder(self) -> nn.Module:
        """What is learned."""
        ...

    def encoder_variables(self, learned: Variables) -> PyTree:
        """The encoder's part of what was learned, as ``encoder.apply`` takes it."""
        ...

    def training_examples(self) -> Any:
        """What it is learned from, opened anew: :class:`~likeness.research.data.Images` or
        :class:`~likeness.research.data.Examples`, or a table with the same members."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class LearnedEncoder:
    """The encoder that a finished run has learned."""

    encoder: nn.Module
    variables: PyTree
    """Of the best checkpoint."""
    inputs: ModelInputs
    """What it takes."""

    @classmethod
    def load(cls, workdir: str | Path) -> "LearnedEncoder":
        """Needs no training data.

        Raises:
            UserError: there is no such run, it has not finished, its experiment learns no encoder (:class:`LearnsEncoder`), or
                the checkpoint does not fit the config.
        """
        run = read_run(workdir)
        experiment = run.experiment
        if not isinstance(experiment, LearnsEncoder):
            raise UserError(
                f"{workdir} holds a run of {type(experiment).__name__}, which learns no encoder: give the working directory of "
                "one that does, such as of a Recognition or a Classification."
            )
        inputs = ModelInputs.load(workdir)
        variables = experiment.encoder_variables(restore(workdir, run)[1])
        example = jax.ShapeDtypeStruct((1, *inputs.shape), jnp.float32)
        wanted, found = (
            {name: leaf.shape for name, leaf in _flat(tree).items()}
            for tree in (jax.eval_shape(experiment.encoder.init, jax.random.key(0), example), variables)
        )
        if other := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
            raise UserError(
                f"The checkpoint in {workdir} does not fit its config: {other[0]} has the shape {found.get(other[0])} and the "
                f"{type(experiment.encoder).__name__} of the config wants {wanted.get(other[0])}. Train it anew."
            )
        return cls(experiment.encoder, variables, inputs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FromRun:
    """The weights that a run has learned: those that its recognizer or classifier answers with."""

    workdir: str = "runs/recognition/quickstart"
    """Its working directory."""

    def variables(self, encoder: nn.Module) -> PyTree:
        """The weights of its best checkpoint: of the encoder that it has learned, or of the one which that wraps.

        Raises:
            UserError: there is no such run, or it has learned another encoder.
        """
        if not Path(self.workdir).is_dir():
            raise UserError(
                f"There is no working directory {self.workdir}, whose encoder was to be used: train one first, such as by "
                "`likeness train recognition/quickstart`, or name another; its flag ends in weights.workdir."
            )
        learned = LearnedEncoder.load(self.workdir)
        own, path = wrapped(learned.encoder)
        if to_json(own) == to_json(encoder):
            return inner(learned.variables, path)
        if to_json(learned.encoder) != to_json(encoder):
            raise UserError(
                f"{self.workdir} has learned {learned.encoder}, but this config asks for {encoder}: make them the same."
            )
        return learned.variables

    @property
    def preprocessing(self) -> Preprocessing:
        """That of the run's images.

        Raises:
            UserError: it has not finished, or has learned from something else than images.
        """
        inputs = ModelInputs.load(self.workdir)
        if inputs.preprocessing is not None:
            return inputs.preprocessing
        if len(inputs.shape) != 3 or inputs.shape[-1] not in (1, 3):
            raise UserError(
                f"{self.workdir} has learned from examples of {' × '.join(map(str, inputs.shape))}, which are no images: give "
                "a run that has learned from images."
            )
        height, width, channels = inputs.shape
        return Preprocessing(size=(height, width), channels=cast(Any, channels))


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrozenEncoder:
    """An encoder and its weights. Called on weights and images it gives the activations.

    Whatever the encoder was trained on, it is shown RGB images in [0, 1]. Where its weights say by their ``preprocessing`` that
    they have learned from gray images, it sees the luminance; where from inverted ones, ``1 - images``; and where they have
    learned from images of one size, any other is refused.
    """

    encoder: nn.Module = Vgg(
        convolutions=(2, 2, 4, 2), widths=(32, 64, 128, 256), pooling="average", padding="reflect", preprocessing="torchvision"
    )
    """The network: half of VGG-19, four blocks deep, unless said otherwise."""
    weights: Weights = Random()
    """Where its weights come from: random, published, or those of a run."""

    def __post_init__(self) -> None:
        check_members("FrozenEncoder", "weights", self.weights, Weights, "Random(), Pretrained(name=…) or FromRun(workdir=…)")

    def variables(self) -> PyTree:
        """The weights.

        Raises:
            UserError: when they cannot be had or do not fit the encoder.
        """
        return self.weights.variables(self.encoder)

    def fingerprint(self, variables: PyTree) -> dict[str, str]:
        """Of its weights, under their name; of those that are drawn by a config, which other devices round otherwise, none."""
        return {} if are_drawn(self.weights) else {"weights of the encoder": of_arrays(variables)}

    @property
    def preprocessing(self) -> Preprocessing | None:
        """That of the images which the weights were trained on; None where they take RGB images of any size."""
        return preprocessing_of(self.weights)

    def as_trained(self, images: Float[Array, "b h w 3"]) -> Float[Array, "b h w c"]:
        """Images, RGB in [0, 1], as the encoder has learned to see them.

        Raises:
            ValueError: they are of another size.
        """
        trained = self.preprocessing
        if trained is None:
            return images
        if images.shape[1:3] != trained.size:
            (height, width), (own_height, own_width) = images.shape[1:3], trained.size
            raise ValueError(
                f"the encoder was trained on images of {own_height}×{own_width} pixels and is shown {height}×{width}: give it "
                "images, or a template, of its own size"
            )
        seen = luminance(images)[..., None] if trained.channels == 1 else images
        return 1.0 - seen if trained.polarity == "inverted" else seen

    def __call__(self, variables: PyTree, images: Float[Array, "b h w 3"]) -> Activations:
        """The activations of images, RGB in [0, 1]. Runs under ``jit``.

        Raises:
            ValueError: images of a size or with colors that it does not take.
        """
        seen = self.as_trained(images)
        try:
            return cast(Activations, self.encoder.apply(variables, seen))
        except ScopeParamShapeError as error:
            raise ValueError(
                f"the encoder cannot see images of {seen.shape[-1]} color(s) and {seen.shape[1]}×{seen.shape[2]} pixels with "
                f"its weights ({error}): try another size, or let the weights' `preprocessing` say what they have learned from"
            ) from error


def _flat(variables: Any) -> dict[str, Any]:
    return dict(traverse_util.flatten_dict(variables, sep="/"))


def colored_noise(draw: np.random.Generator, count: int, side: int) -> Float[np.ndarray, "b h w 3"]:
    """Images of noise, RGB in [0, 1], whose amplitude falls as 1/f, as that of photographs does (Field 1987)."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    white = np.fft.rfft2(draw.standard_normal((count, side, side, 3)), axes=(1, 2))
    # Less than one wave an image is none.
    colored = np.fft.irfft2(white / np.maximum(frequency, 1 / side)[..., None], s=(side, side), axes=(1, 2))
    return (1 / (1 + np.exp(-1.2 * colored / colored.std()))).astype(np.float32)
