"""Inception-v3, whose last pooling FID and ArtFID compare."""

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layer_geometry import LayerGeometry, check_image, composite
from likeness.research.encoders.layers import Images
from likeness.research.encoders.preprocessing import InputNormalization, preprocess, rgb
from likeness.research.ops.convolution import Convolution
from likeness.research.ops.normalization import BatchNorm
from likeness.research.ops.pooling import avg_pool, max_pool
from likeness.research.types import Activations, AnyArray, Array, Float, Precision

EPSILON = 1e-3
"""Of every batch normalization."""
WIDTH = 64
"""Of the published network: what the numbers of channels below are for."""

BlockPooling: TypeAlias = Literal["mean", "mean inside", "maximum"]
"""Over 3×3 pixels; ``mean`` counts zeros beyond the edge, ``mean inside`` only pixels of the map."""

__all__ = ["BLOCKS", "STEM", "BlockColumn", "ConvolutionStep", "InceptionV3", "Mixed", "MixedBlock"]


class ConvolutionStep(NamedTuple):
    """A convolution without bias, batch normalization and ReLU."""

    name: str
    """As torchvision calls it."""
    channels: int
    """That come out, of the published width."""
    window: tuple[int, int] = (1, 1)
    """Rows and columns."""
    stride: int = 1
    """Step between windows."""
    padding: tuple[int, int] = (0, 0)
    """Zeros above and below, and on the left and the right."""


class BlockColumn(NamedTuple):
    """Convolutions one after another, and those that read what comes out, side by side."""

    steps: tuple[ConvolutionStep, ...]
    ends: tuple[ConvolutionStep, ...] = ()


class MixedBlock(NamedTuple):
    """Columns that read the same map, and are concatenated with a pooling of it."""

    columns: tuple[BlockColumn, ...]
    projection: int = 0
    """Channels of the 1×1 convolution after a 3×3 pooling that keeps the size; 0: the maximum every 2 pixels is passed on."""


def _same(name: str, channels: int, rows: int = 1, columns: int = 1) -> ConvolutionStep:
    return ConvolutionStep(name, channels, (rows, columns), 1, (rows // 2, columns // 2))


def _halving(name: str, channels: int) -> ConvolutionStep:
    return ConvolutionStep(name, channels, (3, 3), 2)


def _chain(*steps: ConvolutionStep) -> BlockColumn:
    return BlockColumn(steps)


def _block35(projection: int) -> MixedBlock:
    """torchvision's InceptionA, on maps of 35×35 for images of 299×299."""
    return MixedBlock(
        (
            _chain(_same("branch1x1", 64)),
            _chain(_same("branch5x5_1", 48), _same("branch5x5_2", 64, 5, 5)),
            _chain(_same("branch3x3dbl_1", 64), _same("branch3x3dbl_2", 96, 3, 3), _same("branch3x3dbl_3", 96, 3, 3)),
        ),
        projection,
    )


def _block17(between: int) -> MixedBlock:
    """torchvision's InceptionC, on maps of 17×17: windows of 7×7 as one row and one column after another."""
    seven = _chain(_same("branch7x7_1", between), _same("branch7x7_2", between, 1, 7), _same("branch7x7_3", 192, 7, 1))
    double = _chain(
        _same("branch7x7dbl_1", between),
        _same("branch7x7dbl_2", between, 7, 1),
        _same("branch7x7dbl_3", between, 1, 7),
        _same("branch7x7dbl_4", between, 7, 1),
        _same("branch7x7dbl_5", 192, 1, 7),
    )
    return MixedBlock((_chain(_same("branch1x1", 192)), seven, double), 192)


def _block8() -> MixedBlock:
    """torchvision's InceptionE, on maps of 8×8: two columns end in a row and a column of three, side by side."""
    return MixedBlock(
        (
            _chain(_same("branch1x1", 320)),
            BlockColumn((_same("branch3x3_1", 384),), (_same("branch3x3_2a", 384, 1, 3), _same("branch3x3_2b", 384, 3, 1))),
            BlockColumn(
                (_same("branch3x3dbl_1", 448), _same("branch3x3dbl_2", 384, 3, 3)),
                (_same("branch3x3dbl_3a", 384, 1, 3), _same("branch3x3dbl_3b", 384, 3, 1)),
            ),
        ),
        192,
    )


STEM = (
    ConvolutionStep("conv_1a", 32, (3, 3), 2),
    ConvolutionStep("conv_2a", 32, (3, 3)),
    ConvolutionStep("conv_2b", 64, (3, 3), 1, (1, 1)),
    ConvolutionStep("conv_3b", 80),
    ConvolutionStep("conv_4a", 192, (3, 3)),
)
"""The convolutions before the first block."""
POOLED_AFTER = {"conv_2b": "pool1", "conv_4a": "pool2"}
"""The maximum over 3×3 pixels, every 2 of them, and what it follows."""
BLOCKS = {
    "mixed_5b": _block35(32),
    "mixed_5c": _block35(64),
    "mixed_5d": _block35(64),
    "mixed_6a": MixedBlock(
        (
            _chain(_halving("branch3x3", 384)),
            _chain(_same("branch3x3dbl_1", 64), _same("branch3x3dbl_2", 96, 3, 3), _halving("branch3x3dbl_3", 96)),
        )
    ),
    "mixed_6b": _block17(128),
    "mixed_6c": _block17(160),
    "mixed_6d": _block17(160),
    "mixed_6e": _block17(192),
    "mixed_7a": MixedBlock(
        (
            _chain(_same("branch3x3_1", 192), _halving("branch3x3_2", 320)),
            _chain(
                _same("branch7x7x3_1", 192),
                _same("branch7x7x3_2", 192, 1, 7),
                _same("branch7x7x3_3", 192, 7, 1),
                _halving("branch7x7x3_4", 192),
            ),
        )
    ),
    "mixed_7b": _block8(),
    "mixed_7c": _block8(),
}
"""The blocks in their order, by the names that torchvision and TensorFlow give them."""


class Mixed(nn.Module, kw_only=True):
    """A block of Inception-v3: its columns and its pooling, concatenated in their order."""

    block: MixedBlock
    """What it computes."""
    pooling: BlockPooling = "mean"
    """Of a block that keeps the size."""
    width: int = WIDTH
    """See :class:`InceptionV3`."""
    dtype: Precision = "float32"
    """Compute dtype."""

    @nn.compact
    def __call__(self, x: Float[AnyArray, "b h w c"], train: bool) -> Float[Array, "b h2 w2 d"]:
        """(b, h, w, c) → (b, h, w, d), or (b, ⌊(h - 1)/2⌋, ⌊(w - 1)/2⌋, d) where it pools every 2 pixels."""

        def convolve(y: AnyArray, step: ConvolutionStep) -> Array:
            return _conv_norm_relu(y, step, self.width, self.dtype, train)

        found = []
        for column in self.block.columns:
            y = jnp.asarray(x)
            for step in column.steps:
                y = convolve(y, step)
            found += [convolve(y, step) for step in column.ends] or [y]
        if self.block.projection:
            found.append(convolve(_pooled(x, self.pooling), _same("branch_pool", self.block.projection)))
        else:
            found.append(max_pool(x, 3, 2))
        return jnp.concatenate(found, axis=-1)


class InceptionV3(nn.Module, kw_only=True):
    """Inception-v3 as torchvision has it, up to the mean over its last map, which FID and ArtFID compare.

    Five convolutions with two poolings, eleven blocks of parallel columns, and the mean over the map. Batch normalization with
    ε = 1e-3 and a ReLU follow each convolution. Heads that classify and the auxiliary one are left out.

    ArtFID's network is torchvision's, with two heads for two sets of labels, trained on paintings. Its authors' package
    (art-fid 0.0.2) shows it images in [0, 1] of the size that they have: it neither resizes nor subtracts anything. So do the
    defaults here.

    FID's is TensorFlow's of 2015, as pytorch-fid ported it: it resizes images to 299×299 by linear interpolation between the
    nearest four pixels, whatever their proportions, maps them to [-1, 1], and pools otherwise. That is
    ``InceptionV3(pooling="fid", preprocessing="signed", size=(299, 299))``.

    Activations: ``input``, the images as they came; ``conv_1a conv_2a conv_2b pool1 conv_3b conv_4a pool2``, the convolutions'
    after their ReLU; ``mixed_5b`` … ``mixed_7c``; ``avgpool``, float32 (b, 2048).

    Parameters: 21,785,568.

    Papers: Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016; Heusel et al., GANs trained by
    a two time-scale update rule converge to a local Nash equilibrium, NeurIPS 2017; Wright and Ommer, ArtFID: quantitative
    evaluation of neural style transfer, GCPR 2022.
    """

    pooling: Literal["torchvision", "fid"] = "torchvision"
    """How blocks pool that keep the size. torchvision: the mean over 3×3 pixels, zeros beyond the edge among them. fid: the
    mean over those inside the map, and in ``mixed_7c`` the maximum."""
    preprocessing: InputNormalization = "unit"
    """unit: RGB in [0, 1], for ArtFID's weights. signed: RGB in [-1, 1], for FID's. torchvision: ImageNet's mean and
    deviation."""
    size: tuple[int, int] | None = None
    """Height and width that images are resized to first; None leaves them as they are."""
    width: int = WIDTH
    """Channels of ``conv_2b``; those of all other layers are in proportion. A multiple of 4; 64 is the published network."""
    dtype: Precision = "float32"
    """Compute dtype; parameters, statistics, the preprocessing and ``avgpool`` stay float32."""

    def __post_init__(self) -> None:
        if self.width < 4 or self.width % 4:
            raise ValueError(f"InceptionV3.width is {self.width}; give a multiple of 4, such as the published 64.")
        if self.size is not None and min(self.size) < 75:
            raise ValueError(f"InceptionV3.size is {self.size}; give a height and a width of at least 75 pixels, or None.")
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """Every layer but the mean over the map, with kernel, stride and padding; of a block, those of its widest column.

        Where images are resized first, the layers lie over what that gives, and there is no geometry: it is empty.
        """
        return tuple(self._layers()) if self.size is None else ()

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch of images.

        Args:
            images: (b, h, w, 3), RGB in [0, 1].
            train: normalize by the batch's statistics and update the running ones (needs ``mutable=["batch_stats"]``).

        Returns:
            Activations by name, (b, h, w, c) but for ``avgpool``.

        Raises:
            ValueError: images smaller than 75×75 that are not resized, not RGB, or not floating point.
        """
        activations: Activations = {"input": rgb(images)}
        check_image("InceptionV3", self.geometry, images)
        seen = images
        if self.size is not None:
            seen = jax.image.resize(rgb(images), (images.shape[0], *self.size, 3), "linear", antialias=False)
        x = preprocess(seen, self.preprocessing).astype(self.dtype)
        for step in STEM:
            x = activations[step.name] = _conv_norm_relu(x, step, self.width, self.dtype, train)
            if pool := POOLED_AFTER.get(step.name):
                x = activations[pool] = max_pool(x, 3, 2)
        for name, block in BLOCKS.items():
            pooling = self._pooling(name)
            mixed = Mixed(block=block, pooling=pooling, width=self.width, dtype=self.dtype, name=name)
            x = activations[name] = mixed(x, train)
        activations["avgpool"] = jnp.mean(x, axis=(1, 2), dtype=jnp.float32)
        return activations

    def _pooling(self, block: str) -> BlockPooling:
        if self.pooling == "torchvision":
            return "mean"
        return "maximum" if block == "mixed_7c" else "mean inside"

    def _layers(self) -> Iterator[LayerGeometry]:
        before = "input"
        for step in STEM:
            yield LayerGeometry(
                step.name, (before,), step.window[0], step.stride, step.padding[0], needs=step.window[0] - 2 * step.padding[0]
            )
            before = step.name
            if pool := POOLED_AFTER.get(step.name):
                yield LayerGeometry(pool, (before,), 3, 2, needs=3)
                before = pool
        for name, block in BLOCKS.items():
            needs = 1 if block.projection else 3
            chains = [[*column.steps, *end] for column in block.columns for end in ([[e] for e in column.ends] or [[]])]
            windows = [
                [(step.window[axis], step.stride, step.padding[axis]) for step in chain] for chain in chains for axis in (0, 1)
            ]
            yield max((composite(name, (before,), each, needs) for each in windows), key=lambda layer: layer.kernel)
            before = name


def _conv_norm_relu(x: AnyArray, step: ConvolutionStep, width: int, dtype: Precision, train: bool) -> Array:
    """Convolution, batch normalization, ReLU; to be called inside a compact method."""
    features, (rows, columns), (tall, wide) = step.channels * width // WIDTH, step.window, step.padding
    if rows == columns:
        convolution = Convolution(
            features=features,
            side=rows,
            stride=step.stride,
            padding=tall,
            use_bias=False,
            dtype=dtype,
            name=step.name,
        )
    else:
        # Of a window that is no square there is none of ours.
        convolution = nn.Conv(
            features,
            step.window,
            step.stride,
            [(tall, tall), (wide, wide)],
            use_bias=False,
            dtype=jnp.dtype(dtype),
            name=step.name,
        )
    norm = BatchNorm(train=train, epsilon=EPSILON, dtype=dtype, name=f"{step.name}_norm")
    return nn.relu(norm(convolution(jnp.asarray(x))))


def _pooled(x: AnyArray, pooling: BlockPooling) -> Array:
    match pooling:
        case "mean":
            return avg_pool(x, 3, 1, 1)
        case "maximum":
            return max_pool(x, 3, 1, 1)
        case "mean inside":
            # The share of each window that lies inside the map.
            return avg_pool(x, 3, 1, 1) / avg_pool(jnp.ones((1, *x.shape[1:3], 1), x.dtype), 3, 1, 1)
