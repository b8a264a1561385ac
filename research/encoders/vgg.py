"""VGG, the network of style transfer: published weights, a narrow version of it, or random filters."""

import difflib
from typing import Literal, TypeAlias

import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from likeness.research.encoders.layer_geometry import LayerGeometry, check_image
from likeness.research.encoders.layers import Images
from likeness.research.encoders.preprocessing import VGG_MEANS, InputNormalization, preprocess, rgb
from likeness.research.ops.convolution import Convolution
from likeness.research.ops.pooling import avg_pool, hann_pool, l2_pool, max_pool
from likeness.research.types import Activations, AnyArray, Array, Float, Precision, PRNGKey

Padding: TypeAlias = Literal["zeros", "replicate", "reflect", "circular"]
Pooling: TypeAlias = Literal["max", "average", "l2", "hann"]

# What brings the activations after another pooling back to those after the maximum, for the trained VGG-19.
RESCALE = {"max": 1.0, "average": 2.0, "l2": 0.78, "hann": 1.0}


class Vgg(nn.Module, kw_only=True):
    """Blocks of 3×3 convolutions and ReLU, between 2×2 poolings (Simonyan and Zisserman 2015). The default is VGG-19.

    VGG-16 is ``Vgg(convolutions=(2, 2, 3, 3, 3))``. The network of this project that needs no download is one of half
    the width with random filters, four blocks deep, followed by :func:`likeness.research.encoders.normalize_energy`::

        Vgg(convolutions=(2, 2, 4, 2), widths=(32, 64, 128, 256), pooling="average")

    Its filters are drawn from N(0, 2/fan_in) (He et al. 2015), biases are zero.

    Activations: ``input``, the images as they came; ``conv1_1 relu1_1 conv1_2 relu1_2 pool1 conv2_1`` …, up to and
    including ``last``. All start from RGB in [0, 1]: what the weights expect is done inside, as ``preprocessing`` says.

    Parameters of the convolutions: 20,024,384 (VGG-19), 14,714,688 (VGG-16), 12,944,960 (VGG-19 to ``relu5_1``).

    Papers: Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition, ICLR 2015; He
    et al., Delving deep into rectifiers, ICCV 2015; Gatys et al., Image style transfer using convolutional neural
    networks, CVPR 2016 (average pooling); He et al., A powerful generative model using random weights for the deep
    image representation, NeurIPS 2016.
    """

    convolutions: tuple[int, ...] = (2, 2, 4, 4, 4)
    """Convolutions of each block."""
    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    """Channels of each block."""
    last: str | None = None
    """The layer to stop at: nothing deeper has parameters or is computed. None: the last ReLU, relu5_4 in VGG-19."""
    pooling: Pooling = "max"
    """How 2×2 pixels become one; l2 is the root of the sum of squares. hann is the root of the mean of squares under a
    window of 3×3 (:func:`~likeness.research.ops.pooling.hann_pool`), as DISTS has it."""
    rescale: bool = False
    """Multiply the average by 2 and l2 by 0.78. They were measured (K. Crowson's style-transfer-pytorch) to keep the
    activations of the trained VGG-19 as large as under the maximum. For other weights the factors differ; a network of
    normalized energy does not need them."""
    padding: Padding = "zeros"
    """What surrounds the map of each convolution by one pixel: zeros, the outermost pixel again, the one next to it, or, as of
    an image that goes on there, the one at the other side."""
    first_padding: Padding | None = None
    """The same for conv1_1 alone; None: as `padding`."""
    preprocessing: InputNormalization | Literal["convolution"] = "caffe"
    """unit: RGB in [0, 1]. caffe: BGR · 255 − (103.939, 116.779, 123.68), for Oxford's weights. torchvision: ImageNet's
    mean and deviation, for torchvision's. convolution: a 1×1 convolution `conv0` from three channels to three, which is
    caffe until its weights are loaded; networks that were distilled or normalized come with one."""
    dtype: Precision = "float32"
    """Compute dtype; parameters and the preprocessing stay float32."""

    def __post_init__(self) -> None:
        if len(self.convolutions) != len(self.widths) or not self.widths:
            raise ValueError(
                f"Vgg: {len(self.convolutions)} blocks of convolutions {self.convolutions} and {len(self.widths)} widths "
                f"{self.widths}; give one width for each block."
            )
        for field, values in (("convolutions", self.convolutions), ("widths", self.widths)):
            if min(values) < 1:
                raise ValueError(f"Vgg.{field} is {values}; each must be at least 1.")
        names = [layer.name for layer in self._all_layers()]
        if self.last is not None and self.last not in names:
            nearest = ", ".join(difflib.get_close_matches(self.last, names, n=3, cutoff=0.0))
            raise ValueError(f"Vgg.last is {self.last!r}, which is no layer of this network; nearest: {nearest}.")
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """Every layer up to ``last``, with kernel, stride and padding; the preprocessing has no part in it."""
        layers = self._all_layers()
        names = [layer.name for layer in layers]
        # The last block's pooling is there only if asked for.
        end = len(names) - 1 if self.last is None else names.index(self.last) + 1
        return tuple(layers[:end])

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch of images.

        Args:
            images: (b, h, w, 3), RGB in [0, 1].
            train: without effect, the network has no state.

        Returns:
            Activations by name, (b, h, w, c).

        Raises:
            ValueError: images smaller than the deepest layer's stride (16×16 for ``relu5_1``), not RGB, or not
                floating point.
        """
        del train
        layers = self.geometry
        activations = {"input": rgb(images)}
        check_image("Vgg", layers, images)
        x = self._preprocess(activations["input"]).astype(self.dtype)
        block = 0
        for layer in layers:
            match layer.kernel, layer.stride:
                case 3, 1:
                    x = self._convolve(x, self.widths[block], self._padding_after(layer.inputs[0]), layer.name)
                case _, 2:
                    x = self._pool(x)
                    block += 1
                case _:
                    x = nn.relu(x)
            activations[layer.name] = x
        return activations

    def wrapped(self) -> "Vgg":
        """The same network, of the same parameters, for an image that goes on at its other side."""
        return self.clone(padding="circular", first_padding=None)

    def _padding_after(self, before: str) -> Padding:
        return self.first_padding if self.first_padding and before == "input" else self.padding

    def _all_layers(self) -> list[LayerGeometry]:
        layers = []
        before = "input"

        def add(name: str, kernel: int = 1, stride: int = 1, padding: int = 0, needs: int = 1) -> str:
            layers.append(LayerGeometry(name, (before,), kernel, stride, padding, needs=needs))
            return name

        for block, count in enumerate(self.convolutions, 1):
            for index in range(1, count + 1):
                # A single row has no second one to reflect.
                needs = 2 if self._padding_after(before) == "reflect" else 1
                before = add(f"conv{block}_{index}", 3, padding=1, needs=needs)
                before = add(f"relu{block}_{index}")
            before = add(f"pool{block}", 3, 2, padding=1) if self.pooling == "hann" else add(f"pool{block}", 2, 2, needs=2)
        return layers

    def _preprocess(self, images: Array) -> Array:
        if self.preprocessing != "convolution":
            return preprocess(images, self.preprocessing)
        return nn.Conv(3, (1, 1), kernel_init=_to_bgr, bias_init=_minus_the_means, name="conv0")(images)

    def _convolve(self, x: Array, width: int, padding: Padding, name: str) -> Array:
        he = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
        convolution = Convolution(features=width, padding=1, kernel_init=he, dtype=self.dtype, name=name)
        if padding == "zeros":
            return convolution(x)
        # A second border, of zeros, is computed and cut off: XLA:CPU takes three times as long over a convolution that
        # is not padded (256×256×64, jaxlib 0.10.2).
        return convolution(_with_border(x, padding))[:, 1:-1, 1:-1]

    def _pool(self, x: Array) -> Array:
        if self.pooling == "hann":
            return hann_pool(x)
        pooled = {"max": max_pool, "average": avg_pool, "l2": l2_pool}[self.pooling](x, 2)
        return pooled * RESCALE[self.pooling] if self.rescale else pooled


def texture_vgg(last: str | None = None) -> Vgg:
    """The network of the weights ``textures``, which come with Likeness: four blocks, 692,928 parameters, 1.4 MB."""
    return Vgg(
        convolutions=(2, 2, 3, 3),
        widths=(32, 64, 96, 128),
        last=last,
        pooling="average",
        padding="reflect",
        preprocessing="torchvision",
    )


def _with_border(
    x: Float[AnyArray, "b h w c"], padding: Literal["replicate", "reflect", "circular"]
) -> Float[Array, "b h2 w2 c"]:
    """One more pixel on each side: the outermost one again, the one next to it, or the one at the other side.

    The same as ``jnp.pad`` in these modes, whose gradient takes XLA:CPU longer.
    """
    if padding == "circular":
        x = jnp.concatenate([x[:, -1:], x, x[:, :1]], axis=1)
        return jnp.concatenate([x[:, :, -1:], x, x[:, :, :1]], axis=2)
    inner = 0 if padding == "replicate" else 1
    bottom, right = (side - 1 - inner for side in x.shape[1:3])
    x = jnp.concatenate([x[:, inner : inner + 1], x, x[:, bottom : bottom + 1]], axis=1)
    return jnp.concatenate([x[:, :, inner : inner + 1], x, x[:, :, right : right + 1]], axis=2)


def _to_bgr(key: PRNGKey, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
    del key
    return 255.0 * jnp.eye(3, dtype=dtype)[::-1].reshape(shape)


def _minus_the_means(key: PRNGKey, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
    del key
    return -jnp.asarray(VGG_MEANS, dtype).reshape(shape)
