"""Relaxed earth mover's distance: each feature goes to its nearest, in whichever direction is the dearer."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import check_count
from likeness.research.distances import safe_sqrt, unit
from likeness.research.losses.style.hypercolumns import Hypercolumns
from likeness.research.losses.style.layers import Mask, each_image
from likeness.research.types import Activations, Array, Float, PRNGKey, PyTree, Scalar

NEAREST = 1e-5
"""Colors nearer than the root of this count as so far apart, and their distance has no derivative."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RelaxedEMD(Hypercolumns):
    """``J = max(1/n Σ_i min_j d_ij, 1/m Σ_j min_i d_ij)``, ``d_ij = 1 - cos(x_i, y_j)``.

    x_i are hypercolumns of the image and y_j those of the reference. The earth mover's distance asks for a plan that leaves
    nothing over on either side; each of the two means drops one of these demands, so J is a bound from below, and what
    attains it is found by looking. With ``m`` at 5000 every part of the style must be used by some place. From 0 to 2. The
    nearest are held fixed in the derivative, which is that of the minimum.

    Kolkin, Salavon and Shakhnarovich, "Style transfer by relaxed optimal transport and self-similarity" (STROTSS), 2019.

    Memory: n times m numbers, and n + m hypercolumns.
    """

    reference_samples: int = 5000
    """m at most: places drawn once from the reference."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(type(self).__name__, "reference_samples", self.reference_samples, least=2)

    def target(self, reference: Activations, mask: Mask | None = None) -> PyTree:
        """``columns`` (b, m, c), the hypercolumns y_j, and ``any``, (b,), 0 where the mask is 0 everywhere."""
        columns, some = self.columns(reference, mask, jax.random.key(self.seed), self.reference_samples)
        return {"columns": columns, "any": jnp.broadcast_to(some, columns.shape[:1])}

    def __call__(
        self, activations: Activations, target: PyTree, mask: Mask | None = None, key: PRNGKey | None = None
    ) -> Scalar:
        """The loss of images: mean over b of J.

        Raises:
            ValueError: layers that do not exist; a target of another encoder.
        """
        columns, some = self.columns(activations, mask, self.key(key), self.samples)
        kept = target["columns"]
        # Another number of places is no other encoder.
        self.check_shape(self.layers[0], (kept.shape[0], kept.shape[2]), (columns.shape[0], columns.shape[2]))
        found = each_image(self.of_columns, (columns,), (kept, target["any"]))
        return some * jnp.sum(found) / max(len(found), 1)

    def of_columns(self, image: Float[Array, "n c"], reference: Float[Array, "m c"], some: Scalar) -> Scalar:
        """J of the hypercolumns of one image and one reference; nothing where ``some`` is 0."""
        x, y = self.compared(image), self.compared(reference)
        distance = jax.lax.stop_gradient(self.distances(x, y))
        forth = jnp.mean(self.paired(x, jax.tree.map(lambda leaf: leaf[jnp.argmin(distance, axis=1)], y)))
        back = jnp.mean(self.paired(jax.tree.map(lambda leaf: leaf[jnp.argmin(distance, axis=0)], x), y))
        return some * jnp.where(forth >= back, forth, back)

    def compared(self, columns: Float[Array, "n c"]) -> dict[str, Float[Array, "n _"]]:
        """What is compared of hypercolumns: their directions."""
        return {"direction": unit(columns)}

    def distances(self, x: dict[str, Array], y: dict[str, Array]) -> Float[Array, "n m"]:
        """d_ij of all pairs."""
        return 1.0 - jnp.matmul(x["direction"], y["direction"].T, precision=jax.lax.Precision.HIGHEST)

    def paired(self, x: dict[str, Array], y: dict[str, Array]) -> Float[Array, "n"]:
        """d_ii of rows that belong together."""
        return 1.0 - jnp.sum(x["direction"] * y["direction"], axis=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaletteEMD(RelaxedEMD):
    """The relaxed earth mover's distance of colors, ``d_ij = 1 - cos(x_i, y_j) + |x_i - y_j|/√3``.

    x and y are RGB less ½, so that gray has no direction. What hypercolumns say about hue is drowned by their other numbers,
    and the palette would be lost without a term of its own.

    Kolkin, Salavon and Shakhnarovich, 2019. They turn colors into axes of lightness and two hues first; that is a rotation,
    under which both distances stay what they are, and it is left out here.
    """

    layers: tuple[str, ...] = ("input",)
    """The image, or another map of three channels in [0, 1]."""

    def compared(self, columns: Float[Array, "n c"]) -> dict[str, Float[Array, "n _"]]:
        """The color, and its direction from gray.

        Raises:
            ValueError: it has not three numbers.
        """
        if columns.shape[1] != 3:
            raise ValueError(
                f"PaletteEMD(layers={self.layers}): colors have 3 channels, and here are {columns.shape[1]}: read the input "
                "alone."
            )
        color = columns - 0.5
        return {"color": color, "direction": unit(color)}

    def distances(self, x: dict[str, Array], y: dict[str, Array]) -> Float[Array, "n m"]:
        """d_ij of all pairs."""
        # Three differences are cheaper than an expansion that cancels.
        squares = sum(jnp.square(x["color"][:, None, k] - y["color"][None, :, k]) for k in range(3))
        return super().distances(x, y) + jnp.sqrt(jnp.maximum(squares, NEAREST) / 3.0)

    def paired(self, x: dict[str, Array], y: dict[str, Array]) -> Float[Array, "n"]:
        """d_ii of rows that belong together."""
        squares = jnp.sum(jnp.square(x["color"] - y["color"]), axis=1)
        return super().paired(x, y) + safe_sqrt(jnp.maximum(squares, NEAREST) / 3.0)
