"""Distance of covariances: which features vary together, whatever their mean."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, TypeAlias

import jax.numpy as jnp

from likeness.research.checks import check_choice
from likeness.research.losses.style.layers import safe_divide
from likeness.research.losses.style.statistics import AdditiveLayers, Sums, covariance, mean, mixed_covariance
from likeness.research.types import PyTree, Scalar

CovarianceNormalizer: TypeAlias = Literal["relative", "mean"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Covariance(AdditiveLayers):
    """``J_l = s_l ‖Σ - Σ'‖²`` with ``Σ = (1/n) Σ_p (x_p - μ)(x_p - μ)ᵀ``: the Gram matrix of centered features.

    It does not see the mean; add :class:`~likeness.research.losses.MeanStd` for that. A pixel of mask m weighs m².
    Reverse mode only: ``jax.jvp`` raises.

    Li et al., "Universal style transfer via feature transforms", 2017, match the same statistic in closed form.
    """

    normalizer: CovarianceNormalizer = "relative"
    """s_l. ``relative``: ``1/‖Σ'‖²``, dimensionless. ``mean``: ``1/nC²``, the mean squared error."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("Covariance", "normalizer", self.normalizer, CovarianceNormalizer)

    def keep(self, statistics: dict[str, Sums]) -> PyTree:
        """By layer: ``covariance`` Σ', (b, c, c), and ``mean`` μ', (b, c), which only :meth:`blend` reads."""
        return {layer: {"mean": mean(sums), "covariance": covariance(sums)} for layer, sums in statistics.items()}

    def blend(self, targets: Sequence[PyTree], shares: Sequence[float]) -> PyTree:
        """Covariance of the mixture, in which the means' distances from one another are spread too."""
        blended = {}
        for layer in targets[0]:
            means, spreads = ([target[layer][name] for target in targets] for name in ("mean", "covariance"))
            center, spread = mixed_covariance(means, spreads, shares)
            blended[layer] = {"mean": center, "covariance": spread}
        return blended

    def from_statistics(self, statistics: dict[str, Sums], target: PyTree) -> Scalar:
        """The loss of images of which only the sums over pixels are known."""
        terms = {}
        for layer, sums in statistics.items():
            found, kept = covariance(sums), target[layer]["covariance"]
            self.check_shape(layer, kept.shape, found.shape)
            distance = jnp.sum(jnp.square(found - kept), axis=(1, 2))
            if self.normalizer == "relative":
                terms[layer] = safe_divide(distance, jnp.sum(jnp.square(kept), axis=(1, 2)))
            else:
                terms[layer] = distance / found.shape[-1] ** 2
        return self.total(terms)
