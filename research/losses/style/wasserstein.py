"""Wasserstein-2 distance of the Gaussians that features are taken for."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.checks import check_choice, check_count, check_finite_positive
from likeness.research.losses.style.fidelity import cholesky_factors, fidelity
from likeness.research.losses.style.layers import safe_divide
from likeness.research.losses.style.square_root import matrix_square_root
from likeness.research.losses.style.statistics import AdditiveLayers, Sums, covariance, mean, mixed_covariance
from likeness.research.types import Array, Float, PyTree, Scalar

WassersteinNormalizer: TypeAlias = Literal["relative", "crowson", "none"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wasserstein(AdditiveLayers):
    """``J_l = s_l W₂²``, ``W₂² = |μ - μ'|² + tr(Σ + Σ' - 2 (Σ'^½ Σ Σ'^½)^½)``, with ε added to the diagonals of Σ and Σ'.

    The second term is the Bures distance of the covariances. It and its derivative are exact
    (:func:`~likeness.research.losses.style.fidelity.fidelity`): on VGG-16's features the derivative is within 1e-5 to 2e-4 of
    float64's, as far as float32 sees covariances. In float32 the distance can be below 0 by rounding, some 1e-6 of tr Σ. A
    pixel of mask m weighs m². Reverse mode only: ``jax.jvp`` raises.

    Katherine Crowson, style-transfer-pytorch, 2021; Dowson and Landau, "The Fréchet distance between multivariate
    normal distributions", 1982.
    """

    normalizer: WassersteinNormalizer = "relative"
    """s_l. ``relative``: ``1/(|μ'|² + tr Σ')``, dimensionless: W₂² to an image without any feature is 1.
    ``crowson``: ``1/nC``. ``none``: 1."""

    eps: float = 1e-4
    """ε, in squared units of the activations. Crowson's value is for torchvision's VGG, whose activations are about 1."""

    iterations: int | None = None
    """None is exact. A number takes both roots and their derivatives by so many Newton–Schulz iterations
    (:func:`~likeness.research.losses.style.square_root.matrix_square_root`), as published presets do. Directions whose variance
    product is below a thousandth of the largest are not converged in the 12 of Crowson and others: the distance of an image to
    itself is a little above 0, and the derivative is 10 to 25 % off on VGG-16's features. More than some 20 can diverge where
    a covariance is nearly singular."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("Wasserstein", "normalizer", self.normalizer, WassersteinNormalizer)
        check_finite_positive("Wasserstein", "eps", self.eps)
        if self.iterations is not None:
            check_count("Wasserstein", "iterations", self.iterations)

    def keep(self, statistics: dict[str, Sums]) -> PyTree:
        """By layer: ``mean`` μ' (b, c), ``covariance`` Σ' + ε I and its ``factor`` (b, c, c): L' of Σ' + ε I = L' L'ᵀ, or its
        root where the iterations are counted."""
        return {layer: self._kept(mean(sums), self._covariance(sums)) for layer, sums in statistics.items()}

    def blend(self, targets: Sequence[PyTree], shares: Sequence[float]) -> PyTree:
        """Of the mixture of the Gaussians: its mean and its covariance."""
        blended = {}
        for layer in targets[0]:
            means, spreads = ([target[layer][name] for target in targets] for name in ("mean", "covariance"))
            blended[layer] = self._kept(*mixed_covariance(means, spreads, shares))
        return blended

    def _kept(self, center: Float[Array, "b c"], spread: Float[Array, "b c c"]) -> dict[str, Array]:
        if self.iterations is None:
            factor, _ = cholesky_factors(spread)
        else:
            factor = matrix_square_root(spread, self.iterations)
        return {"mean": center, "covariance": spread, "factor": factor}

    def from_statistics(self, statistics: dict[str, Sums], target: PyTree) -> Scalar:
        """The loss of images of which only the sums over pixels are known."""
        terms = {}
        for layer, sums in statistics.items():
            center, spread, kept = mean(sums), self._covariance(sums), target[layer]
            self.check_shape(layer, kept["covariance"].shape, spread.shape)
            shift = jnp.sum(jnp.square(center - kept["mean"]), axis=1)
            bures = _trace(spread + kept["covariance"]) - 2.0 * self._shared(spread, kept["factor"])
            terms[layer] = self._normalized(shift + bures, kept, center.shape[1])
        return self.total(terms)

    def _shared(self, spread: Float[Array, "b c c"], factor: Float[Array, "_ c c"]) -> Float[Array, "b"]:
        if self.iterations is None:
            return fidelity(spread, factor)
        return _trace(matrix_square_root(_product(_product(factor, spread), factor), self.iterations))

    def _normalized(self, distance: Float[Array, "b"], kept: dict[str, Array], channels: int) -> Float[Array, "b"]:
        match self.normalizer:
            case "relative":
                return safe_divide(distance, jnp.sum(jnp.square(kept["mean"]), axis=1) + _trace(kept["covariance"]))
            case "crowson":
                return distance / channels
            case "none":
                return distance

    def _covariance(self, sums: Sums) -> Float[Array, "b c c"]:
        return covariance(sums) + self.eps * jnp.eye(sums["first"].shape[1], dtype=jnp.float32)


def _trace(matrices: Float[Array, "b c c"]) -> Float[Array, "b"]:
    return jnp.trace(matrices, axis1=1, axis2=2)


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
