"""SqueezeNet 1.1, a small network trained on ImageNet whose weights are free to use."""

from collections.abc import Iterator

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layer_geometry import LayerGeometry, check_image
from likeness.research.encoders.layers import Images
from likeness.research.encoders.preprocessing import SQUEEZENET_MEANS, InputNormalization, preprocess, rgb
from likeness.research.ops.convolution import Convolution
from likeness.research.ops.pooling import max_pool
from likeness.research.types import Activations, AnyArray, Float, Precision

# The modules before which the map is pooled once more.
POOLED_AFTER = (3, 5)


class Fire(nn.Module, kw_only=True):
    """1×1 convolution and ReLU; then a 1×1 and a 3×3 convolution side by side, ReLU, concatenated."""

    squeeze: int
    """Channels of the first convolution."""
    expand: int
    """Channels of each of the other two."""
    dtype: Precision = "float32"
    """Compute dtype."""

    @nn.compact
    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Activations:
        """The activations by name, the last one (b, h, w, 2·expand)."""
        squeezed = _convolution(self.squeeze, 1, "squeeze1x1", self.dtype)(x)
        relu_squeezed = nn.relu(squeezed)
        one = _convolution(self.expand, 1, "expand1x1", self.dtype)(relu_squeezed)
        three = _convolution(self.expand, 3, "expand3x3", self.dtype)(relu_squeezed)
        relu_one, relu_three = nn.relu(one), nn.relu(three)
        return {
            "squeeze1x1": squeezed,
            "relu_squeeze1x1": relu_squeezed,
            "expand1x1": one,
            "relu_expand1x1": relu_one,
            "expand3x3": three,
            "relu_expand3x3": relu_three,
            "concat": jnp.concatenate([relu_one, relu_three], axis=-1),
        }


class SqueezeNet(nn.Module, kw_only=True):
    """SqueezeNet 1.1: a strided convolution, then eight fire modules with three 3×3 poolings between (Iandola et al. 2016).

    conv1 3×3/2 without padding; max poolings 3×3/2 after conv1, fire3 and fire5, which keep a last window that reaches
    over the edge, as Caffe does (the Keras port drops it).

    Activations: ``input``, the images as they came; ``conv1 relu_conv1 pool1``; for fire modules 2 to 9
    ``fire2/squeeze1x1 fire2/relu_squeeze1x1 fire2/expand1x1 fire2/relu_expand1x1 fire2/expand3x3
    fire2/relu_expand3x3 fire2/concat``; ``pool3`` and ``pool5``; with ``classes``, ``conv10 relu_conv10 pool10``, the
    last one (b, classes). All start from RGB in [0, 1].

    Parameters: 722,496, and 513 a class (the published network: 1,235,496).

    Paper: Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, arXiv:1602.07360, 2016.
    """

    first: int = 64
    """Channels of conv1."""
    squeeze: tuple[int, ...] = (16, 16, 32, 32, 48, 48, 64, 64)
    """Channels of the squeezing convolution of fire2, fire3, …; each of its two expansions has four times as many."""
    classes: int | None = None
    """Classes to tell apart by a last 1×1 convolution; None leaves it out."""
    preprocessing: InputNormalization = "caffe"
    """unit: RGB in [0, 1]. caffe: BGR · 255 − (104, 117, 123), for the authors' weights. torchvision: ImageNet's mean
    and deviation, for torchvision's."""
    dtype: Precision = "float32"
    """Compute dtype; parameters and the preprocessing stay float32."""

    def __post_init__(self) -> None:
        if self.first < 1 or not self.squeeze or min(self.squeeze) < 1:
            raise ValueError(f"SqueezeNet.first is {self.first}, squeeze {self.squeeze}; channels must be at least 1.")
        if self.classes is not None and self.classes < 1:
            raise ValueError(f"SqueezeNet.classes is {self.classes}; it must be at least 1, or None for no classes.")
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """Every layer but the mean over the image at the end, with kernel, stride and padding."""
        return tuple(self._layers())

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch of images.

        Args:
            images: (b, h, w, 3), RGB in [0, 1].
            train: without effect, the network has no state.

        Returns:
            Activations by name, (b, h, w, c).

        Raises:
            ValueError: images smaller than 17×17, not RGB, or not floating point.
        """
        del train
        activations = {"input": rgb(images)}
        check_image("SqueezeNet", self.geometry, images)
        x = preprocess(images, self.preprocessing, SQUEEZENET_MEANS).astype(self.dtype)
        x = activations["conv1"] = _convolution(self.first, 3, "conv1", self.dtype, strides=2, padding=0)(x)
        x = activations["relu_conv1"] = nn.relu(x)
        x = activations["pool1"] = max_pool(x, 3, 2, ceil=True)
        for number, squeeze in enumerate(self.squeeze, 2):
            fire = Fire(squeeze=squeeze, expand=4 * squeeze, dtype=self.dtype, name=f"fire{number}")(x)
            activations |= {f"fire{number}/{name}": value for name, value in fire.items()}
            x = fire["concat"]
            if number in POOLED_AFTER:
                x = activations[f"pool{number}"] = max_pool(x, 3, 2, ceil=True)
        if self.classes is not None:
            x = activations["conv10"] = _convolution(self.classes, 1, "conv10", self.dtype)(x)
            x = activations["relu_conv10"] = nn.relu(x)
            activations["pool10"] = jnp.mean(x, axis=(1, 2), dtype=jnp.float32)
        return activations

    def _layers(self) -> Iterator[LayerGeometry]:
        yield LayerGeometry("conv1", ("input",), 3, 2, needs=3)
        yield LayerGeometry("relu_conv1", ("conv1",))
        yield LayerGeometry("pool1", ("relu_conv1",), 3, 2, ceil=True, needs=2)
        before = "pool1"
        for number in range(2, len(self.squeeze) + 2):
            fire = f"fire{number}"
            yield LayerGeometry(f"{fire}/squeeze1x1", (before,))
            yield LayerGeometry(f"{fire}/relu_squeeze1x1", (f"{fire}/squeeze1x1",))
            for side in (1, 3):
                expand = f"expand{side}x{side}"
                yield LayerGeometry(f"{fire}/{expand}", (f"{fire}/relu_squeeze1x1",), side, padding=side // 2)
                yield LayerGeometry(f"{fire}/relu_{expand}", (f"{fire}/{expand}",))
            before = f"{fire}/concat"
            yield LayerGeometry(before, (f"{fire}/relu_expand1x1", f"{fire}/relu_expand3x3"))
            if number in POOLED_AFTER:
                yield LayerGeometry(f"pool{number}", (before,), 3, 2, ceil=True, needs=2)
                before = f"pool{number}"
        if self.classes is not None:
            yield LayerGeometry("conv10", (before,))
            yield LayerGeometry("relu_conv10", ("conv10",))


def _convolution(
    channels: int, side: int, name: str, dtype: Precision, strides: int = 1, padding: int | None = None
) -> Convolution:
    return Convolution(
        features=channels,
        side=side,
        stride=strides,
        padding=side // 2 if padding is None else padding,
        dtype=dtype,
        kernel_init=nn.initializers.variance_scaling(2.0, "fan_in", "normal"),
        name=name,
    )
