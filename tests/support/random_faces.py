"""A small face encoder that has seen nothing. It takes crops of any size that four poolings leave something of."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from likeness.experiments.frozen import FrozenEncoder
from likeness.research.encoders import Conv4


@dataclasses.dataclass(frozen=True, kw_only=True)
class AsFlaxDraws:
    seed: int = 0

    def variables(self, encoder):
        return _variables(encoder, self.seed)


@functools.cache
def _variables(encoder, seed: int):
    return jax.jit(encoder.init)(jax.random.key(seed), jnp.zeros((1, 20, 16, 3)))


RANDOM_FACES = FrozenEncoder(encoder=Conv4(width=6, head="flatten", normalize=False), weights=AsFlaxDraws())
