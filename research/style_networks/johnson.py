"""A network that paints one style (Johnson et al. 2016)."""

from typing import ClassVar

from flax import linen as nn

from likeness.research.encoders.layers import Images
from likeness.research.style_networks.normalization import InstanceNorm
from likeness.research.style_networks.transformer import Transformer
from likeness.research.types import AnyArray, Float, ImagesFloat

__all__ = ["Johnson"]


class Johnson(Transformer, kw_only=True):
    """A :class:`Transformer` with instance normalization: one network, one style.

    Parameters of the default: 1,677,638.
    """

    styles: ClassVar[int] = 1
    """It knows one."""

    @nn.compact
    def __call__(self, images: Images, weights: Float[AnyArray, "b 1"] | None = None) -> ImagesFloat:
        """Paints a batch of images.

        Args:
            images: (b, h, w, 3), RGB in [0, 1].
            weights: of the only style, which change nothing.

        Returns:
            Of the same shape, float32.

        Raises:
            ValueError: images that are too small, not RGB, or not floating point.
        """
        del weights
        return self._paint(images, lambda x, name: InstanceNorm(epsilon=self.epsilon, name=name)(x))
