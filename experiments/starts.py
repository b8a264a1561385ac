"""The picture that a stylization begins with."""

import dataclasses
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from research.types import Array, Float, PRNGKey


@runtime_checkable
class Start(Protocol):
    """Makes the first picture from the content picture, both (1, h, w, 3) in [0, 1]. Runs under ``jit``."""

    def __call__(self, content: Float[Array, "1 h w 3"], key: PRNGKey) -> Float[Array, "1 h w 3"]: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class FromContent:
    """The content picture, with some noise if asked for."""

    noise: float = 0.0
    """How much of it is noise, evenly distributed in [0, 1]: 0 none, 1 all (the course begins near 0.6)."""

    def __post_init__(self) -> None:
        if not 0 <= self.noise <= 1:
            raise ValueError(f"FromContent.noise is {self.noise}: give a share from 0 to 1")

    def __call__(self, content: Float[Array, "1 h w 3"], key: PRNGKey) -> Float[Array, "1 h w 3"]:
        """``(1 - noise) C + noise U``."""
        if self.noise == 0:
            return content + 0.0
        return (1.0 - self.noise) * content + self.noise * jax.random.uniform(key, content.shape)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FromNoise:
    """White noise around a gray."""

    deviation: float = 0.25
    """Standard deviation of the normal noise."""
    center: float = 0.5
    """The gray."""

    def __post_init__(self) -> None:
        if not self.deviation >= 0 or not 0 <= self.center <= 1:
            raise ValueError(
                f"FromNoise has deviation {self.deviation} and center {self.center}: give a deviation of 0 or more and a "
                "center from 0 to 1"
            )

    def __call__(self, content: Float[Array, "1 h w 3"], key: PRNGKey) -> Float[Array, "1 h w 3"]:
        """``clip(center + deviation N(0, 1))``."""
        return jnp.clip(self.center + self.deviation * jax.random.normal(key, content.shape), 0.0, 1.0)
