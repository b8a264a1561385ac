"""What of an encoder's maps says where objects are: numbers for each place, without an opinion of what they mean."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layers import batch_norm, check_fields
from likeness.research.ops.convolution import Convolution
from likeness.research.types import AnyArray, Array, Float, Precision

__all__ = ["PlaceHead", "WholeHead"]


class PlaceHead(nn.Module, kw_only=True):
    """Groups of numbers for each place of each map, each group by its own tower of 3×3 convolutions.

    A tower has ``depth`` of them, with batch normalization and ReLU, and then a product of matrices. What is said of a box and
    what of its class need different features (Ge et al. 2021). The convolutions are the same on all maps, and each map has its
    own statistics, for maps of several strides are not spread alike.

    Paper: Ge et al., YOLOX: exceeding YOLO series in 2021.
    """

    groups: tuple[int, ...]
    """Numbers of each group."""
    biases: tuple[tuple[float, ...], ...]
    """What each number is before anything is learned."""
    width: int = 48
    """Channels of the towers."""
    depth: int = 1
    """Convolutions of a tower."""
    dtype: Precision = "float32"
    """Compute dtype of the towers; parameters, statistics and what is said stay float32."""

    def __post_init__(self) -> None:
        check_fields("PlaceHead", width=self.width)
        if self.depth < 0 or tuple(map(len, self.biases)) != tuple(self.groups) or min(self.groups, default=0) < 1:
            raise ValueError(
                f"PlaceHead: groups is {self.groups}, depth {self.depth} and there are {tuple(map(len, self.biases))} biases: "
                "give groups of at least 1, as many biases in each, and 0 or more convolutions."
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, maps: Sequence[Float[AnyArray, "_b _h _w _c"]], train: bool = False) -> list[Array]:
        """For each map (b, h, w, Σ groups), float32, group after group.

        Args:
            maps: of an encoder, with the same number of channels each.
            train: normalize by the batch's statistics and update the running ones (needs ``mutable=["batch_stats"]``).
        """
        said: list[list[Array]] = [[] for _ in maps]
        for group, (count, biases) in enumerate(zip(self.groups, self.biases, strict=True)):
            tower = [
                Convolution(features=self.width, padding=1, use_bias=False, dtype=self.dtype, name=f"tower{group}_{layer}")
                for layer in range(1, self.depth + 1)
            ]
            last = nn.Dense(
                count,
                kernel_init=nn.initializers.normal(0.01),
                bias_init=lambda key, shape, dtype, biases=biases: jnp.asarray(biases, dtype),
                name=f"say{group}",
            )
            for level, x in enumerate(maps):
                for layer, convolve in enumerate(tower, 1):
                    norm = batch_norm(f"tower{group}_{layer}_norm{level}", self.dtype, train=train)
                    x = nn.relu(norm(convolve(x)))
                said[level].append(last(x.astype(jnp.float32)))
        return [jnp.concatenate(parts, axis=-1) for parts in said]


class WholeHead(nn.Module, kw_only=True):
    """A few numbers for an image, from all places of one map: a hidden layer with batch normalization and ReLU, and they."""

    biases: tuple[float, ...]
    """What each number is before anything is learned."""
    width: int = 256
    """Numbers of the hidden layer."""
    dtype: Precision = "float32"
    """Compute dtype of the hidden layer; parameters, statistics and what is said stay float32."""

    def __post_init__(self) -> None:
        check_fields("WholeHead", width=self.width, numbers=len(self.biases))
        super().__post_init__()

    @nn.compact
    def __call__(self, maps: Sequence[Float[AnyArray, "_b _h _w _c"]], train: bool = False) -> list[Array]:
        """The numbers, (b, n), float32, alone in a list.

        Args:
            maps: one, of an encoder.
            train: normalize by the batch's statistics and update the running ones (needs ``mutable=["batch_stats"]``).
        """
        (one,) = maps
        x = jnp.reshape(one, (one.shape[0], -1)).astype(self.dtype)
        x = nn.Dense(self.width, use_bias=False, dtype=jnp.dtype(self.dtype), name="hidden")(x)
        x = nn.relu(batch_norm("hidden_norm", self.dtype, train=train)(x))
        biases = jnp.asarray(self.biases, jnp.float32)
        last = nn.Dense(
            len(self.biases),
            kernel_init=nn.initializers.normal(0.01),
            bias_init=lambda key, shape, dtype: biases.astype(dtype),
            name="say",
        )
        return [last(x.astype(jnp.float32))]
