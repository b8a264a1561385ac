"""The margin loss of distance-weighted sampling: pairs on either side of a learned boundary."""

import dataclasses
from typing import Literal, TypeAlias

import jax.numpy as jnp

from likeness.research.checks import check_array, check_choice, check_finite_nonnegative
from likeness.research.distances import Distance, Euclidean
from likeness.research.losses.metric.pair_loss import MinedPairs, PairLoss
from likeness.research.types import PRNGKey, PyTree, Scalar

Boundary: TypeAlias = Literal["learned", "fixed"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MarginLoss(PairLoss):
    """``[α + d_ip - β]₊`` for positive and ``[α + β - d_in]₊`` for negative pairs, over the number of those above 0.

    β is the distance that tells same from different, learned with the embeddings, so that it need not be guessed; a threshold τ
    near it is what verification will find. With ν > 0 the loss adds ν β, which draws the boundary in.

    The paper trains with distance-weighted negatives, embeddings of unit length, and one drawn negative for each positive pair:
    ``miner=TripletPairs(rule=DistanceWeighted(dimension=…, distance=Euclidean()))``. There a negative drawn twice counts once.
    One β is learned for all; the paper's β for each class is not offered.

    - All embeddings equal, d = 0: the mean of [α - β]₊ and α + β over the pairs whose term is above 0.
    - A batch without pairs: ν β.

    Wu, Manmatha, Smola and Krähenbühl, "Sampling matters in deep embedding learning", 2017.

    Example:
        >>> x = jnp.array([[0.0], [1.5], [1.3]])
        >>> # The same pair costs 0.2 + 1.5 - 1.2; of the different ones, 1.3 and 0.2 apart, 0.1 and 1.2. Each is there twice.
        >>> print(f"{MarginLoss(boundary='fixed')(x, jnp.array([0, 0, 1])):.4f}")
        0.6000
    """

    margin: float = 0.2
    """α, in units of the distance."""

    beta: float = 1.2
    """β, or where it starts; between embeddings of unit length distances go up to 2."""

    boundary: Boundary = "learned"
    """Whether β is one of the loss's weights, the number ``beta``. A weight decay draws it to 0."""

    nu: float = 0.0
    """ν, at least 0."""

    distance: Distance = Euclidean()
    """d."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("MarginLoss", "boundary", self.boundary, Boundary)
        for name in ("margin", "beta", "nu"):
            check_finite_nonnegative("MarginLoss", name, getattr(self, name))

    def init(self, key: PRNGKey, dimension: int) -> PyTree:
        """``beta``, where it is learned."""
        return {"beta": jnp.array(self.beta, jnp.float32)} if self.boundary == "learned" else {}

    def of_pairs(self, params: PyTree, pairs: MinedPairs, key: PRNGKey | None) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of pairs.

        Returns:
            The value, ``beta``, and ``active_fraction``, the share of pairs whose term is above 0.
        """
        beta = jnp.array(self.beta, jnp.float32)
        if self.boundary == "learned":
            if "beta" not in params:
                raise ValueError('MarginLoss(boundary="learned") has a weight `beta` and got none: pass params=loss.init(…).')
            check_array("MarginLoss", "beta", params["beta"], (), help="It was made for another loss.")
            beta = params["beta"].astype(jnp.float32)
        pull = jnp.where(pairs.positive, jnp.maximum(self.margin + pairs.distances - beta, 0.0), 0.0)
        push = jnp.where(pairs.negative, jnp.maximum(self.margin + beta - pairs.distances, 0.0), 0.0)
        active = jnp.sum(jnp.where(pull > 0, 1.0, 0.0)) + jnp.sum(jnp.where(push > 0, 1.0, 0.0))
        count = jnp.sum(jnp.where(pairs.positive | pairs.negative, 1.0, 0.0))
        value = (jnp.sum(pull) + jnp.sum(push)) / jnp.maximum(active, 1.0) + self.nu * beta
        return value, {"beta": beta, "active_fraction": active / jnp.maximum(count, 1.0)}
