"""The style loss of Gatys, Ecker and Bethge: which features go together, whatever their place."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, TypeAlias

import jax.numpy as jnp

from likeness.research.checks import check_choice
from likeness.research.losses.style.layers import PlaceMask, extent, safe_divide
from likeness.research.losses.style.statistics import AdditiveLayers, Sums, mixed, second_moment
from likeness.research.types import Activations, Array, Float, PyTree, Scalar

GramNormalizer: TypeAlias = Literal["relative", "course", "course_unsquared", "none", "gatys_code", "johnson"]

EQUAL_SIZES = ("course", "course_unsquared", "none")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gram(AdditiveLayers):
    """Squared distance of Gram matrices ``G_kk' = Σ_ij a_ijk a_ijk'``, the uncentered cross-covariance of channels.

    Gatys, Ecker and Bethge, "A neural algorithm of artistic style", 2015.

    A mask makes it the guided Gram matrix of Gatys et al. 2017: features are multiplied by the mask, and Σ m² takes
    the place of nH·nW, in the image and in the reference each its own. The three formulas that demand equal sizes
    then see the reference's Gram matrix scaled to the image's Σ m².

    Reverse mode only: ``jax.jvp`` raises.

    Example:
        >>> import jax.numpy as jnp
        >>> style = {"relu1_1": jnp.ones((1, 2, 2, 3))}
        >>> image = {"relu1_1": 2.0 * jnp.ones((1, 4, 6, 3))}
        >>> loss = Gram(layers=("relu1_1",))
        >>> print(loss(image, loss.target(style)))  # every entry is 4 instead of 1
        9.0
    """

    normalizer: GramNormalizer = "relative"
    """J_l for a layer of nC channels and nH × nW places, G of the image, A of the reference:

    ``relative``: ``‖G/(nH nW) - A/(nH' nW')‖² / ‖A/(nH' nW')‖²``. Dimensionless, any two sizes.
    ``course``: ``‖G - A‖² / (2 nH nW nC)²``, which is Gatys' ``1/(4 N² M²)`` (N = nC, M = nH nW). Equal sizes only.
    ``course_unsquared``: ``‖G - A‖² / (2 nH nW nC)``. Equal sizes only.
    ``none``: ``‖G - A‖²``. Equal sizes only.
    ``gatys_code``: ``‖G/(nH nW) - A/(nH' nW')‖² / nC²``, the mean squared error of Gatys' PyTorch notebook.
    ``johnson``: ``‖G/(nC nH nW) - A/(nC nH' nW')‖² / nC²``, that of jcjohnson/neural-style and neural-style-pt."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("Gram", "normalizer", self.normalizer, GramNormalizer)

    def check_tiles(self) -> None:
        """Refuses a formula that demands equal sizes.

        Raises:
            ValueError: it does.
        """
        if self.normalizer in EQUAL_SIZES:
            raise ValueError(
                f"Gram(normalizer={self.normalizer!r}) compares whole images of one size: choose normalizer='relative'"
            )

    def keep(self, statistics: dict[str, Sums]) -> PyTree:
        """``A/(nH' nW')`` of every layer, (b, c, c)."""
        return {layer: {"gram": second_moment(sums)} for layer, sums in statistics.items()}

    def blend(self, targets: Sequence[PyTree], shares: Sequence[float]) -> PyTree:
        """``Σ p_s A_s/(nH' nW')`` of every layer, and the size of the first."""
        return {
            layer: {**kept, "gram": mixed([target[layer]["gram"] for target in targets], shares)}
            for layer, kept in targets[0].items()
        }

    def target(self, reference: Activations, mask: PlaceMask | None = None) -> PyTree:
        """``A/(nH' nW')`` of every layer, (b, c, c), and the layer's size if the formula demands equal ones."""
        kept = super().target(reference, mask)
        if self.normalizer in EQUAL_SIZES:
            for layer, features in self.read_maps(reference):
                kept[layer]["extent"] = extent(features)
        return kept

    def __call__(self, activations: Activations, target: PyTree, mask: PlaceMask | None = None) -> Scalar:
        """The loss of images: mean over b of ``Σ_l λ_l J_l``.

        Raises:
            ValueError: a formula that demands equal sizes, and a reference of another size; layers that do not exist;
                a target of another encoder.
        """
        if self.normalizer in EQUAL_SIZES:
            for layer, features in self.read_maps(activations):
                reason = (
                    f"normalizer={self.normalizer!r} compares sums over pixels: give a style image of the image's "
                    "size, or choose normalizer='relative'"
                )
                self.check_extent(layer, extent(features), target[layer]["extent"], reason)
        return super().__call__(activations, target, mask)

    def from_statistics(self, statistics: dict[str, Sums], target: PyTree) -> Scalar:
        """The loss of images of which only the sums over pixels are known. Sizes are not checked."""
        terms = {}
        for layer, sums in statistics.items():
            gram, reference = second_moment(sums), target[layer]["gram"]
            self.check_shape(layer, reference.shape, gram.shape)
            distance = jnp.sum(jnp.square(gram - reference), axis=(1, 2))
            energy = jnp.sum(jnp.square(reference), axis=(1, 2))
            terms[layer] = self._normalized(distance, energy, sums["count"], gram.shape[-1])
        return self.total(terms)

    def _normalized(
        self, distance: Float[Array, "b"], energy: Float[Array, "_"], count: Float[Array, "b"], channels: int
    ) -> Float[Array, "b"]:
        """From ``‖G/n - A/n‖²``, n the count, to J_l."""
        match self.normalizer:
            case "relative":
                return safe_divide(distance, energy)
            case "course":
                return distance / (4.0 * channels**2)
            case "course_unsquared":
                return distance * count / (2.0 * channels)
            case "none":
                return distance * jnp.square(count)
            case "gatys_code":
                return distance / channels**2
            case "johnson":
                return distance / channels**4
