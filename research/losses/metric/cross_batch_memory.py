"""Cross-batch memory: a pair loss whose references are also the embeddings of the batches before."""

import dataclasses
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.checks import UncheckedEmbeddings, as_embeddings, check_choice, check_count, check_members
from likeness.research.distances import Distance
from likeness.research.losses.metric.class_centers import class_labels
from likeness.research.losses.metric.pair_loss import PairLoss
from likeness.research.losses.metric.pairs import LabelsOrSame, mark_nan
from likeness.research.losses.metric.protocol import DistanceLoss, of_first_batch
from likeness.research.types import Array, PRNGKey, PyTree, Scalar

OwnBatch: TypeAlias = Literal["differentiated", "detached"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CrossBatchMemory(DistanceLoss):
    """A pair or triplet loss of each image against its batch **and** the ``size`` embeddings before it.

    Embeddings drift slowly once the learning rate is small, so those of past batches still say where people are, and many more
    negatives and positives are seen than fit into a batch. The memory is a ring: each batch takes the place of the oldest. No
    gradient goes through it. It holds ``size`` · d numbers, and a step compares (b, b + size) pairs.

    - Labels must be the same people in all batches, so masks are refused.
    - Rows that are padding are remembered by nobody.
    - Before the first batch, and for ``start`` steps, it is the loss itself.

    Wang et al., "Cross-batch memory for embedding learning", 2020. pytorch-metric-learning's references are the memory alone,
    with the batch in it: its value is this one's, and its gradient that of ``own_batch="detached"``.

    Example:
        >>> from likeness.research.losses import Contrastive
        >>> loss = CrossBatchMemory(loss=Contrastive(), size=4)
        >>> state = loss.init_state(1)
        >>> for x, label in ((0.0, 7), (0.5, 7), (0.8, 3)):
        ...     value, state, _ = loss.value_state_and_diagnostics({}, state, jnp.array([[x]]), jnp.array([label]))
        ...     print(f"{value:.4f}")
        0.0000
        0.1250
        0.1325
    """

    loss: PairLoss
    """What pairs cost, with its distance and its miner."""

    size: int = 1024
    """How many embeddings are remembered; at least a batch."""

    own_batch: OwnBatch = "differentiated"
    """Whether the gradient also goes through an image as a reference of the others in its batch."""

    start: int = 0
    """Steps before the memory takes part; 1,000 in the paper, as embeddings drift much at first."""

    def __post_init__(self) -> None:
        check_members("CrossBatchMemory", "loss", self.loss, PairLoss, "a pair loss, such as Contrastive()")
        check_count("CrossBatchMemory", "size", self.size)
        check_count("CrossBatchMemory", "start", self.start, least=0)
        check_choice("CrossBatchMemory", "own_batch", self.own_batch, OwnBatch)

    @property
    def distance(self) -> Distance:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The loss's own."""
        return self.loss.distance

    def init(self, key: PRNGKey, dimension: int) -> PyTree:
        """The loss's own weights."""
        return self.loss.init(key, dimension)

    def init_state(self, dimension: int) -> PyTree:
        """An empty memory: ``embeddings``, ``labels``, which of them are ``known``, the ``next`` place, and ``steps`` taken."""
        return {
            "embeddings": jnp.zeros((self.size, dimension), jnp.float32),
            "labels": jnp.zeros((self.size,), jnp.int32),
            "known": jnp.zeros((self.size,), bool),
            "next": jnp.zeros((), jnp.int32),
            "steps": jnp.zeros((), jnp.int32),
        }

    def value_and_diagnostics(
        self,
        params: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of a first batch, before which nothing is remembered, and what to watch beside it."""
        return of_first_batch(self, params, embeddings, labels_or_same, key)

    def value_state_and_diagnostics(
        self,
        params: PyTree,
        state: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, PyTree, dict[str, Scalar]]:
        """The loss, the memory with this batch in it, and what to watch beside them.

        Returns:
            The value; the state; and what the loss watches, with ``remembered``, how many embeddings took part.

        Raises:
            ValueError: embeddings or labels of another shape or dtype, so also a mask; a batch larger than the memory; the loss
                draws at random and there is no key.
        """
        embeddings = as_embeddings("CrossBatchMemory", embeddings)
        count = len(embeddings)
        if count > self.size:
            raise ValueError(
                f"CrossBatchMemory(size={self.size}) has no room for a batch of {count} images: give size={count} or more."
            )
        labels, valid = class_labels("CrossBatchMemory", labels_or_same, count)
        labels = labels.astype(state["labels"].dtype)
        embeddings = jnp.where(valid[:, None], embeddings, 0.0)
        own = embeddings if self.own_batch == "differentiated" else jax.lax.stop_gradient(embeddings)
        references = jnp.concatenate([own, jax.lax.stop_gradient(state["embeddings"])])
        of_whom = jnp.concatenate([labels, state["labels"]])
        remembered = state["known"] & (state["steps"] >= self.start)
        there = jnp.concatenate([valid, remembered])[None, :] & valid[:, None]
        there &= ~jnp.eye(count, count + self.size, dtype=bool)
        same = labels[:, None] == of_whom[None, :]
        distances = self.distance.pairwise(embeddings, references)
        value, diagnostics = self.loss.of_masks(params, distances, there & same, there & ~same, key)
        diagnostics = {**diagnostics, "remembered": jnp.sum(jnp.where(remembered, 1.0, 0.0))}
        return mark_nan(value, embeddings), self._with(state, embeddings, labels, valid), diagnostics

    def _with(self, state: PyTree, embeddings: Array, labels: Array, valid: Array) -> PyTree:
        """The memory after a batch."""
        count = len(embeddings)
        places = (state["next"] + jnp.arange(count, dtype=jnp.int32)) % self.size
        return {
            "embeddings": state["embeddings"].at[places].set(jax.lax.stop_gradient(embeddings)),
            "labels": state["labels"].at[places].set(labels),
            "known": state["known"].at[places].set(valid),
            "next": (state["next"] + count) % self.size,
            "steps": state["steps"] + 1,
        }
