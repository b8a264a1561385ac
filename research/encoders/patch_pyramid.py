"""A small residual network that begins with patches and ends in a pyramid of maps, for detectors that learn on a CPU."""

from typing import Any

from flax import linen as nn

from likeness.research.encoders.layer_geometry import LayerGeometry, composite
from likeness.research.encoders.layers import Images, batch_norm, check_fields, check_multiples
from likeness.research.encoders.preprocessing import rgb
from likeness.research.ops.convolution import Convolution
from likeness.research.ops.pooling import enlarge
from likeness.research.types import Activations, AnyArray, Array, Float, Precision

__all__ = ["PatchPyramid"]


class PatchPyramid(nn.Module, kw_only=True):
    """Patches, stages of residual blocks, each at half the resolution of the one before, and a path back to the finest.

    Each ``patch``×``patch`` square of pixels becomes ``widths[0]`` channels, and each 2×2 square of a stage's map those of the
    next: products of matrices, of which processors are fond. A stage goes on with a 3×3 convolution, the first, or not, the
    others, and ``blocks`` residual blocks of two 3×3 convolutions (He et al. 2016). The coarsest map of the pyramid is the last
    stage's by a 1×1 convolution; each finer one is the stage's by a 1×1 convolution plus the coarser one enlarged, and a 3×3
    convolution of both (Lin et al. 2017). Batch normalization and ReLU follow every convolution.

    Activations: ``input``; ``patches``; for each stride ``stage4 stage8 …`` and, where there is a pyramid, ``pyramid4 pyramid8
    …``, all of ``pyramid_width`` channels.

    Parameters: 568,608 with the default fields.

    Papers: He et al., Deep residual learning for image recognition, CVPR 2016; Lin et al., Feature pyramid networks for object
    detection, CVPR 2017.
    """

    patch: int = 4
    """Side of a patch in pixels, the stride of the finest map."""
    widths: tuple[int, ...] = (48, 96)
    """Channels of the stages, finest first."""
    blocks: tuple[int, ...] = (0, 3)
    """Residual blocks of each stage."""
    pyramid_width: int | None = 48
    """Channels of the pyramid's maps; None for a network without a pyramid, whose stages alone are read."""
    dtype: Precision = "float32"
    """Compute dtype; parameters and statistics stay float32."""

    def __post_init__(self) -> None:
        check_fields("PatchPyramid", patch=self.patch)
        if self.pyramid_width is not None:
            check_fields("PatchPyramid", pyramid_width=self.pyramid_width)
        if not self.widths or min(self.widths) < 1 or len(self.blocks) != len(self.widths) or min(self.blocks) < 0:
            raise ValueError(
                f"PatchPyramid: widths is {self.widths} and blocks {self.blocks}: give as many of one as of the other, widths "
                "of at least 1 and blocks of at least 0."
            )
        super().__post_init__()

    @property
    def strides(self) -> tuple[int, ...]:
        """Of the stages' maps, and of the pyramid's, finest first."""
        return tuple(self.patch * 2**stage for stage in range(len(self.widths)))

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """The layers of the stages; in the pyramid maps of several strides are added."""
        layers = [LayerGeometry("patches", ("input",), self.patch, self.patch, needs=self.patch)]
        for stage, (stride, blocks) in enumerate(zip(self.strides, self.blocks, strict=True)):
            first = (3, 1, 1) if stage == 0 else (2, 2, 0)
            layers.append(composite(f"stage{stride}", (layers[-1].name,), [first, *[(3, 1, 1)] * (2 * blocks)]))
        return tuple(layers)

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
        activations = {"input": rgb(images)}
        check_multiples("PatchPyramid", images, self.strides[-1])
        x = _squares((2 * activations["input"] - 1).astype(self.dtype), self.patch)
        x = activations["patches"] = self._layer(x, self.widths[0], 1, "patches", train)
        for stage, (stride, width, blocks) in enumerate(zip(self.strides, self.widths, self.blocks, strict=True)):
            if stage == 0:
                x = self._layer(x, width, 3, f"stage{stride}_in", train)
            else:
                x = self._layer(_squares(x, 2), width, 1, f"stage{stride}_in", train)
            for block in range(1, blocks + 1):
                y = self._layer(x, width, 3, f"stage{stride}_block{block}a", train)
                x = nn.relu(x + self._layer(y, width, 3, f"stage{stride}_block{block}b", train, relu=False))
            activations[f"stage{stride}"] = x
        if self.pyramid_width is None:
            return activations
        coarser = None
        for stride in reversed(self.strides):
            x = self._layer(activations[f"stage{stride}"], self.pyramid_width, 1, f"pyramid{stride}_in", train)
            if coarser is not None:
                x = self._layer(x + enlarge(coarser), self.pyramid_width, 3, f"pyramid{stride}", train)
            coarser = activations[f"pyramid{stride}"] = x
        return activations

    def _layer(self, x: Array, width: int, side: int, name: str, train: bool, *, relu: bool = True) -> Array:
        x = Convolution(features=width, side=side, padding=side // 2, use_bias=False, dtype=self.dtype, name=name)(x)
        x = batch_norm(f"{name}_norm", self.dtype, train=train)(x)
        return nn.relu(x) if relu else x


def _squares(x: Float[AnyArray, "b h w c"], side: int) -> Any:
    """The values of each square of pixels in its channels: (b, h/side, w/side, side² c)."""
    images, height, width, channels = x.shape
    rows, columns = height // side, width // side
    x = x.reshape(images, rows, side, columns, side, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(images, rows, columns, side * side * channels)
