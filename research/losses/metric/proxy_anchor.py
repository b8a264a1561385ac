"""The proxy-anchor loss: each class's learned proxy against all images of the batch."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import UncheckedEmbeddings, as_embeddings, check_finite_nonnegative, check_finite_positive
from likeness.research.distances import unit
from likeness.research.losses.metric.class_centers import ClassCenters
from likeness.research.losses.metric.pair_loss import masked_logsumexp
from likeness.research.losses.metric.pairs import LabelsOrSame, mark_nan, masked_mean
from likeness.research.types import PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProxyAnchor(ClassCenters):
    """Proxies as anchors: the sum of ``mean_{c∈C⁺} log(1 + Σ_{x of c} exp(-α (cos(x, W_c) - δ)))``, over the classes C⁺ in the
    batch, and ``mean_c log(1 + Σ_{x not of c} exp(α (cos(x, W_c) + δ)))``, over all classes.

    A class meets the batch as a whole, so its hardest images weigh most; there are as many terms as images times classes, and
    no pairs of images at all, which makes it insensitive to how a batch is drawn.

    - A label outside 0 … classes - 1, or an embedding that is not finite: NaN.
    - An embedding without direction has cosine 0 to all, and no gradient. An empty batch costs 0.

    Kim et al., "Proxy anchor loss for deep metric learning", 2020. Its authors give proxies a learning rate 100 times that of
    the network.

    Example:
        >>> loss = ProxyAnchor(classes=2, alpha=1.0, delta=0.0)
        >>> # Each proxy has one image at cosine 1 and one at cosine 0: log(1 + exp(-1)) + log(1 + exp(0)).
        >>> print(f"{loss({'centers': jnp.eye(2)}, jnp.eye(2), jnp.array([0, 1])):.4f}")
        1.0064
    """

    alpha: float = 32.0
    """α, the scale."""

    delta: float = 0.1
    """δ, the margin of the cosine: own images should be above δ, others below -δ."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_finite_positive("ProxyAnchor", "alpha", self.alpha)
        check_finite_nonnegative("ProxyAnchor", "delta", self.delta)

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
            The value and float32 scalars: ``accuracy`` (one's own proxy is nearest), and ``own_cosine``, the mean cosine to it.

        Raises:
            ValueError: embeddings, labels or centers of another shape or dtype, so also a mask instead of labels.
        """
        embeddings = as_embeddings("ProxyAnchor", embeddings)
        labels, valid = self.checked_labels(labels_or_same, len(embeddings))
        embeddings = jnp.where(valid[:, None], embeddings, 0.0)
        centers = self.checked_centers(params, embeddings.shape[1])
        # Classes as rows: each reduction is over the batch.
        cosines = jnp.matmul(unit(centers), unit(embeddings).T, precision=jax.lax.Precision.HIGHEST)
        classes = jnp.arange(self.rows, dtype=labels.dtype)
        own = (classes[:, None] == labels[None, :]) & valid[None, :]
        real = classes < self.classes
        other = ~own & valid[None, :] & real[:, None]
        pull = jax.nn.softplus(masked_logsumexp(-self.alpha * (cosines - self.delta), own))
        push = jax.nn.softplus(masked_logsumexp(self.alpha * (cosines + self.delta), other))
        value = masked_mean(pull, jnp.any(own, axis=1)) + masked_mean(push, real)
        known = jnp.all(~valid | ((labels >= 0) & (labels < self.classes)))
        own_cosine = jnp.sum(jnp.where(own, cosines, 0.0), axis=0)
        nearest_other = jnp.max(jnp.where(other, cosines, -jnp.inf), axis=0)
        diagnostics = {
            "accuracy": masked_mean(jnp.where(own_cosine > nearest_other, 1.0, 0.0), valid),
            "own_cosine": masked_mean(own_cosine, valid),
        }
        return mark_nan(jnp.where(known, value, jnp.nan), embeddings), jax.lax.stop_gradient(diagnostics)
