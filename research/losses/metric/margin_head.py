"""Softmax over the cosines to class centers: what the ArcFace family shares, all but the margin."""

import abc
import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from likeness.research.checks import UncheckedEmbeddings, as_embeddings, check_choice, check_finite_positive
from likeness.research.distances import safe_sqrt, unit
from likeness.research.losses.metric.angular_margin import Gradient
from likeness.research.losses.metric.class_centers import ClassCenters
from likeness.research.losses.metric.pairs import LabelsOrSame
from likeness.research.losses.metric.protocol import of_first_batch
from likeness.research.types import Array, Bool, Float, Int, PRNGKey, PyTree, Scalar


class CenterCosines(NamedTuple):
    """A batch of b images as seen from the n classes that it is compared with."""

    own: Float[Array, "b"]
    """cos θ_y, to the image's own class; 0 where that is no class."""
    all: Float[Array, "b n"]
    """cos θ_j, to each class."""
    other: Bool[Array, "b n"]
    """Whether it is a class, and not the image's own."""
    lengths: Float[Array, "b"]
    """|f| of each embedding."""
    valid: Bool[Array, "b"]
    """Whether the row takes part."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MarginHead(ClassCenters):
    """Classification by the cosines ``cos θ_j = f·W_j / (|f| |W_j|)`` to class centers W; a subclass says what an image costs.

    - An embedding or center without direction, no entry above 1e-12, has cosine 0 to all, and no gradient.
    - A label outside 0 … classes - 1, or an embedding that is not finite: NaN, unless the row is padding
      (:class:`~likeness.research.losses.metric.pairs.Padded`). Values are not known under ``jit``, so no error can be raised
      for them. An empty batch costs 0.

    The product of embeddings and centers is the only large thing, (b, classes), and everything done with it is elementwise or
    a reduction over classes: with the centers split over devices by rows, XLA keeps it split, and what these devices exchange
    are the embeddings, a few numbers an image, and with a ``rate`` one number a class. All is float32; the product is taken at
    the highest precision.

    For ``rate``: An et al., "Partial FC: training 10 million identities on a single machine", 2020.
    """

    scale: float = 64.0
    """s, the inverse temperature. Few classes or short training want less, 16 or 32."""

    rate: float = 1.0
    """The share of the centers that a batch is compared with (Partial FC): those of its own people, filled up with uniformly
    drawn others. What is held shrinks to this share of (b, classes); the centers' own gradient and optimizer state do not. Each
    of the ``shards`` keeps its share, and one more than the batch has images at least, as all of its people may be there."""

    def __post_init__(self) -> None:
        super().__post_init__()
        name = type(self).__name__
        check_finite_positive(name, "scale", self.scale)
        if not 0.0 < self.rate <= 1.0:
            raise ValueError(f"{name}(rate={self.rate}): rate is a share of the centers, above 0 and at most 1.")

    @property
    def drawn(self) -> bool:
        """Whether each batch is compared with some of the centers only."""
        return self.rate < 1.0

    @property
    def needs_key(self) -> bool:
        """Whether anything is drawn at random."""
        return self.drawn

    @abc.abstractmethod
    def costs(
        self, params: PyTree, state: PyTree, cosines: CenterCosines, key: PRNGKey | None
    ) -> tuple[Float[Array, "b"], PyTree, dict[str, Scalar]]:
        """What each image costs, the state after the batch, and what else to watch.

        Args:
            params: the loss's own weights.
            state: what is carried from batch to batch; ``{}`` for a head that carries nothing.
            cosines: of the batch; whatever is returned for rows that take no part is left out.
            key: for what is drawn at random.
        """

    def __call__(
        self, params: PyTree, embeddings: UncheckedEmbeddings, labels: LabelsOrSame, key: PRNGKey | None = None
    ) -> Scalar:
        """The loss of a batch."""
        return self.value_and_diagnostics(params, embeddings, labels, key)[0]

    def value_and_diagnostics(
        self,
        params: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and what to watch beside it.

        Returns:
            The value and float32 scalars: ``accuracy`` (one's own center is nearest, of those compared with, without margin),
            and the mean cosine to one's own center, ``own_cosine``, and to the nearest other, ``nearest_other_cosine``.

        Raises:
            ValueError: embeddings, labels or centers of another shape or dtype, so also a mask instead of labels; a label that
                is known here and does not fit into 32 bits; something is drawn at random and there is no key.
        """
        value, _, diagnostics = self.evaluated(params, {}, embeddings, labels_or_same, key)
        return value, diagnostics

    def evaluated(
        self,
        params: PyTree,
        state: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None,
    ) -> tuple[Scalar, PyTree, dict[str, Scalar]]:
        """The loss, the state after the batch, and what to watch beside them; otherwise as :meth:`value_and_diagnostics`."""
        name = type(self).__name__
        if self.needs_key and key is None:
            drawn = f"rate={self.rate}) draws centers" if self.drawn else ") draws margins"
            raise ValueError(f"{name}({drawn} at random and got no key: pass key=jax.random.key(...).")
        embeddings = as_embeddings(name, embeddings)
        labels, valid = self.checked_labels(labels_or_same, len(embeddings))
        embeddings = jnp.where(valid[:, None], embeddings, 0.0)
        centers = self.checked_centers(params, embeddings.shape[1])
        cosines, known = self._cosines(centers, embeddings, labels, valid, key)
        costs, state, watched = self.costs(params, state, cosines, key)
        value = _mean(jnp.where(known, costs, jnp.nan), valid)
        nearest_other = jnp.max(jnp.where(cosines.other, jax.lax.stop_gradient(cosines.all), -jnp.inf), axis=1)
        diagnostics = {
            "accuracy": _mean(jnp.where(cosines.own > nearest_other, 1.0, 0.0), valid),
            "own_cosine": _mean(cosines.own, valid),
            "nearest_other_cosine": _mean(nearest_other, valid),
            **watched,
        }
        return value, jax.lax.stop_gradient(state), jax.lax.stop_gradient(diagnostics)

    def softmax_costs(
        self, target: Float[Array, "b"], others: Float[Array, "b n"], other: Bool[Array, "b n"]
    ) -> Float[Array, "b"]:
        """``-log( exp(s ψ) / (exp(s ψ) + Σ_j exp(s o_j)) )`` of each image.

        Args:
            target: ψ, of the image's own class.
            others: o, of each class.
            other: which of them are others.
        """
        lifted = jax.nn.logsumexp(jnp.where(other, self.scale * others, -jnp.inf), axis=1)
        # Not log Σ exp - target, of which a small loss is the difference of two large numbers.
        return jax.nn.softplus(lifted - self.scale * target)

    def class_cosines(self, units: Float[Array, "b d"], centers: Float[Array, "n d_of_class"]) -> Float[Array, "b n"]:
        """The cosine of each embedding, of unit length, to each class; a row holds all centers of a class."""
        return jnp.matmul(units, unit(centers).T, precision=jax.lax.Precision.HIGHEST)

    def _cosines(
        self, centers: Array, embeddings: Array, labels: Array, valid: Array, key: PRNGKey | None
    ) -> tuple[CenterCosines, Bool[Array, "b"]]:
        """To the classes that are compared with; and whether each row's label is that of a class."""
        drawn, classes = self._compared(centers.reshape(self.rows, -1), jnp.where(valid, labels, 0), key)
        cosines = self.class_cosines(unit(embeddings), drawn)
        own = labels[:, None] == classes[None, :]
        other = ~own & (classes < self.classes)[None, :]
        # A sum over one entry, not an indexing: it stays split over the classes, and so does its derivative.
        own_cosine = jnp.sum(jnp.where(own, cosines, 0.0), axis=1)
        found = CenterCosines(own_cosine, cosines, other, _lengths(embeddings), valid)
        return found, (labels >= 0) & (labels < self.classes)

    def _compared(
        self, centers: Float[Array, "rows d"], labels: Int[Array, "b"], key: PRNGKey | None
    ) -> tuple[Float[Array, "n d"], Int[Array, "n"]]:
        """The centers that this batch is compared with, and of which class each is."""
        rows, dimension = centers.shape
        each = rows // self.shards
        kept = min(max(math.ceil(self.rate * each), len(labels) + 1), each)
        if not self.drawn or kept == each:
            return centers, jnp.arange(rows, dtype=labels.dtype)
        assert key is not None
        places = jnp.arange(rows, dtype=labels.dtype)
        # Draws are from [0, 1): the batch's own people come before all, rows that fill up after all.
        order = jax.random.uniform(key, (rows,)).at[labels].set(2.0, mode="drop")
        order = jnp.where(places < self.classes, order, -1.0)
        _, chosen = jax.lax.top_k(order.reshape(self.shards, each), kept)
        split = centers.reshape(self.shards, each, dimension)
        drawn = jnp.take_along_axis(split, chosen[:, :, None], axis=1)
        classes = chosen.astype(labels.dtype) + each * jnp.arange(self.shards, dtype=labels.dtype)[:, None]
        return drawn.reshape(-1, dimension), classes.reshape(-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AngularHead(MarginHead):
    """A :class:`MarginHead` whose margin is added to an angle."""

    gradient: Gradient = "exact"
    """``exact``: of the formula. ``straight_through``: dψ/d(cos θ) = 1, as InsightFace trains, which sets the margin outside of
    what it differentiates."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(type(self).__name__, "gradient", self.gradient, Gradient)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StatefulHead(AngularHead):
    """An :class:`AngularHead` that carries running statistics of the batches before."""

    @abc.abstractmethod
    def init_state(self, dimension: int) -> PyTree:
        """The statistics before the first batch."""

    def value_and_diagnostics(
        self,
        params: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of a first batch, before which there was none; otherwise as :class:`MarginHead`'s."""
        return of_first_batch(self, params, embeddings, labels_or_same, key)

    def value_state_and_diagnostics(
        self,
        params: PyTree,
        state: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, PyTree, dict[str, Scalar]]:
        """The loss, the statistics after the batch, which take part in its loss already, and what to watch beside them."""
        return self.evaluated(params, state, embeddings, labels_or_same, key)


def _mean(values: Float[Array, "b"], valid: Bool[Array, "b"]) -> Scalar:
    """Over the rows that take part; 0 of none."""
    count = jnp.sum(jnp.where(valid, 1.0, 0.0))
    return jnp.sum(jnp.where(valid, values, 0.0)) / jnp.maximum(count, 1.0)


def _lengths(embeddings: Float[Array, "b d"]) -> Float[Array, "b"]:
    """|f|, of which no square overflows, with derivative 0 at 0."""
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(embeddings), axis=1, keepdims=True))
    scaled = embeddings / jnp.where(largest > 0, largest, 1.0)
    return largest[:, 0] * safe_sqrt(jnp.sum(scaled * scaled, axis=1))
