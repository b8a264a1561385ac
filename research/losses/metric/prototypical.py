"""The prototypical loss: each image is classified by its distance to every person's mean, its own image left out."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import UncheckedEmbeddings, as_embeddings, check_finite_positive
from likeness.research.distances import Distance, SquaredEuclidean
from likeness.research.losses.metric.pairs import LabelsOrSame, masked_mean, positives_and_negatives, same_person
from likeness.research.losses.metric.protocol import DistanceLoss
from likeness.research.types import PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prototypical(DistanceLoss):
    """Softmax over minus the squared distances to the people's prototypes, leave-one-out within the batch.

    Every image i whose person has another image in the batch is a query. The prototype of its own person is
    the mean of that person's *other* images; that of another person c is the mean c_c of all of that person's
    images: ``-log( exp(-|f_i - c_own|²/T) / (exp(-|f_i - c_own|²/T) + Σ_c exp(-|f_i - c_c|²/T)) )``, averaged
    over the queries. So every image serves both as support and as query, and no episode needs to be cut into
    the two.

    When all embeddings are equal the loss is the logarithm of the number of people. With one person, or no
    query, it is 0. A same-person mask must be an equivalence relation here, since people have means.

    Snell, Swersky and Zemel, "Prototypical networks for few-shot learning", 2017.

    Example:
        >>> import jax.numpy as jnp
        >>> print(f"{Prototypical()(jnp.zeros((4, 2)), jnp.array([0, 0, 1, 1])):.4f}")  # log 2
        0.6931
    """

    temperature: float = 1.0
    """T: 1 is the paper's. Unit-length embeddings are never more than 4 apart and want a smaller one, 0.1 say."""

    distance: Distance = dataclasses.field(default=SquaredEuclidean(), init=False)
    """No choice: the mean of a person's images is nearest to all of them by squared Euclidean distance and by few others
    (section 2.3 of the paper), and leaving a query's own image out rests on it too."""

    def __post_init__(self) -> None:
        check_finite_positive("Prototypical", "temperature", self.temperature)

    def value_and_diagnostics(
        self,
        params: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and what to watch beside it.

        Returns:
            The value and float32 scalars: ``queries``, their ``accuracy`` (nearest prototype is the person's
            own), and the mean squared distance of all positive and of all negative pairs of the batch.

        Raises:
            ValueError: embeddings or labels of another shape or dtype.
        """
        embeddings = as_embeddings("Prototypical", embeddings)
        same = same_person(labels_or_same, len(embeddings), "Prototypical")
        # Means of people who share an offset lose digits to it, and distances do not see it.
        codes = embeddings - jax.lax.stop_gradient(jnp.mean(embeddings, axis=0))
        size = jnp.sum(jnp.where(same, 1.0, 0.0), axis=1)
        prototypes = jnp.matmul(jnp.where(same, 1.0, 0.0), codes, precision=jax.lax.Precision.HIGHEST) / size[:, None]
        queries = size > 1
        # f_i minus the mean of the others is n/(n-1) times f_i minus the mean of all.
        own = self.distance.paired(codes, prototypes) * jnp.square(size / jnp.maximum(size - 1.0, 1.0))
        others = self.distance.pairwise(codes, prototypes)
        # Column j stands for j's person, who has size_j columns, so each weighs 1/size_j.
        logits = jnp.where(same, -jnp.inf, -others / self.temperature - jnp.log(size)[None, :])
        # The diagonal, free since i is i's own person, takes the own prototype: every row has a finite entry.
        logits = jnp.where(jnp.eye(len(codes), dtype=bool), -own[:, None] / self.temperature, logits)
        losses = jax.nn.logsumexp(logits, axis=1) + own / self.temperature
        nearest_other = jnp.min(jnp.where(same, jnp.inf, others), axis=1, initial=jnp.inf)
        positive, negative = positives_and_negatives(same)
        distances = self.distance.pairwise(embeddings)
        diagnostics = {
            "queries": jnp.sum(jnp.where(queries, 1.0, 0.0)),
            "accuracy": masked_mean(jnp.where(own < nearest_other, 1.0, 0.0), queries),
            "mean_positive_distance": masked_mean(distances, positive),
            "mean_negative_distance": masked_mean(distances, negative),
        }
        return masked_mean(losses, queries), jax.lax.stop_gradient(diagnostics)
