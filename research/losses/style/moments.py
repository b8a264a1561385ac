"""Mean and standard deviation of each channel, as adaptive instance normalization and batch normalization see a style."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

import jax.numpy as jnp

from likeness.research.checks import check_choice, check_finite_positive
from likeness.research.losses.style.layers import safe_divide
from likeness.research.losses.style.statistics import AdditiveLayers, Moments, Sums, mean, mixed, variance
from likeness.research.types import Array, Float, PyTree, Scalar

MeanStdNormalizer: TypeAlias = Literal["relative", "mean"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeanStd(AdditiveLayers):
    """``J_l = s_l Σ_k [(μ_k - μ'_k)² + (σ_k - σ'_k)²]``, σ² = biased variance + ε.

    The style loss that AdaIN trains on (Huang and Belongie, "Arbitrary style transfer in real-time with adaptive
    instance normalization", 2017) and the batch normalization statistics of Li et al., "Demystifying neural style
    transfer", 2017, which are the same. (AdaIN's PyTorch port has the variance divided by n - 1.) A pixel of mask m
    weighs m².
    """

    moments: ClassVar[Moments] = "diagonal"

    normalizer: MeanStdNormalizer = "relative"
    """s_l. ``relative``: ``1/Σ_k (μ'² + σ'²)``, dimensionless. ``mean``: ``1/nC``, both papers' formula."""

    eps: float = 1e-5
    """ε, in squared units of the activations; it keeps the derivative of σ finite where a channel is constant."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("MeanStd", "normalizer", self.normalizer, MeanStdNormalizer)
        check_finite_positive("MeanStd", "eps", self.eps)

    def keep(self, statistics: dict[str, Sums]) -> PyTree:
        """By layer: ``mean`` μ' and ``std`` σ', (b, c)."""
        return {layer: self._mean_and_std(sums) for layer, sums in statistics.items()}

    def blend(self, targets: Sequence[PyTree], shares: Sequence[float]) -> PyTree:
        """Mean and standard deviation of the mixture: ``σ² = Σ p_s (σ_s² + (μ_s - μ)²)``."""
        blended = {}
        for layer in targets[0]:
            means, stds = ([target[layer][name] for target in targets] for name in ("mean", "std"))
            center = mixed(means, shares)
            spread = mixed([jnp.square(s) + jnp.square(m - center) for m, s in zip(means, stds, strict=True)], shares)
            blended[layer] = {"mean": center, "std": jnp.sqrt(spread)}
        return blended

    def from_statistics(self, statistics: dict[str, Sums], target: PyTree) -> Scalar:
        """The loss of images of which only the sums over pixels are known."""
        terms = {}
        for layer, sums in statistics.items():
            found, kept = self._mean_and_std(sums), target[layer]
            self.check_shape(layer, kept["mean"].shape, found["mean"].shape)
            distance = sum(jnp.sum(jnp.square(found[name] - kept[name]), axis=1) for name in ("mean", "std"))
            if self.normalizer == "relative":
                scale = jnp.sum(jnp.square(kept["mean"]) + jnp.square(kept["std"]), axis=1)
            else:
                scale = jnp.asarray(float(found["mean"].shape[1]))
            terms[layer] = safe_divide(jnp.asarray(distance), scale)
        return self.total(terms)

    def _mean_and_std(self, sums: Sums) -> dict[str, Float[Array, "b c"]]:
        return {"mean": mean(sums), "std": jnp.sqrt(variance(sums) + self.eps)}
