"""What of an encoder's maps says where objects are: numbers for each place, without an opinion of what they mean."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layers import batch_norm, check_fields
from likeness.research.ops.convolution import Convolution
from likeness.research.types import AnyArray, Array, Float, Precision

__all__ = ["PlaceHead", "Vote", "VoteHead", "WholeHead"]


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


Vote: TypeAlias = Literal["x", "y", "number"]
"""What a place says: ``x`` and ``y`` are coordinates, counted from the place and in cells; ``number`` is anything else."""


class VoteHead(nn.Module, kw_only=True):
    """A few numbers for an image, each the mean of what all places of one map say of it, weighted by softmax over them:

        n_k = b_k + Σ_p a_g(p) v_k(p),    a_g(p) = exp(τ s_g(p)) / Σ_q exp(τ s_g(q)).

    The numbers of a group g share the weights a_g, so the places that see a thing best are believed. A tower of 3×3
    convolutions with batch normalization and ReLU says s and v. Coordinates count from the place that says them: what is
    learned at one place holds at every other, while a layer that reads all places at once must learn it at each.

    Papers: Sun et al., Integral human pose regression, ECCV 2018, and Nibali et al., Numerical coordinate regression with
    convolutional neural networks, 2018, for coordinates as means over a map.
    """

    groups: tuple[tuple[Vote, ...], ...]
    """What the numbers of each group are."""
    biases: tuple[float, ...]
    """What each number is before anything is learned, group after group; of coordinates, as shares of the image's sides."""
    width: int = 64
    """Channels of the tower."""
    depth: int = 1
    """Convolutions of the tower."""
    sharpness: float = 10.0
    """τ. With 1 it takes long until few places are believed, and what is said meanwhile is vague."""
    dtype: Precision = "float32"
    """Compute dtype of the tower; parameters, statistics and what is said stay float32."""

    def __post_init__(self) -> None:
        check_fields("VoteHead", width=self.width)
        numbers = [len(group) for group in self.groups]
        if min(numbers, default=0) < 1 or sum(numbers) != len(self.biases) or self.depth < 0 or not self.sharpness > 0:
            raise ValueError(
                f"VoteHead: groups of {numbers} numbers, {len(self.biases)} biases, depth {self.depth} and sharpness "
                f"{self.sharpness}: give groups of at least 1, as many biases as numbers, 0 or more convolutions and a "
                "sharpness above 0."
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, maps: Sequence[Float[AnyArray, "_b _h _w _c"]], train: bool = False) -> list[Array]:
        """The numbers, (b, n), float32, alone in a list; coordinates as shares of the image's sides.

        Args:
            maps: one, of an encoder.
            train: normalize by the batch's statistics and update the running ones (needs ``mutable=["batch_stats"]``).
        """
        (x,) = maps
        rows, columns = x.shape[1:3]
        for layer in range(1, self.depth + 1):
            x = Convolution(features=self.width, padding=1, use_bias=False, dtype=self.dtype, name=f"tower_{layer}")(x)
            x = nn.relu(batch_norm(f"tower_{layer}_norm", self.dtype, train=train)(x))
        x = jnp.reshape(x, (x.shape[0], rows * columns, -1)).astype(jnp.float32)
        init = nn.initializers.normal(0.01)
        weights = nn.softmax(self.sharpness * nn.Dense(len(self.groups), kernel_init=init, name="weigh")(x), axis=1)
        kinds = [kind for group in self.groups for kind in group]
        cell = {"x": 1 / columns, "y": 1 / rows, "number": 1.0}
        said = nn.Dense(len(kinds), kernel_init=init, use_bias=False, name="say")(x)
        said *= jnp.array([cell[kind] for kind in kinds], jnp.float32)
        # From the middle of the image, so that the mean of all places is 0.
        down, across = ((jnp.arange(count) + 0.5) / count - 0.5 for count in (rows, columns))
        place = {
            "x": jnp.tile(across, rows),
            "y": jnp.repeat(down, columns),
            "number": jnp.zeros(rows * columns),
        }
        said += jnp.stack([place[kind] for kind in kinds], axis=-1)
        owner = [group for group, own in enumerate(self.groups) for _ in own]
        biases = self.param("bias", lambda key, shape: jnp.asarray(self.biases, jnp.float32), (len(kinds),))
        return [biases + jnp.sum(weights[..., jnp.array(owner)] * said, axis=1)]
