"""Encoders whose weights do not change: random filters that need no download, or published weights."""

import dataclasses
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from research.encoders import PictureEncoder, Vgg, normalize_energy
from research.types import Activations, Array, Float, PyTree


@runtime_checkable
class Weights(Protocol):
    """Where an encoder's weights come from."""

    def variables(self, encoder: PictureEncoder) -> PyTree: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomWeights:
    """Random filters, scaled so that every layer has the same energy on colored noise.

    He, Wang and Hopcroft 2016, "A powerful generative model using random weights for the deep image representation".
    """

    seed: int = 0
    """Which filters."""

    def variables(self, encoder: PictureEncoder) -> PyTree:
        """The same for the same seed, on one kind of device."""
        filters, noise = jax.random.split(jax.random.key(self.seed))
        pictures = colored_noise(noise, 4, 96)
        return normalize_energy(encoder, jax.jit(encoder.init)(filters, pictures), pictures)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrozenEncoder:
    """An encoder and its weights. Called on weights and pictures it gives the activations."""

    encoder: PictureEncoder = Vgg(
        convolutions=(2, 2, 4, 2), widths=(32, 64, 128, 256), pooling="average", padding="reflect", preprocessing="torchvision"
    )
    """The network: half of VGG-19, four blocks deep, unless said otherwise."""
    weights: Weights = RandomWeights()
    """Where its weights come from."""

    def variables(self) -> PyTree:
        """The weights.

        Raises:
            UserError: when they cannot be had or do not fit the encoder.
        """
        return self.weights.variables(self.encoder)

    def __call__(self, variables: PyTree, pictures: Float[Array, "b h w c"]) -> Activations:
        """The activations of pictures, RGB in [0, 1]."""
        return self.encoder.apply(variables, pictures)  # pyright: ignore[reportReturnType]


def colored_noise(key: Array, count: int, side: int) -> Float[Array, "b h w c"]:
    """Pictures of noise in five octaves, each twice as strong as the next finer one, in [0, 1]: the spectrum of photographs."""
    total = jnp.zeros((count, side, side, 3))
    for octave in range(5):
        cells = 3 * 2**octave
        noise = jax.random.normal(jax.random.fold_in(key, octave), (count, cells, cells, 3))
        total = total + 0.5**octave * jax.image.resize(noise, total.shape, "cubic")
    return jax.nn.sigmoid(1.2 * total)
