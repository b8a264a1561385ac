"""Encoders whose weights do not change: random filters that need no download, or published weights."""

import dataclasses
import math
from typing import Any, ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from likeness.experiments.training.resuming import of_arrays
from likeness.research.checks import check_members
from likeness.research.encoders import ImageEncoder, Vgg, normalize_energy
from likeness.research.types import Activations, Array, Float, PRNGKey, PyTree


@runtime_checkable
class Weights(Protocol):
    """Where an encoder's weights come from. They were trained, unless a truth value ``drawn`` says otherwise
    (:func:`are_drawn`)."""

    def variables(self, encoder: ImageEncoder) -> PyTree:
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
        >>> are_drawn(RandomWeights()), are_drawn(Pretrained(name="squeezenet11"))
        (True, False)
    """
    return bool(getattr(weights, "drawn", False))


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomWeights:
    """Random filters, scaled so that every layer has the same energy on colored noise.

    Normal of variance 2 / fan-in, with no bias (He et al. 2015), drawn by NumPy: the same for every device, and nothing is
    compiled for it. He, Wang and Hopcroft 2016, "A powerful generative model using random weights for the deep image
    representation".
    """

    drawn: ClassVar[bool] = True
    """They follow from the seed."""

    seed: int = 0
    """Which filters."""

    def variables(self, encoder: ImageEncoder) -> PyTree:
        """The same for the same seed."""
        draw = np.random.default_rng(self.seed)
        images, key = colored_noise(draw, 4, 96), jax.random.key(0)
        shapes = _flat(jax.eval_shape(encoder.init, key, images))
        drawn: dict[str, np.ndarray] = {}
        for layer in encoder.geometry:
            kernel, bias = f"params/{layer.name}/kernel", f"params/{layer.name}/bias"
            if kernel in shapes:
                shape = shapes[kernel].shape
                drawn[kernel] = draw.standard_normal(shape, np.float32) * np.float32(math.sqrt(2 / math.prod(shape[:-1])))
                drawn[bias] = np.zeros(shapes[bias].shape, np.float32)
        # The preprocessing is not random.
        others = shapes.keys() - drawn.keys()

        def given(key: PRNGKey) -> dict[str, Array]:
            made = _flat(encoder.init(key, images))
            return {name: made[name] for name in others}

        variables = traverse_util.unflatten_dict(drawn | (jax.jit(given)(key) if others else {}), sep="/")
        return normalize_energy(encoder, variables, jnp.asarray(images))


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrozenEncoder:
    """An encoder and its weights. Called on weights and images it gives the activations."""

    encoder: ImageEncoder = Vgg(
        convolutions=(2, 2, 4, 2), widths=(32, 64, 128, 256), pooling="average", padding="reflect", preprocessing="torchvision"
    )
    """The network: half of VGG-19, four blocks deep, unless said otherwise."""
    weights: Weights = RandomWeights()
    """Where its weights come from."""

    def __post_init__(self) -> None:
        check_members("FrozenEncoder", "weights", self.weights, Weights, "RandomWeights() or Pretrained(name=…)")

    def variables(self) -> PyTree:
        """The weights.

        Raises:
            UserError: when they cannot be had or do not fit the encoder.
        """
        return self.weights.variables(self.encoder)

    def fingerprint(self, variables: PyTree) -> dict[str, str]:
        """Of its weights, under their name; of those that are drawn by a config, which other devices round otherwise, none."""
        return {} if are_drawn(self.weights) else {"weights of the encoder": of_arrays(variables)}

    def __call__(self, variables: PyTree, images: Float[Array, "b h w c"]) -> Activations:
        """The activations of images, RGB in [0, 1]."""
        return self.encoder.apply(variables, images)  # pyright: ignore[reportReturnType]


def _flat(variables: Any) -> dict[str, Any]:
    return dict(traverse_util.flatten_dict(variables, sep="/"))


def colored_noise(draw: np.random.Generator, count: int, side: int) -> Float[np.ndarray, "b h w 3"]:
    """Images of noise, RGB in [0, 1], whose amplitude falls as 1/f, as that of photographs does (Field 1987)."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    white = np.fft.rfft2(draw.standard_normal((count, side, side, 3)), axes=(1, 2))
    # Less than one wave an image is none.
    colored = np.fft.irfft2(white / np.maximum(frequency, 1 / side)[..., None], s=(side, side), axes=(1, 2))
    return (1 / (1 + np.exp(-1.2 * colored / colored.std()))).astype(np.float32)
