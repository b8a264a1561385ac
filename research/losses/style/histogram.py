"""Histogram loss: every channel has the reference's histogram."""

import dataclasses

import jax.numpy as jnp

from likeness.research.losses.style.quantiles import QuantileLayers
from likeness.research.types import Array, Float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Histogram(QuantileLayers):
    """``J_l = s_l ‖O - R(O)‖²``, R(O) the activations O with each channel's histogram matched to the reference's.

    The match is exact, by sorting, instead of by 256 bins, and R(O) is held fixed in the derivative. So it is the sum
    over channels of the squared Wasserstein-2 distances of their values. Meant beside a Gram loss, whose instabilities
    it removes: Gram matrices do not fix the mean and variance of a channel.

    Risser, Wilmot and Barnes, "Stable and controllable neural texture synthesis and style transfer using histogram
    losses", 2017; their formula is ``normalizer="sum"``, at relu1_1 and relu4_1.
    """

    def views(self, index: int, places: Float[Array, "b p c"]) -> Float[Array, "b v p"]:
        """The channels themselves."""
        return jnp.swapaxes(places, 1, 2)
