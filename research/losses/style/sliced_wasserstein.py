"""Sliced Wasserstein distance: the features' distribution seen along random directions."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import check_count
from likeness.research.losses.style.quantiles import QuantileLayers
from likeness.research.types import Array, Float


@dataclasses.dataclass(frozen=True, kw_only=True)
class SlicedWasserstein(QuantileLayers):
    """Mean over random unit directions θ of the squared Wasserstein-2 distance of ``θ·x`` and ``θ·x'``.

    Unlike the Gram matrix it sees the whole distribution, not two moments of it. Heitz et al., "A sliced Wasserstein
    loss for neural texture synthesis", 2021, draw nC directions anew at every step; here they are fixed by the seed, so
    that the loss is a function and the same command gives the same image.

    The target holds ``projections`` sorted values for every place of the reference: at 512² and 64 of them 64 MiB for a
    layer of full resolution. Sorting is most of the cost on a CPU, and there is no way to have it exactly from tiles.
    """

    projections: int = 64
    """Directions for each layer."""

    seed: int = 0
    """Of the directions; each layer has its own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("SlicedWasserstein", "projections", self.projections)

    def directions(self, index: int, channels: int) -> Float[Array, "v c"]:
        """Unit vectors, uniform on the sphere, for the layer of this index."""
        key = jax.random.fold_in(jax.random.key(self.seed), index)
        drawn = jax.random.normal(key, (self.projections, channels), jnp.float32)
        return drawn / jnp.linalg.norm(drawn, axis=1, keepdims=True)

    def views(self, index: int, places: Float[Array, "b p c"]) -> Float[Array, "b v p"]:
        """``θ_v · x_p``."""
        directions = self.directions(index, places.shape[-1])
        return jnp.einsum("vc,bpc->bvp", directions, places, precision=jax.lax.Precision.HIGHEST)
