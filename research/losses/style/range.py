"""What holds an image to the values that a file can keep."""

import dataclasses

import jax.numpy as jnp

from likeness.research.losses.style.layers import Layers, Mask
from likeness.research.types import Activations, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutOfRange(Layers):
    """``J = mean (x - clip(x, 0, 1))²``, with no reference: for an image whose pixels nothing else keeps in [0, 1], such as
    that of a Laplacian pyramid, whose levels no optimizer can clip.

    Under a mask the same, for a pixel outside the range is cut off wherever it is.
    """

    layers: tuple[str, ...] = ("input",)
    """The image."""

    def target(self, reference: Activations, mask: Mask | None = None) -> PyTree:
        """Nothing."""
        del reference, mask
        return {}

    def __call__(self, activations: Activations, target: PyTree, mask: Mask | None = None) -> Scalar:
        """The loss of images: mean over b of ``Σ_l λ_l J_l``."""
        del target, mask
        terms = {}
        for layer, image in self.read_maps(activations):
            beyond = image.astype(jnp.float32) - jnp.clip(image.astype(jnp.float32), 0.0, 1.0)
            terms[layer] = jnp.mean(jnp.square(beyond), axis=(1, 2, 3))
        return self.total(terms)
