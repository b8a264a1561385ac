"""A network that paints several styles and what lies between them (Dumoulin et al. 2017)."""

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layers import Images
from likeness.research.style_networks.normalization import normalize
from likeness.research.style_networks.transformer import Transformer
from likeness.research.types import AnyArray, Array, Float, ImagesFloat

__all__ = ["Conditional", "ConditionalInstanceNorm"]


class ConditionalInstanceNorm(nn.Module, kw_only=True):
    """``(Σ_s w_s γ_s) (x - μ)/√(σ² + ε) + Σ_s w_s β_s``: each style has its own γ and β, and w says which or how much of each.

    Parameters: ``scale`` γ and ``bias`` β, (n, c).
    """

    styles: int
    """n, how many styles."""
    epsilon: float = 1e-5
    """ε, in squared units of x."""

    @nn.compact
    def __call__(self, x: Float[AnyArray, "b h w c"], weights: Float[AnyArray, "b n"]) -> Float[Array, "b h w c"]:
        """float32."""
        shape = (self.styles, x.shape[-1])
        scale = self.param("scale", nn.initializers.ones_init(), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), shape, jnp.float32)
        # A mixture must be exact, and is nothing beside the convolutions.
        mixed = [jnp.matmul(weights, table, precision="highest")[:, None, None] for table in (scale, bias)]
        return mixed[0] * normalize(x, self.epsilon) + mixed[1]


class Conditional(Transformer, kw_only=True):
    """A :class:`Transformer` whose convolutions all styles share: a style is the γ and β of each normalization.

    A further style costs 2 numbers a channel: 3,206 beside the 1,674,432 of the default's convolutions.
    """

    styles: int = 2
    """n, how many styles."""

    def __post_init__(self) -> None:
        if self.styles < 1:
            raise ValueError(f"Conditional.styles is {self.styles}: give 1 or more.")
        super().__post_init__()

    @nn.compact
    def __call__(self, images: Images, weights: Float[AnyArray, "b n"] | None = None) -> ImagesFloat:
        """Paints a batch of images.

        Args:
            images: (b, h, w, 3), RGB in [0, 1].
            weights: how much of each style, a row an image. Trained on rows that choose one style; rows that sum to 1
                paint what lies between. None for all alike.

        Returns:
            Of the same shape as the images, float32.

        Raises:
            ValueError: weights of another number of styles or images; images that are too small, not RGB, or not
                floating point.
        """
        if weights is None:
            weights = jnp.full((len(images), self.styles), 1.0 / self.styles)
        if weights.shape != (len(images), self.styles):
            raise ValueError(
                f"Conditional: the weights are {weights.shape}, and {len(images)} images in {self.styles} styles need "
                f"{(len(images), self.styles)}: a row for each image, a column for each style."
            )

        def norm(x: Array, name: str) -> Array:
            return ConditionalInstanceNorm(styles=self.styles, epsilon=self.epsilon, name=name)(x, weights)

        return self._paint(images, norm)
