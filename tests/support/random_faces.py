"""A small face encoder that has seen nothing."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from likeness.research.encoders import Conv4

ENCODER = Conv4(width=6, head="flatten", normalize=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomFaces:
    """Takes crops of any size that four poolings leave something of."""

    seed: int = 0

    def variables(self):
        return _variables(self.seed)

    def __call__(self, variables, images):
        return ENCODER.apply(variables, images)


@functools.cache
def _variables(seed: int):
    return jax.jit(ENCODER.init)(jax.random.key(seed), jnp.zeros((1, 20, 16, 3)))
