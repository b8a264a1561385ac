"""Is the encoder still telling people apart, or does it map everyone to the same place?"""

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp

from likeness.research.types import Embeddings, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class CollapseMonitor:
    """Watches for collapsed embeddings, where pairwise losses have no gradient left to escape by.

    A constant encoder costs the triplet loss exactly its margin and has gradient 0 there, so a run that
    collapses stays collapsed and its loss curve just looks flat.

    Example:
        >>> import jax.numpy as jnp
        >>> monitor = CollapseMonitor()
        >>> monitor.warning(monitor(jnp.eye(4))) is None
        True
        >>> monitor.warning(monitor(jnp.ones((4, 3))))[:62]
        'The embeddings have collapsed: they spread over 0 of their len'
    """

    minimum_spread: float = 1e-3
    """Warn when the variance of the embeddings is below this fraction of their mean squared length."""

    minimum_rank: float = 1.2
    """Warn when the embeddings vary in fewer effective dimensions than this."""

    tolerance: float = 0.01
    """The loss is stuck when it is this close, relatively, to its value for a constant encoder."""

    def __call__(
        self,
        embeddings: Embeddings,
        value: Scalar | float | None = None,
        collapsed_value: float | None = None,
    ) -> dict[str, Scalar]:
        """Statistics of a batch of embeddings.

        Args:
            embeddings: one row an image, of several people.
            value: the loss per triplet, if there is one (``loss_per_triplet`` of
                :class:`~likeness.research.losses.metric.triplet.Triplet`).
            collapsed_value: what ``value`` is for a constant encoder (``Triplet.collapsed_value``).

        Returns:
            float32 scalars:

            - ``mean_squared_distance`` of all pairs;
            - ``relative_spread``, variance over mean squared length, from 0 (all equal) to 1 (centered at the
              origin);
            - ``effective_rank``, the participation ratio ``(Σ λ_i)² / Σ λ_i²`` of the covariance's eigenvalues, from 1 (on
              a line) to d; 0 when all are equal. It is ``(tr C)² / ‖C‖²`` and needs no eigenvalues, whose computation in each
              step costs more than the loss, on GPUs too;
            - ``stuck_at_margin``, 1 if the value is the collapsed one within the tolerance, else 0.
        """
        codes = embeddings.astype(jnp.float32)
        rows, dimension = codes.shape
        centered = codes - jnp.mean(codes, axis=0)
        variance = jnp.sum(centered * centered) / rows
        length = jnp.sum(codes * codes) / rows
        # Rounding of the mean leaves this much of equal rows.
        distinct = variance > 1e-12 * length
        gram = centered @ centered.T if rows < dimension else centered.T @ centered
        scaled = jnp.where(distinct, gram / jnp.where(distinct, jnp.trace(gram), 1.0), 1.0)
        stuck = jnp.zeros((), bool)
        if value is not None and collapsed_value is not None:
            stuck = jnp.abs(jnp.asarray(value, jnp.float32) - collapsed_value) <= self.tolerance * collapsed_value
        return {
            "mean_squared_distance": jnp.where(distinct, 2.0 * variance * rows / max(rows - 1, 1), 0.0),
            "relative_spread": jnp.where(distinct, variance / jnp.where(length > 0, length, 1.0), 0.0),
            "effective_rank": jnp.where(distinct, 1.0 / jnp.sum(scaled * scaled), 0.0),
            "stuck_at_margin": stuck.astype(jnp.float32),
        }

    def warning(self, statistics: Mapping[str, float | Scalar]) -> str | None:
        """One sentence for the log if the statistics show a collapse, else None.

        Only the embeddings' spread and rank show one. A loss near the collapsed value is named beside them, when it was that in
        most steps: by itself it is how a hard task looks at the start.

        Args:
            statistics: as they are given when called, or their means over some steps.
        """
        signs = []
        if (spread := float(statistics["relative_spread"])) < self.minimum_spread:
            signs.append(f"they spread over {spread:.2g} of their length")
        elif (rank := float(statistics["effective_rank"])) < self.minimum_rank:
            signs.append(f"they vary in {rank:.2g} effective dimensions only")
        if not signs:
            return None
        if float(statistics["stuck_at_margin"]) > 0.5:
            signs.append("the loss is stuck at the value of a constant encoder")
        return (
            f"The embeddings have collapsed: {' and '.join(signs)}. Lower the learning rate, warm it up, or "
            "start with an easier selection rule than the hardest triplets."
        )
