"""A pyramid of maps upon another network, such as one whose weights are published."""

from flax import linen as nn

from likeness.research.encoders.layer_geometry import LayerGeometry
from likeness.research.encoders.layers import Images, batch_norm, check_fields, check_multiples
from likeness.research.encoders.preprocessing import rgb
from likeness.research.encoders.shufflenet import ShuffleNetV2
from likeness.research.ops.convolution import Convolution
from likeness.research.ops.pooling import enlarge
from likeness.research.types import Activations, Array, Precision

__all__ = ["FeaturePyramid"]


class FeaturePyramid(nn.Module, kw_only=True):
    """Takes some maps of a backbone, each at half the resolution of the one before, and brings the coarser ones to the finer.

    The coarsest map of the pyramid is the backbone's by a 1×1 convolution; each finer one is the backbone's by a 1×1
    convolution plus the coarser one enlarged, and a 3×3 convolution of both, with batch normalization and ReLU behind every
    convolution. What sees much of the image tells the fine map what it looks at.

    Activations: those of the backbone, and ``pyramid8 pyramid16 …`` of ``width`` channels, named by their strides.

    Paper: Lin et al., Feature pyramid networks for object detection, CVPR 2017.
    """

    backbone: nn.Module = ShuffleNetV2()
    """An encoder that returns activations by name. Its variables are those called ``backbone`` here."""
    layers: tuple[str, ...] = ("stage2", "stage3", "stage4")
    """Of the activations, finest first."""
    finest: int = 8
    """The stride of the first of them."""
    width: int = 96
    """Channels of the pyramid's maps."""
    dtype: Precision = "float32"
    """Compute dtype of the pyramid; parameters and statistics stay float32."""

    def __post_init__(self) -> None:
        check_fields("FeaturePyramid", width=self.width, finest=self.finest, layers=len(self.layers))
        super().__post_init__()

    @property
    def strides(self) -> tuple[int, ...]:
        """Of the pyramid's maps, finest first."""
        return tuple(self.finest * 2**level for level in range(len(self.layers)))

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """The layers of the backbone; in the pyramid maps of several strides are added."""
        return tuple(getattr(self.backbone, "geometry", ()))

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch of images.

        Args:
            images: (b, h, w, 3), RGB in [0, 1], sides multiples of the coarsest stride.
            train: normalize by the batch's statistics and update the running ones (needs ``mutable=["batch_stats"]``).

        Returns:
            Activations by name.

        Raises:
            ValueError: images of other sides, not RGB, or not floating point.
        """
        check_multiples("FeaturePyramid", rgb(images), self.strides[-1])
        activations = dict(self.backbone(images, train=train))
        coarser: Array | None = None
        for stride, layer in reversed(list(zip(self.strides, self.layers, strict=True))):
            x = self._layer(activations[layer], 1, f"pyramid{stride}_in", train)
            if coarser is not None:
                x = self._layer(x + enlarge(coarser), 3, f"pyramid{stride}", train)
            coarser = activations[f"pyramid{stride}"] = x
        return activations

    def _layer(self, x: Array, side: int, name: str, train: bool) -> Array:
        x = Convolution(features=self.width, side=side, padding=side // 2, use_bias=False, dtype=self.dtype, name=name)(x)
        return nn.relu(batch_norm(f"{name}_norm", self.dtype, train=train)(x))
