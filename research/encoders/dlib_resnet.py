"""dlib's face network, a residual network of 29 convolutions."""

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layer_geometry import LayerGeometry, check_image, composite
from likeness.research.encoders.layers import Images, as_embedding, check_fields
from likeness.research.encoders.preprocessing import rgb
from likeness.research.ops.convolution import Convolution
from likeness.research.ops.pooling import avg_pool, max_pool
from likeness.research.ops.remat import Part
from likeness.research.types import Activations, AnyArray, Array, Float, Precision

MEANS = (122.782, 117.001, 104.298)
"""Of red, green and blue, in [0, 255]."""
WIDTHS = (32, 64, 128, 256, 256)
BLOCKS = (3, 4, 3, 3, 1)

__all__ = ["BLOCKS", "MEANS", "WIDTHS", "Affine", "DlibResNet", "PaddedBlock"]


class Affine(nn.Module):
    """``a · x + b`` with one a and one b a channel: a batch normalization whose statistics have been fixed."""

    @nn.compact
    def __call__(self, x: Float[AnyArray, "... c"]) -> Float[Array, "... c"]:
        """(…, c) → (…, c)."""
        x = jnp.asarray(x)
        scale = self.param("scale", nn.initializers.ones_init(), (x.shape[-1],), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (x.shape[-1],), jnp.float32)
        return x * scale.astype(x.dtype) + bias.astype(x.dtype)


class PaddedBlock(Part, kw_only=True):
    """``relu(affine(conv 3×3(relu(affine(conv 3×3/stride(x))))) + shortcut(x))``, where maps are added that differ in shape.

    The shortcut has no parameters. With a stride of 2 it is the mean over 2×2 pixels, and the first convolution has no border
    of zeros, so that of a map of even sides it makes one row and one column fewer than the mean. What either of the two lacks
    in channels, rows at the bottom or columns on the right is taken to be 0.
    """

    width: int
    """Channels."""
    stride: int = 1
    """Stride of the first convolution, 1 or 2."""
    dtype: Precision = "float32"
    """Compute dtype."""

    @nn.compact
    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """(b, h, w, c) → (b, ⌊h/stride⌋, ⌊w/stride⌋, max(width, c))."""
        x = jnp.asarray(x)
        y = _conv(self.width, 3, self.stride, 1 if self.stride == 1 else 0, self.dtype, "conv1")(x)
        y = nn.relu(Affine(name="affine1")(y))
        y = Affine(name="affine2")(_conv(self.width, 3, 1, 1, self.dtype, "conv2")(y))
        shortcut = x if self.stride == 1 else avg_pool(x, self.stride)
        shape = tuple(map(max, y.shape, shortcut.shape))
        return nn.relu(_with_zeros(y, shape) + _with_zeros(shortcut, shape))


class DlibResNet(nn.Module, kw_only=True):
    """dlib's network for color faces of 150×150, aligned as its ``get_face_chip_details`` does with a padding of 0.25.

    Conv 7×7/2, affine layer, ReLU; maximum over 3×3/2; five stages of residual blocks (``WIDTHS``, ``BLOCKS``; each but the
    first stage halves the map in its first block), see :class:`PaddedBlock`; mean over the last map; a matrix without bias to
    ``dimension``. No convolution that has a stride pads its map. Images become ``(255 x − MEANS)/256``. Sides from 103 pixels
    on are taken.

    Its distance is the Euclidean one, of embeddings that are not of unit length; dlib takes two faces to be of one person where
    it is below 0.6.

    Activations: ``input`` (the images), ``conv1`` (after affine layer and ReLU), ``pool1``, ``stage1`` … ``stage5``,
    ``embedding``.

    Parameters: 5,614,592 with 128 dimensions.

    Sources: King, dlib-ml: a machine learning toolkit, JMLR 2009, ``dnn_face_recognition_ex.cpp`` of the same, and its
    ``add_prev`` for the sum of maps of two shapes; He et al., Deep residual learning for image recognition, CVPR 2016.
    """

    dimension: int = 128
    """Length of the embedding."""
    normalize: bool = False
    """Scale the embedding to unit length."""
    dtype: Precision = "float32"
    """Compute dtype; parameters and the embedding stay float32."""

    def __post_init__(self) -> None:
        check_fields("DlibResNet", dimension=self.dimension)
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """All layers that have a map, each stage with the window of its blocks' convolutions one after another.

        The shortcuts' windows lie in those of the convolutions, but for the last row and column of a map of even sides.
        """
        layers = [LayerGeometry("conv1", ("input",), 7, 2, needs=7), LayerGeometry("pool1", ("conv1",), 3, 2, needs=3)]
        for stage, count in enumerate(BLOCKS, 1):
            first = (3, 1, 1) if stage == 1 else (3, 2, 0)
            layer = composite(
                f"stage{stage}", (layers[-1].name,), [first, *[(3, 1, 1)] * (2 * count - 1)], 1 if stage == 1 else 3
            )
            layers.append(layer._replace(ceil=stage > 1))
        return tuple(layers)

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch.

        Args:
            images: (b, h, w, 3) in [0, 1], sides of at least 103.
            train: changes nothing; there is no batch normalization.

        Returns:
            Activations by name; ``embedding`` is float32, (b, dimension).

        Raises:
            ValueError: images smaller than 103×103, gray, or not floating point.
        """
        del train
        activations = {"input": rgb(images)}
        check_image("DlibResNet", self.geometry, images)
        x = ((255.0 * activations["input"] - jnp.asarray(MEANS, jnp.float32)) / 256.0).astype(self.dtype)
        x = nn.relu(Affine(name="affine1")(_conv(WIDTHS[0], 7, 2, 0, self.dtype, "conv1")(x)))
        activations["conv1"] = x
        x = activations["pool1"] = max_pool(x, 3, 2)
        for stage, (width, count) in enumerate(zip(WIDTHS, BLOCKS, strict=True), 1):
            for block in range(1, count + 1):
                stride = 2 if stage > 1 and block == 1 else 1
                x = PaddedBlock(width=width, stride=stride, dtype=self.dtype, name=f"stage{stage}_{block}")(x)
            activations[f"stage{stage}"] = x
        x = jnp.mean(x, axis=(1, 2), dtype=jnp.float32).astype(self.dtype)
        x = nn.Dense(self.dimension, use_bias=False, dtype=jnp.dtype(self.dtype), name="dense")(x)
        activations["embedding"] = as_embedding(x, normalize=self.normalize)
        return activations


def _with_zeros(x: Array, shape: tuple[int, ...]) -> Array:
    return jnp.pad(x, [(0, larger - side) for side, larger in zip(x.shape, shape, strict=True)])


def _conv(channels: int, side: int, stride: int, padding: int, dtype: Precision, name: str) -> Convolution:
    return Convolution(
        features=channels,
        side=side,
        stride=stride,
        padding=padding,
        dtype=dtype,
        kernel_init=nn.initializers.variance_scaling(2.0, "fan_in", "normal"),
        name=name,
    )
