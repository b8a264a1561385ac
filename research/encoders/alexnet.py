"""AlexNet in torchvision's shape: the network whose activations LPIPS was fitted to first."""

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layer_geometry import LayerGeometry, check_image
from likeness.research.encoders.layers import Images
from likeness.research.encoders.preprocessing import InputNormalization, preprocess, rgb
from likeness.research.ops.convolution import Convolution
from likeness.research.ops.pooling import max_pool
from likeness.research.types import Activations, Precision

SIDES = (11, 5, 3, 3, 3)
"""Of the convolutions' windows."""
STRIDES = (4, 1, 1, 1, 1)
PADDING = (2, 2, 1, 1, 1)
POOLED_AFTER = (1, 2)
"""The convolutions after which the map is pooled."""


class AlexNet(nn.Module, kw_only=True):
    """AlexNet's five convolutions as torchvision has them, after "One weird trick" (Krizhevsky 2014): on one device.

    conv1 11×11/4 with padding 2, conv2 5×5 with padding 2, three of 3×3 with padding 1, each with a ReLU; max poolings 3×3/2
    without padding after the first and the second ReLU. The two layers that are fully connected are left out.

    Activations: ``input``, the images as they came; ``conv1 relu1 pool1 conv2 relu2 pool2 conv3 relu3 conv4 relu4 conv5
    relu5``. All start from RGB in [0, 1].

    Parameters: 2,469,696.

    Papers: Krizhevsky et al., ImageNet classification with deep convolutional neural networks, NeurIPS 2012; Krizhevsky, One
    weird trick for parallelizing convolutional neural networks, arXiv:1404.5997, 2014.
    """

    widths: tuple[int, int, int, int, int] = (64, 192, 384, 256, 256)
    """Channels of each convolution."""
    preprocessing: InputNormalization = "torchvision"
    """unit: RGB in [0, 1]. torchvision: ImageNet's mean and deviation, for torchvision's weights."""
    dtype: Precision = "float32"
    """Compute dtype; parameters and the preprocessing stay float32."""

    def __post_init__(self) -> None:
        if min(self.widths) < 1:
            raise ValueError(f"AlexNet.widths is {self.widths}; give five numbers of channels, at least 1.")
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """Every layer, with kernel, stride and padding."""
        layers, before = [], "input"
        for number, (side, stride, padding) in enumerate(zip(SIDES, STRIDES, PADDING, strict=True), 1):
            layers.append(LayerGeometry(f"conv{number}", (before,), side, stride, padding, needs=side - 2 * padding))
            layers.append(LayerGeometry(before := f"relu{number}", (f"conv{number}",)))
            if number in POOLED_AFTER:
                layers.append(LayerGeometry(f"pool{number}", (before,), 3, 2, needs=3))
                before = f"pool{number}"
        return tuple(layers)

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch of images.

        Args:
            images: (b, h, w, 3), RGB in [0, 1].
            train: without effect, the network has no state.

        Returns:
            Activations by name, (b, h, w, c).

        Raises:
            ValueError: images smaller than 31×31, not RGB, or not floating point.
        """
        del train
        activations = {"input": rgb(images)}
        check_image("AlexNet", self.geometry, images)
        x = jnp.asarray(preprocess(images, self.preprocessing), self.dtype)
        for number, (width, side, stride, padding) in enumerate(zip(self.widths, SIDES, STRIDES, PADDING, strict=True), 1):
            x = activations[f"conv{number}"] = Convolution(
                features=width,
                side=side,
                stride=stride,
                padding=padding,
                dtype=self.dtype,
                kernel_init=nn.initializers.variance_scaling(2.0, "fan_in", "normal"),
                name=f"conv{number}",
            )(x)
            x = activations[f"relu{number}"] = nn.relu(x)
            if number in POOLED_AFTER:
                x = activations[f"pool{number}"] = max_pool(x, 3, 2)
        return activations
