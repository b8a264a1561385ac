"""FastestDet, a detector of a quarter of a million numbers: one map, no anchors."""

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layer_geometry import LayerGeometry
from likeness.research.encoders.layers import Images, batch_norm, check_fields, check_multiples
from likeness.research.encoders.shufflenet import ShuffleNetV2
from likeness.research.ops.convolution import Convolution
from likeness.research.ops.depthwise import Depthwise
from likeness.research.ops.pooling import avg_pool, enlarge
from likeness.research.types import Activations, Array, Precision

__all__ = ["FastestDet"]


class FastestDet(nn.Module, kw_only=True):
    """dog-qiuqiu's FastestDet: ShuffleNetV2, three depths of context over one map at stride 16, and three heads.

    The stages at strides 8, 16 and 32 are brought to stride 16, by an average pooling 3×3/2 and by repeating pixels, and joined
    by a 1×1 convolution. Chains of one, two and three depthwise 5×5 convolutions look further around each cell; joined by a 1×1
    convolution, they are added to what they saw. Each head is a depthwise 5×5 and a 1×1 convolution.

    Activations: those of :class:`~likeness.research.encoders.ShuffleNetV2`; ``joined``; ``context``; and what the heads say of
    each cell of the map, float32, without a sigmoid or a softmax: ``objectness`` (b, h/16, w/16, 1), ``boxes`` (…, 4) and
    ``classes`` (…, classes).

    Parameters: 244,490 with 80 classes.

    Source: github.com/dog-qiuqiu/FastestDet, BSD-3-Clause.
    """

    classes: int = 80
    """Classes to tell apart."""
    backbone: ShuffleNetV2 = ShuffleNetV2()
    """The encoder, of three stages."""
    dtype: Precision = "float32"
    """Compute dtype of what comes after the backbone; parameters, statistics and what the heads say stay float32."""

    def __post_init__(self) -> None:
        check_fields("FastestDet", classes=self.classes)
        if len(self.backbone.widths) != 3:
            raise ValueError(f"FastestDet.backbone has {len(self.backbone.widths)} stages: it must have three, to stride 32.")
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """The layers of the backbone; behind it maps of several strides are joined."""
        return self.backbone.geometry

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch of images.

        Args:
            images: (b, h, w, 3), RGB in [0, 1], sides multiples of 32. The published weights were trained on 352×352.
            train: normalize by the batch's statistics and update the running ones (needs ``mutable=["batch_stats"]``).

        Returns:
            Activations by name.

        Raises:
            ValueError: images of other sides, not RGB, or not floating point.
        """
        check_multiples("FastestDet", images, 32)
        activations = dict(self.backbone(images, train))
        fine, middle, coarse = (activations[f"stage{number}"] for number in (2, 3, 4))
        width = middle.shape[-1]
        x = jnp.concatenate([avg_pool(fine, 3, 2, padding=1), middle, enlarge(coarse)], axis=-1)
        x = activations["joined"] = nn.relu(self._pointwise(x, width, "join", train))
        branches = []
        for depth in (1, 2, 3):
            y = x
            for number in range(1, depth + 1):
                y = self._depthwise(y, f"context{depth}_{number}", train)
            branches.append(y)
        y = self._pointwise(jnp.concatenate(branches, axis=-1), width, "context", train)
        x = activations["context"] = nn.relu(x + y)
        x = nn.relu(self._pointwise(x, width, "head", train))
        for name, channels in (("objectness", 1), ("boxes", 4), ("classes", self.classes)):
            y = self._depthwise(x, f"{name}_depthwise", train)
            activations[name] = self._pointwise(y, channels, name, train).astype(jnp.float32)
        return activations

    def _pointwise(self, x: Array, channels: int, name: str, train: bool) -> Array:
        x = Convolution(features=channels, side=1, use_bias=False, dtype=self.dtype, name=name)(x)
        return batch_norm(f"{name}_norm", self.dtype, train=train)(x)

    def _depthwise(self, x: Array, name: str, train: bool) -> Array:
        x = Depthwise(side=5, padding=2, dtype=self.dtype, name=name)(x)
        return nn.relu(batch_norm(f"{name}_norm", self.dtype, train=train)(x))
