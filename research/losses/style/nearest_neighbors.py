"""Neural neighbors: every feature of the image comes to be one that the style has."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp

from likeness.research.checks import check_count
from likeness.research.distances import unit
from likeness.research.losses.style.hypercolumns import DrawsPlaces, draw_places, read_grid
from likeness.research.losses.style.layers import (
    ActivationLoss,
    Layers,
    Mask,
    each_image,
    flatten_places,
    mask_at,
    safe_divide,
)
from likeness.research.types import Activations, Array, Float, Int, PRNGKey, PyTree, Scalar


class JoinsReferences(ActivationLoss):
    """A loss whose reference may be several images, of any sizes, taken as one: such as an image and its turned copies."""

    @abc.abstractmethod
    def join(self, targets: Sequence[PyTree]) -> PyTree:
        """What is kept of all of the reference images, of what is kept of each."""


class MatchesOnce(ActivationLoss):
    """A loss that looks its partners up once, and then holds the image to them."""

    content: float
    """How much of the content image is in the image that they are looked up for; the rest is the image as it is then."""

    @abc.abstractmethod
    def match(self, activations: Activations, target: PyTree) -> PyTree:
        """The partners of an image: arrays."""

    @abc.abstractmethod
    def matched(self, activations: Activations, target: PyTree, matches: PyTree, mask: Mask | None = None) -> Scalar:
        """The loss of images whose partners these are."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class NeuralNeighbors(Layers, JoinsReferences, MatchesOnce):
    """``J = 1/n Σ_i (1 - cos(x_i, y_NN(i)))`` over the hypercolumns x_i of a grid of places.

    ``NN(i) = argmax_j cos(q_i - q̄, y_j - ȳ)`` is looked up among the hypercolumns y_j of the reference, for the hypercolumns
    q_i of a query image, each side centered at its own mean: uncentered, what all features have in common decides, and one
    part of the style is everybody's neighbor. Where no partners are given the image is its own query and they are looked up
    anew each time. The grid has a place for every 4 × 4 pixels, and each layer is read bilinearly at their centers.

    Kolkin, Kucera, Paris, Sýkora, Shechtman and Shakhnarovich, "Neural neighbor style transfer" (NNST), 2022. Its code
    centers the queries by each chunk's mean.

    Memory: the reference's hypercolumns, 130 MB for VGG-16 to relu4_3 at 512 × 384, and as much again for each turned copy.
    """

    follows: ClassVar[bool] = True

    weights: tuple[float, ...] = ()
    """A factor of each layer's features in the joined vector; () for one over its channels, each as in NNST."""

    stride: int = 4
    """Pixels of the image to one place of the grid, on each axis."""

    content: float = 0.75
    """How much of the content image is in the query."""

    chunk: int = 1024
    """Places whose neighbors are searched at once."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("NeuralNeighbors", "stride", self.stride)
        check_count("NeuralNeighbors", "chunk", self.chunk)
        if not 0.0 <= self.content <= 1.0:
            raise ValueError(f"NeuralNeighbors(content={self.content}): content must be a share, from 0 to 1.")

    def target(self, reference: Activations, mask: Mask | None = None) -> PyTree:
        """``columns`` (b, m, c), and ``inside``, (1, m), 1 for a place that may be a neighbor."""
        columns, weights = self._columns(reference, mask)
        return {"columns": columns, "inside": jnp.where(weights >= 0.5, 1.0, 0.0)}

    def join(self, targets: Sequence[PyTree]) -> PyTree:
        """All of their hypercolumns."""
        return jax.tree.map(lambda *parts: jnp.concatenate(parts, axis=1), *targets)

    def match(self, activations: Activations, target: PyTree) -> Int[Array, "b n"]:
        """NN(i) of each image."""
        queries, _ = self._columns(activations, None)
        self._check(target, queries)

        def search(queries: Array, references: Array, inside: Array) -> Array:
            return nearest_neighbors(queries, references, inside, self.chunk)

        return each_image(search, (jax.lax.stop_gradient(queries),), (target["columns"], target["inside"]))

    def __call__(self, activations: Activations, target: PyTree, mask: Mask | None = None) -> Scalar:
        """The loss of images that are their own queries: mean over b of J.

        Raises:
            ValueError: layers that do not exist; a target of another encoder.
        """
        return self.matched(activations, target, self.match(activations, target), mask)

    def matched(self, activations: Activations, target: PyTree, matches: PyTree, mask: Mask | None = None) -> Scalar:
        """The loss of images whose neighbors are known. A place of mask m weighs m."""
        columns, weights = self._columns(activations, mask)
        self._check(target, columns)

        def distance(columns: Array, matches: Array, references: Array, inside: Array) -> Scalar:
            cosine = jnp.sum(unit(columns) * unit(references[matches]), axis=1)
            # A region of the reference without any place in it has nothing to match.
            return jnp.max(inside) * safe_divide(jnp.sum(weights[0] * (1.0 - cosine)), jnp.sum(weights))

        found = each_image(distance, (columns, matches), (target["columns"], target["inside"]))
        return jnp.sum(found) / max(len(found), 1)

    def _check(self, target: PyTree, columns: Array) -> None:
        self.check_shape(self.layers[0], target["columns"].shape[::2], columns.shape[::2])

    def _columns(self, activations: Activations, mask: Mask | None) -> tuple[Float[Array, "b n c"], Float[Array, "1 n"]]:
        maps = [features for _, features in self.read_maps(activations)]
        # The first layer of a VGG is as large as the image.
        height, width = (max(1, max(features.shape[axis] for features in maps) // self.stride) for axis in (1, 2))
        factors = self.weights or tuple(1.0 / features.shape[3] for features in maps)
        read = [factor * read_grid(features, (height, width)) for factor, features in zip(factors, maps, strict=True)]
        columns = flatten_places(jnp.concatenate(read, axis=3))
        if mask is None:
            return columns, jnp.ones((1, height * width), jnp.float32)
        return columns, mask_at(mask, jnp.zeros((1, height, width, 1)), activations).reshape(1, -1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NearestNeighbors(Layers, DrawsPlaces, JoinsReferences):
    """``J_l = 1/n Σ_i min_j (1 - cos(x_i - x̄, y_j - ȳ))``: in every layer by itself each feature finds its own nearest.

    The last pass of NNST (Kolkin et al. 2022), which sharpens what hypercolumns have laid out: layers need not agree on one
    place of the style. At most ``samples`` places of the image are compared, other ones for each key, with as many or more of
    the reference. The means x̄ and ȳ are of the features that are compared.

    A place is drawn as often as its mask weighs.
    """

    follows: ClassVar[bool] = True

    samples: int = 4096
    """n at most, for each layer."""

    reference_samples: int = 4096
    """Places drawn once from each reference image and layer, at most."""

    seed: int = 0
    """Of the places, where no key is given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("NearestNeighbors", "samples", self.samples, least=2)
        check_count("NearestNeighbors", "reference_samples", self.reference_samples, least=2)

    def target(self, reference: Activations, mask: Mask | None = None) -> PyTree:
        """By layer: ``features`` (b, m, c), and ``any``, (b, 1), 0 where the mask is 0 everywhere."""
        kept = {}
        for index, (layer, features) in enumerate(self.read_maps(reference)):
            key = jax.random.fold_in(jax.random.key(self.seed), index)
            drawn, some = _drawn(key, features, mask, reference, self.reference_samples)
            kept[layer] = {"features": drawn, "any": jnp.broadcast_to(some, (len(drawn), 1))}
        return kept

    def join(self, targets: Sequence[PyTree]) -> PyTree:
        """All of their features."""
        return jax.tree.map(lambda *parts: jnp.concatenate(parts, axis=1), *targets)

    def __call__(
        self, activations: Activations, target: PyTree, mask: Mask | None = None, key: PRNGKey | None = None
    ) -> Scalar:
        """The loss of images: mean over b of ``Σ_l λ_l J_l``.

        Raises:
            ValueError: layers that do not exist; a target of another encoder.
        """
        key = jax.random.key(self.seed) if key is None else key
        terms = {}
        for index, (layer, features) in enumerate(self.read_maps(activations)):
            kept = target[layer]
            self.check_shape(layer, kept["features"].shape[::2], features.shape[::3])
            drawn, some = _drawn(jax.random.fold_in(key, index), features, mask, activations, self.samples)
            terms[layer] = some * each_image(_nearest_distance, (drawn,), (kept["features"], kept["any"]))
        return self.total(terms)


def nearest_neighbors(
    queries: Float[Array, "n c"], references: Float[Array, "m c"], inside: Float[Array, "m"], chunk: int = 1024
) -> Int[Array, "n"]:
    """``argmax_j cos(q_i - q̄, y_j - ȳ)`` over those j that are inside; ȳ is their mean. In O(chunk · m) memory."""
    center = safe_divide(inside @ references, jnp.sum(inside))
    directions = unit(references - center)
    rows = unit(queries - jnp.mean(queries, axis=0))

    def search(rows: Array) -> Array:
        cosine = jnp.matmul(rows, directions.T, precision=jax.lax.Precision.HIGHEST)
        return jnp.argmax(jnp.where(inside > 0, cosine, -jnp.inf), axis=1)

    if len(rows) <= chunk:
        return search(rows)
    padded = jnp.pad(rows, ((0, -len(rows) % chunk), (0, 0))).reshape(-1, chunk, rows.shape[1])
    return jax.lax.map(search, padded).reshape(-1)[: len(rows)]


def _drawn(
    key: PRNGKey, features: Float[Array, "b h w c"], mask: Mask | None, activations: Activations, samples: int
) -> tuple[Float[Array, "b n c"], Scalar]:
    _, height, width, _ = features.shape
    share = jnp.ones((height, width), jnp.float32) if mask is None else mask_at(mask, features, activations)
    chosen = draw_places(key, share, min(samples, height * width))
    return flatten_places(features)[:, chosen], jnp.where(jnp.sum(share) > 0, 1.0, 0.0)


def _nearest_distance(x: Float[Array, "n c"], y: Float[Array, "m c"], some: Float[Array, "k"]) -> Scalar:
    rows, directions = unit(x - jnp.mean(x, axis=0)), unit(y - jnp.mean(y, axis=0))
    cosine = jnp.matmul(jax.lax.stop_gradient(rows), directions.T, precision=jax.lax.Precision.HIGHEST)
    return jnp.max(some) * jnp.mean(1.0 - jnp.sum(rows * directions[jnp.argmax(cosine, axis=1)], axis=1))
