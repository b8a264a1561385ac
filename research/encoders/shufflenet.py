"""ShuffleNetV2, whose blocks change half of the channels and exchange the halves: the backbone of small detectors."""

from typing import Literal

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layer_geometry import LayerGeometry, check_image, composite
from likeness.research.encoders.layers import Images, batch_norm
from likeness.research.encoders.preprocessing import rgb
from likeness.research.ops.convolution import Convolution
from likeness.research.ops.depthwise import Depthwise
from likeness.research.ops.pooling import max_pool
from likeness.research.ops.remat import Part
from likeness.research.types import Activations, AnyArray, Array, Float, Precision


class ShuffleUnit(Part, kw_only=True):
    """Half of the channels pass by; the other half goes through 1×1, depthwise 3×3/stride and 1×1 convolutions.

    Batch normalization follows each convolution and ReLU the two 1×1. The channels of even number pass by and those of odd
    number are changed, so that in the next unit each half is of both. With a stride all channels go both ways, one of which is
    a depthwise convolution with the stride and a 1×1.
    """

    width: int
    """Channels that come out."""
    stride: int = 1
    """Stride of the depthwise convolutions."""
    dtype: Precision = "float32"
    """Compute dtype."""

    @nn.compact
    def __call__(self, x: Float[AnyArray, "b h w c"], train: bool) -> Float[Array, "b h2 w2 d"]:
        """(b, h, w, c) → (b, ⌈h/stride⌉, ⌈w/stride⌉, width); of stride 1, c must be the width."""
        passing = changing = jnp.asarray(x)
        if self.stride == 1:
            passing, changing = passing[..., 0::2], changing[..., 1::2]
        else:
            passing = self._depthwise(passing, "shortcut_depthwise", train)
            passing = self._pointwise(passing, passing.shape[-1], "shortcut", train)
        changing = self._pointwise(changing, self.width // 2, "expand", train)
        changing = self._depthwise(changing, "depthwise", train)
        changing = self._pointwise(changing, self.width - passing.shape[-1], "project", train)
        return jnp.concatenate([passing, changing], axis=-1)

    def _pointwise(self, x: Array, width: int, name: str, train: bool) -> Array:
        x = Convolution(features=width, side=1, use_bias=False, dtype=self.dtype, name=name)(x)
        return nn.relu(batch_norm(f"{name}_norm", self.dtype, train=train)(x))

    def _depthwise(self, x: Array, name: str, train: bool) -> Array:
        x = Depthwise(side=3, stride=self.stride, padding=1, dtype=self.dtype, name=name)(x)
        return batch_norm(f"{name}_norm", self.dtype, train=train)(x)


class ShuffleNetV2(nn.Module, kw_only=True):
    """ShuffleNetV2 without its last convolution and its classifier: the default is the network of half the width.

    conv1 3×3/2 and a max pooling 3×3/2; three stages of units (:class:`ShuffleUnit`), the first of each with stride 2.

    Activations: ``input`` (the images), ``conv1``, ``pool1``, ``stage2``, ``stage3``, ``stage4``, at strides 2, 4, 8, 16 and
        32.

    Parameters: 143,136.

    Paper: Ma et al., ShuffleNet V2: practical guidelines for efficient CNN architecture design, ECCV 2018.
    """

    first: int = 24
    """Channels of conv1."""
    widths: tuple[int, ...] = (48, 96, 192)
    """Channels of each stage, even numbers."""
    blocks: tuple[int, ...] = (4, 8, 4)
    """Units of each stage."""
    trained_on: Literal["rgb", "bgr"] = "bgr"
    """The order of the channels in the images that the weights were trained on; it is always given RGB. FastestDet's weights,
    and those that it began with, were trained on images as OpenCV reads them."""
    dtype: Precision = "float32"
    """Compute dtype; parameters and statistics stay float32."""

    def __post_init__(self) -> None:
        if self.first < 1 or not self.widths or len(self.widths) != len(self.blocks) or min(self.blocks) < 1:
            raise ValueError(
                f"ShuffleNetV2: first is {self.first}, widths {self.widths}, blocks {self.blocks}: give channels of at "
                "least 1, and a width and a number of units for each stage."
            )
        for before, width in zip((self.first, *self.widths), self.widths, strict=False):
            if width <= before or width % 2:
                raise ValueError(
                    f"ShuffleNetV2.widths is {self.widths} after {self.first} channels: each must be an even number, and "
                    "larger than the one before, whose channels a stage's first unit passes on."
                )
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """Every layer, each stage with the window of its depthwise convolutions one after another."""
        layers = [LayerGeometry("conv1", ("input",), 3, 2, 1), LayerGeometry("pool1", ("conv1",), 3, 2, 1)]
        for number, blocks in enumerate(self.blocks, 2):
            windows = [(3, 2, 1), *[(3, 1, 1)] * (blocks - 1)]
            layers.append(composite(f"stage{number}", (layers[-1].name,), windows))
        return tuple(layers)

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch of images.

        Args:
            images: (b, h, w, 3), RGB in [0, 1].
            train: normalize by the batch's statistics and update the running ones (needs ``mutable=["batch_stats"]``).

        Returns:
            Activations by name, (b, h, w, c).

        Raises:
            ValueError: images that are not RGB, or not floating point.
        """
        activations = {"input": rgb(images)}
        check_image("ShuffleNetV2", self.geometry, images)
        x = Convolution(
            features=self.first,
            stride=2,
            padding=1,
            use_bias=False,
            input_order="reversed" if self.trained_on == "bgr" else "as given",
            dtype=self.dtype,
            name="conv1",
        )(activations["input"].astype(self.dtype))
        x = activations["conv1"] = nn.relu(batch_norm("conv1_norm", self.dtype, train=train)(x))
        x = activations["pool1"] = max_pool(x, 3, 2, padding=1)
        for stage, (width, blocks) in enumerate(zip(self.widths, self.blocks, strict=True), 2):
            for block in range(1, blocks + 1):
                stride = 2 if block == 1 else 1
                x = ShuffleUnit(width=width, stride=stride, dtype=self.dtype, name=f"stage{stage}_{block}")(x, train)
            activations[f"stage{stage}"] = x
        return activations
