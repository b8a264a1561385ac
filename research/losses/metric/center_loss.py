"""Center loss: beside another loss, images are drawn to the running mean of their class."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import (
    UncheckedEmbeddings,
    as_embeddings,
    check_count,
    check_finite_nonnegative,
    check_members,
)
from likeness.research.errors import UserError
from likeness.research.losses.metric.class_centers import class_labels
from likeness.research.losses.metric.pairs import LabelsOrSame, masked_mean
from likeness.research.losses.metric.protocol import (
    LimitsIdentities,
    LimitsSharding,
    RecognitionLoss,
    advance,
    initial_state,
    of_first_batch,
)
from likeness.research.types import AnyArray, Array, Float, PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class CenterLoss:
    """Another loss plus ``λ/2 mean_i |f_i - c_{y_i}|²``, whose centers c follow the embeddings and are trained by no gradient.

    After each batch ``c_j ← c_j - η Σ_{i: y_i = j} (c_j - f_i) / (1 + n_j)``, n_j the batch's images of class j. Centers start
    at 0. By itself the second term is least where all embeddings are equal; the other loss keeps classes apart.

    - A label outside 0 … classes - 1, or an embedding that is not finite: NaN. An empty batch costs what the other loss says.

    Wen et al., "A discriminative feature learning approach for deep face recognition", 2016, whose other loss is a softmax.

    Example:
        >>> from likeness.research.losses import CosFace
        >>> loss = CenterLoss(classes=2, loss=CosFace(classes=2), weight=1.0)
        >>> params = {"centers": jnp.eye(2)}
        >>> state = loss.init_state(2)
        >>> x, labels = jnp.eye(2), jnp.array([0, 1])
        >>> value, state, found = loss.value_state_and_diagnostics(params, state, x, labels)
        >>> print(f"{found['center_distance']:.2f}")  # |f - 0|²
        1.00
        >>> print(state["class_means"])  # 0 - 0.5 (0 - f) / 2
        [[0.25 0.  ]
         [0.   0.25]]
    """

    classes: int
    """The people of the training part, at least."""

    loss: RecognitionLoss
    """What it is added to; it compares embeddings too."""

    weight: float = 0.003
    """λ, at least 0."""

    step: float = 0.5
    """η, from 0 to 1."""

    def __post_init__(self) -> None:
        check_count("CenterLoss", "classes", self.classes, least=2)
        check_finite_nonnegative("CenterLoss", "weight", self.weight)
        if not 0.0 <= self.step <= 1.0:
            raise ValueError(f"CenterLoss(step={self.step}): step is a share, from 0 to 1. Give 0.5, say.")
        check_members("CenterLoss", "loss", self.loss, RecognitionLoss, "CosFace(classes=…)")

    def init(self, key: PRNGKey, dimension: int) -> PyTree:
        """The other loss's weights."""
        return self.loss.init(key, dimension)

    def init_state(self, dimension: int) -> PyTree:
        """``class_means`` of 0, and the other loss's state as ``loss``."""
        means = jnp.zeros((self.classes, dimension), jnp.float32)
        return {"class_means": means, "loss": initial_state(self.loss, dimension)}

    def __call__(
        self, params: PyTree, embeddings: UncheckedEmbeddings, labels: LabelsOrSame, key: PRNGKey | None = None
    ) -> Scalar:
        """The loss of a first batch."""
        return self.value_and_diagnostics(params, embeddings, labels, key)[0]

    def value_and_diagnostics(
        self,
        params: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of a first batch, whose centers are 0, and what to watch beside it."""
        return of_first_batch(self, params, embeddings, labels_or_same, key)

    def value_state_and_diagnostics(
        self,
        params: PyTree,
        state: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, PyTree, dict[str, Scalar]]:
        """The loss, the state after the batch, and what to watch beside them.

        Returns:
            The value; the state; and what the other loss watches, with its value as ``other_loss`` and the mean of
            |f - c|² as ``center_distance``.

        Raises:
            ValueError: embeddings or labels of another shape or dtype, so also a mask instead of labels.
        """
        embeddings = as_embeddings("CenterLoss", embeddings)
        labels, valid = class_labels("CenterLoss", labels_or_same, len(embeddings))
        value, inner, watched = advance(self.loss, params, state["loss"], embeddings, labels_or_same, key)
        embeddings = jnp.where(valid[:, None], embeddings, 0.0)
        known = (labels >= 0) & (labels < self.classes)
        counted = valid & known
        at = jnp.where(counted, labels, 0)
        means = state["class_means"]
        away = jnp.where(counted[:, None], embeddings - means[at], 0.0)
        squares = jnp.where(known, jnp.sum(away * away, axis=1), jnp.nan)
        distance = masked_mean(squares, valid)
        counts = jnp.zeros((self.classes,), jnp.float32).at[at].add(jnp.where(counted, 1.0, 0.0))
        moved = jnp.zeros_like(means).at[at].add(jax.lax.stop_gradient(away))
        means = means + self.step * moved / (1.0 + counts)[:, None]
        diagnostics = {**watched, "other_loss": value, "center_distance": distance}
        state = {"class_means": means, "loss": inner}
        return value + 0.5 * self.weight * distance, jax.lax.stop_gradient(state), jax.lax.stop_gradient(diagnostics)

    def compare(self, params: PyTree, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
        """As the other loss does."""
        return self.loss.compare(params, first, second)

    def check_identities(self, identities: int, counted: str) -> None:
        """Refuses more people than there are centers, or than the other loss has room for.

        Raises:
            UserError: saying how many classes to ask for.
        """
        if self.classes < identities:
            raise UserError(
                f"The center loss has {self.classes:,} centers and the training part has {counted}, each of whom needs one: "
                f"set --experiment.loss.classes {identities}."
            )
        if isinstance(self.loss, LimitsIdentities):
            self.loss.check_identities(identities, counted)

    def check_sharding(self, params: PyTree, fsdp: int, shard_above: int) -> None:
        """As the other loss does."""
        if isinstance(self.loss, LimitsSharding):
            self.loss.check_sharding(params, fsdp, shard_above)
