"""What of the features of regions says what is in each, and what of a map says where regions are."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.checks import check_count
from likeness.research.encoders.detection_heads import PlaceHead
from likeness.research.encoders.layers import check_fields
from likeness.research.types import AnyArray, Array, Float, Precision

__all__ = ["RegionNetwork"]


class RegionNetwork(nn.Module, kw_only=True):
    """Two hidden layers on the features of a region, and of it a logit for each class and background, and four deltas.

    Where it has ``anchors``, it also proposes: a 3×3 convolution of a map, and for each place and anchor the logit of whether
    something is there, and four deltas.

    Papers: Girshick, Fast R-CNN, ICCV 2015; Ren et al., Faster R-CNN, 2015.
    """

    classes: int
    """K, without background."""
    width: int = 128
    """Of the hidden layers."""
    parts: int = 7
    """Along each side of a region, of which each has its features."""
    anchors: int = 0
    """For each place of the map; 0 proposes nothing."""
    proposing_width: int = 48
    """Channels of the convolution."""
    prior: float = 0.05
    """The probability that something is at an anchor, before anything is learned."""
    dtype: Precision = "float32"
    """Compute dtype of the hidden layers; parameters and what is said stay float32."""

    def __post_init__(self) -> None:
        check_fields("RegionNetwork", classes=self.classes, width=self.width, parts=self.parts, channels=self.proposing_width)
        check_count("RegionNetwork", "anchors", self.anchors, least=0)
        super().__post_init__()

    def setup(self) -> None:
        if self.anchors:
            one = (math.log(self.prior / (1 - self.prior)), 0.0, 0.0, 0.0, 0.0)
            self.rpn = PlaceHead(groups=(5 * self.anchors,), biases=(one * self.anchors,), width=self.proposing_width)
        self.hidden = [nn.Dense(self.width, dtype=jnp.dtype(self.dtype)) for _ in range(2)]
        self.say_class = nn.Dense(self.classes + 1, kernel_init=nn.initializers.normal(0.01))
        self.say_box = nn.Dense(4, kernel_init=nn.initializers.normal(0.001))

    def __call__(self, maps: Sequence[Float[AnyArray, "_b _h _w _c"]], train: bool = False) -> None:
        """Asks for all that there is, so that it is initialized.

        Args:
            maps: one, of an encoder.
            train: whether anything is learned.
        """
        (one,) = maps
        if self.anchors:
            self.propose(one, train=train)
        self.judge(jnp.zeros((1, 1, self.parts, self.parts, one.shape[-1])), train=train)

    def propose(self, one: Float[AnyArray, "b h w c"], train: bool = False) -> Float[Array, "b h w a 5"]:
        """For each place and anchor the logit of objectness and four deltas.

        Args:
            one: a map of an encoder.
            train: normalize by the batch's statistics and update the running ones (needs ``mutable=["batch_stats"]``).
        """
        (said,) = self.rpn([one], train=train)
        return said.reshape(*said.shape[:3], self.anchors, 5)

    def judge(
        self, features: Float[AnyArray, "b k p q c"], train: bool = False
    ) -> tuple[Float[Array, "b k n"], Float[Array, "b k 4"]]:
        """A logit of each class and of background, which comes last, and four deltas of each region.

        Args:
            features: of k regions of each image, in P × P parts.
            train: nothing here depends on it.
        """
        del train
        x = jnp.reshape(features, (*features.shape[:2], -1)).astype(self.dtype)
        for layer in self.hidden:
            x = nn.relu(layer(x))
        x = x.astype(jnp.float32)
        return self.say_class(x), self.say_box(x)
