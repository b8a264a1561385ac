"""Binary Siamese verification: logistic regression on how two codes differ, dimension by dimension."""

import dataclasses
import math

import jax
import jax.numpy as jnp

from likeness.research.checks import (
    UncheckedEmbeddings,
    as_embeddings,
    check_array,
    check_choice,
    check_finite_positive,
    check_last_axis,
)
from likeness.research.losses.metric.pair_features import Feature, pair_feature, pairwise_feature_sum
from likeness.research.losses.metric.pairs import (
    LabelsOrSame,
    Pairs,
    consecutive_rows,
    pair_diagnostics,
    weighted_pairs,
    without_padding,
)
from likeness.research.types import AnyArray, Array, Float, PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Siamese:
    """Face verification as binary classification.

    ``P(same) = σ(Σ_k w_k φ(f_k(x), f_k(y)) + b)`` with learned weights w and bias b, trained by
    cross-entropy. φ is ``|x - y|`` (Koch, Zemel and Salakhutdinov, "Siamese neural networks for one-shot
    image recognition", 2015) or the χ² feature ``(x - y)² / (x + y)`` (Taigman et al., "DeepFace", 2014).

    The χ² feature is meant for nonnegative codes (ReLU, sigmoid). It is computed as ``(x - y)² / (|x| +
    |y|)``: the same there, finite and bounded for signed or normalized codes too, and 0 where both are 0.

    When all embeddings are equal the loss is the cross-entropy of the bias alone: log 2 for a bias of 0. A batch
    without any pair costs 0. Swapping the two images changes nothing. Reverse mode only, with all pairs: ``jax.jvp`` raises.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> loss = Siamese()
        >>> params = loss.init(jax.random.key(0), 2)
        >>> embeddings = jnp.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> value, _ = loss.value_and_diagnostics(params, embeddings, jnp.array([0, 0, 1]))
        >>> print(f"{value:.3f}")  # half of log 2, for a same pair at logit 0, and half of log(1 + exp(-√2))
        0.455
    """

    feature: Feature = "absolute"
    """φ: ``absolute`` is |x - y|, ``chi_square`` is (x - y)² / (|x| + |y|)."""

    pairs: Pairs = "all"
    """``all``: every pair i < j of the batch, same and different weighing one half each. ``consecutive``:
    rows 2i and 2i+1."""

    initial_scale: float = 1.0
    """All weights start at -initial_scale/√dimension. An optimizer such as Adam moves a weight by about the learning rate a
    step however small the loss, so start where untrained codes already have logits of several units."""

    initial_bias: float = 0.0
    """The bias starts here. Between the weighted sums of same and of different pairs of untrained codes, negated, is best."""

    def __post_init__(self) -> None:
        check_finite_positive("Siamese", "initial_scale", self.initial_scale)
        if not math.isfinite(self.initial_bias):
            raise ValueError(f"Siamese(initial_bias={self.initial_bias}): initial_bias must be a finite number. Give 0.0, say.")
        check_choice("Siamese", "feature", self.feature, Feature)
        check_choice("Siamese", "pairs", self.pairs, Pairs)

    def init(self, key: PRNGKey, dimension: int) -> PyTree:
        """All weights equal and negative: at the start, the more two codes differ the less they are the same person."""
        return {
            "weights": jnp.full((dimension,), -self.initial_scale * dimension**-0.5, jnp.float32),
            "bias": jnp.array(self.initial_bias, jnp.float32),
        }

    def __call__(self, params: PyTree, embeddings: UncheckedEmbeddings, labels_or_same: LabelsOrSame) -> Scalar:
        """The loss of a batch: mean cross-entropy over its pairs."""
        return self.value_and_diagnostics(params, embeddings, labels_or_same)[0]

    def logit(self, params: PyTree, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
        """``Σ_k w_k φ(x_k, y_k) + b``, the log-odds of the same person; leading shapes broadcast.

        Raises:
            ValueError: embeddings of two dimensions d, or of another than the weights'.
        """
        check_last_axis("Siamese", first, second)
        check_last_axis("Siamese", first, params["weights"])
        features = pair_feature(self.feature, first, second)
        return jnp.sum(params["weights"].astype(jnp.float32) * features, axis=-1) + params["bias"].astype(jnp.float32)

    def value_and_diagnostics(
        self,
        params: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and what to watch beside it.

        Returns:
            The value and float32 scalars: ``pairs``, ``accuracy`` (of the sign of the logit, weighted as the
            loss is), and the mean distance (minus the logit) of the positive and of the negative pairs.

        Raises:
            ValueError: embeddings, labels or weights of another shape or dtype; consecutive pairs of a batch of odd size.
        """
        embeddings = without_padding(as_embeddings("Siamese", embeddings), labels_or_same, "Siamese")
        shape = embeddings.shape[1:]
        check_array("Siamese", "weights", params["weights"], shape, help="They were made for another encoder.")
        if self.pairs == "all":
            sums = pairwise_feature_sum(self.feature, params["weights"].astype(jnp.float32), embeddings)
            logits = sums + params["bias"].astype(jnp.float32)
        else:
            logits = self.logit(params, *consecutive_rows(embeddings))
        same, weights = weighted_pairs(self.pairs, labels_or_same, len(embeddings), "Siamese")
        value = jnp.sum(weights * jax.nn.softplus(jnp.where(same, -logits, logits)))
        diagnostics = pair_diagnostics(-logits, same, weights > 0)
        diagnostics["accuracy"] = jnp.sum(weights * jnp.where((logits >= 0) == same, 1.0, 0.0))
        return value, jax.lax.stop_gradient(diagnostics)

    def compare(self, params: PyTree, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]) -> Float[Array, "..."]:
        """Minus the logit: smaller is more alike, and 0 is where the classifier itself is undecided."""
        return -self.logit(params, first, second)
