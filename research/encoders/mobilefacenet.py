"""MobileFaceNet, a face network small enough for a phone."""

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layer_geometry import LayerGeometry, composite
from likeness.research.encoders.layers import Images, as_embedding, batch_norm, check_fields, check_size
from likeness.research.encoders.preprocessing import preprocess, rgb
from likeness.research.ops.convolution import Convolution
from likeness.research.ops.depthwise import Depthwise
from likeness.research.ops.remat import Part
from likeness.research.types import Activations, AnyArray, Array, Float, Precision

MINIMUM = 97
STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))


class InvertedResidual(Part, kw_only=True):
    """1×1 convolution to ``expansion`` times the channels, depthwise 3×3/stride, 1×1 to ``width``; plus the input.

    Batch normalization follows each convolution and ReLU6 the first two; the input is added where the shape stays.
    """

    expansion: int
    """Factor of the channels in between."""
    width: int
    """Channels."""
    stride: int = 1
    """Stride of the depthwise convolution."""
    dtype: Precision = "float32"
    """Compute dtype."""

    @nn.compact
    def __call__(self, x: Float[AnyArray, "b h w c"], train: bool) -> Float[Array, "b h2 w2 d"]:
        """(b, h, w, c) → (b, ⌈h/stride⌉, ⌈w/stride⌉, width)."""
        x = jnp.asarray(x)
        inner = self.expansion * x.shape[-1]
        y = _conv(inner, 1, 1, self.dtype, "expand")(x)
        y = nn.relu6(batch_norm("expand_norm", self.dtype, train=train)(y))
        y = Depthwise(side=3, stride=self.stride, padding=1, dtype=self.dtype, name="depthwise")(y)
        y = nn.relu6(batch_norm("depthwise_norm", self.dtype, train=train)(y))
        y = _conv(self.width, 1, 1, self.dtype, "project")(y)
        y = batch_norm("project_norm", self.dtype, train=train)(y)
        return x + y if y.shape == x.shape else y


class MobileFaceNet(nn.Module, kw_only=True):
    """MobileFaceNet for aligned 112×112 color faces, in the form whose weights foamliu published.

    Conv 3×3/2; depthwise 3×3 and 1×1; five stages of inverted residuals (``STAGES``: expansion, channels, blocks, stride
    of the first); 1×1 to 512; a depthwise convolution over the whole last map (7×7), which weighs its places where an
    average would not; 1×1 to ``dimension``; batch normalization. ReLU6 throughout, but ReLU after the first depthwise
    pair and nothing after the last convolutions; the paper has PReLU. Images are normalized by ImageNet's mean and
    deviation. Only sides of 97 to 112 pixels end in a 7×7 map, and only they are taken.

    Activations: ``input`` (the images), ``conv1``, ``separable``, ``stage1`` … ``stage5``, ``conv2``, ``global``,
    ``embedding``.

    Parameters: 999,936 for color images and 128 dimensions.

    Paper: Chen et al., MobileFaceNets: efficient CNNs for accurate real-time face verification on mobile devices, CCBR
    2018.
    """

    dimension: int = 128
    """Length of the embedding."""
    normalize: bool = True
    """Scale the embedding to unit length."""
    dtype: Precision = "float32"
    """Compute dtype; parameters, statistics and the embedding stay float32."""

    def __post_init__(self) -> None:
        check_fields("MobileFaceNet", dimension=self.dimension)
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """The layers that have a map, each stage with the window of its depthwise convolutions one after another.

        ``global`` is a convolution too, of one place; its field reaches beyond every image that is taken, and so do those
        of ``stage3`` and all behind it.
        """
        layers = [LayerGeometry("conv1", ("input",), 3, 2, 1), LayerGeometry("separable", ("conv1",), 3, 1, 1)]
        for stage, (_, _, blocks, stride) in enumerate(STAGES, 1):
            windows = [(3, stride, 1), *[(3, 1, 1)] * (blocks - 1)]
            layers.append(composite(f"stage{stage}", (layers[-1].name,), windows))
        layers.append(LayerGeometry("conv2", (layers[-1].name,)))
        return (*layers, LayerGeometry("global", ("conv2",), 7, needs=7))

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch.

        Args:
            images: (b, h, w, 3) in [0, 1], sides of 97 to 112.
            train: normalize by the batch's statistics and update the running ones (needs
                ``mutable=["batch_stats"]``).

        Returns:
            Activations by name; ``embedding`` is float32, (b, dimension).

        Raises:
            ValueError: images of other sides, gray, or not floating point.
        """
        activations = {"input": rgb(images)}

        def norm_relu(y: Array, name: str) -> Array:
            y = nn.relu6(batch_norm(f"{name}_norm", self.dtype, train=train)(y))
            activations[name] = y
            return y

        x = preprocess(activations["input"], "torchvision").astype(self.dtype)
        x = norm_relu(_conv(64, 3, 2, self.dtype, "conv1")(x), "conv1")
        x = Depthwise(side=3, padding=1, dtype=self.dtype, name="separable_depthwise")(x)
        x = nn.relu(batch_norm("separable_depthwise_norm", self.dtype, train=train)(x))
        x = _conv(64, 1, 1, self.dtype, "separable_pointwise")(x)
        x = activations["separable"] = nn.relu(batch_norm("separable_pointwise_norm", self.dtype, train=train)(x))
        for stage, (expansion, width, blocks, stride) in enumerate(STAGES, 1):
            for block in range(1, blocks + 1):
                x = InvertedResidual(
                    expansion=expansion,
                    width=width,
                    stride=stride if block == 1 else 1,
                    dtype=self.dtype,
                    name=f"stage{stage}_{block}",
                )(x, train)
            activations[f"stage{stage}"] = x
        x = norm_relu(_conv(512, 1, 1, self.dtype, "conv2")(x), "conv2")
        check_size("MobileFaceNet", "global", x, 7, images, MINIMUM)
        if x.shape[1:3] != (7, 7):
            raise ValueError(
                f"MobileFaceNet: images of {images.shape[1]}×{images.shape[2]} pixels are too large: the last map is "
                f"{x.shape[1]}×{x.shape[2]} and must be 7×7. Align faces to 112×112."
            )
        x = Depthwise(side=7, dtype=self.dtype, name="global")(x)
        x = activations["global"] = batch_norm("global_norm", self.dtype, train=train)(x)
        x = Convolution(features=self.dimension, side=1, dtype=self.dtype, name="conv3")(x)
        x = batch_norm("embedding_norm", "float32", train=train)(x.reshape(x.shape[0], -1))
        activations["embedding"] = as_embedding(x, normalize=self.normalize)
        return activations


def _conv(channels: int, side: int, stride: int, dtype: Precision, name: str) -> Convolution:
    return Convolution(features=channels, side=side, stride=stride, padding=side // 2, use_bias=False, dtype=dtype, name=name)
