"""YuNet, a face detector of 75,856 parameters that also says where eyes, nose and mouth are."""

import itertools

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layer_geometry import LayerGeometry, composite
from likeness.research.encoders.layers import Images, batch_norm, check_fields, check_multiples
from likeness.research.encoders.preprocessing import rgb
from likeness.research.ops.convolution import Convolution, convolve
from likeness.research.ops.depthwise import Depthwise, convolve_depthwise
from likeness.research.ops.pooling import enlarge, max_pool
from likeness.research.types import Activations, AnyArray, Array, Float, Precision

STRIDES = (8, 16, 32)
"""Of the maps that have heads."""

__all__ = ["STRIDES", "YuNet"]


class YuNet(nn.Module, kw_only=True):
    """YuNet-n, or with ``widths=(16, 32, 64, 64, 64, 64)`` and ``shared=0`` YuNet-s.

    A convolution 3×3/2; then pairs of units, a unit being a 1×1 convolution, a depthwise 3×3 one, batch normalization and ReLU;
    a max pooling 2×2 after stages 0, 2, 3 and 4. The maps of the last three stages, at strides 8, 16 and 32, get a unit each,
    and those of the finer two also what the coarser one made, each pixel repeated four times. Each map has its own heads:
    perhaps shared units, and then a 1×1 and a depthwise 3×3 convolution each.

    Activations: ``input`` (the images), ``conv0``, ``stage0`` … ``stage5``, ``neck8``, ``neck16``, ``neck32``, and for each of
    these strides what its heads say of each cell, float32, without a sigmoid: ``classes8`` (b, h/8, w/8, 1), ``objectness8``
    (…, 1), ``boxes8`` (…, 4) and ``landmarks8`` (…, 2·points).

    Parameters: 75,856; YuNet-s has 54,608.

    Paper: Wu et al., YuNet: a tiny millisecond-level face detector, Machine Intelligence Research 2023.
    """

    widths: tuple[int, ...] = (16, 64, 64, 64, 64, 64)
    """Channels of the six stages; the neck and the heads have as many as the last."""
    shared: int = 1
    """Units that the heads of a map share."""
    points: int = 5
    """Landmarks of a face."""
    dtype: Precision = "float32"
    """Compute dtype; parameters, statistics and what the heads say stay float32."""

    def __post_init__(self) -> None:
        check_fields("YuNet", points=self.points)
        if len(self.widths) != 6 or min(self.widths) < 1 or len(set(self.widths[3:])) > 1 or self.shared < 0:
            raise ValueError(
                f"YuNet: widths is {self.widths} and shared {self.shared}: give six widths of at least 1, the last three "
                "alike, and 0 or more shared units."
            )
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """The layers of the backbone; behind it maps of several strides are added."""
        layers = [LayerGeometry("conv0", ("input",), 3, 2, 1), LayerGeometry("stage0", ("conv0",), 3, 1, 1)]
        for stage in range(1, len(self.widths)):
            pooling = [(2, 2, 0)] if stage != 2 else []
            layers.append(composite(f"stage{stage}", (layers[-1].name,), [*pooling, (3, 1, 1), (3, 1, 1)]))
        return tuple(layers)

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch of images.

        Args:
            images: (b, h, w, 3), RGB in [0, 1], sides multiples of 32.
            train: normalize by the batch's statistics and update the running ones (needs ``mutable=["batch_stats"]``).

        Returns:
            Activations by name.

        Raises:
            ValueError: images of other sides, not RGB, or not floating point.
        """
        activations = {"input": rgb(images)}
        check_multiples("YuNet", images, STRIDES[-1])
        # The weights were trained on BGR · 255.
        x = (255.0 * activations["input"]).astype(self.dtype)
        x = Convolution(features=self.widths[0], stride=2, padding=1, input_order="reversed", dtype=self.dtype, name="conv0")(x)
        x = activations["conv0"] = nn.relu(batch_norm("conv0_norm", self.dtype, train=train)(x))
        x = activations["stage0"] = self._unit(x, self.widths[0], "stage0", train)
        for stage, width in enumerate(self.widths[1:], 1):
            x = x if stage == 2 else max_pool(x, 2)
            x = self._unit(x, x.shape[-1], f"stage{stage}_1", train)
            x = activations[f"stage{stage}"] = self._unit(x, width, f"stage{stage}_2", train)
        coarser = None
        for stride, stage in reversed(list(zip(STRIDES, (3, 4, 5), strict=True))):
            x = activations[f"stage{stage}"]
            x = x if coarser is None else x + enlarge(coarser)
            x = coarser = activations[f"neck{stride}"] = self._unit(x, self.widths[-1], f"neck{stride}", train)
            for number in range(1, self.shared + 1):
                x = self._unit(x, self.widths[-1], f"shared{stride}_{number}", train)
            said = _Heads(points=self.points, name=f"heads{stride}")(x)
            activations |= {f"{head}{stride}": value for head, value in said.items()}
        return activations

    def _unit(self, x: Array, width: int, name: str, train: bool) -> Array:
        x = Convolution(features=width, side=1, dtype=self.dtype, name=f"{name}_pointwise")(x)
        x = Depthwise(side=3, padding=1, use_bias=True, dtype=self.dtype, name=f"{name}_depthwise")(x)
        return nn.relu(batch_norm(f"{name}_norm", self.dtype, train=train)(x))


class _Heads(nn.Module, kw_only=True):
    """A 1×1 and a depthwise 3×3 convolution for each head, computed for all heads at once.

    A product of matrices with one or four columns takes nearly as long as one with sixteen.
    """

    points: int

    @nn.compact
    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Activations:
        """What each head says, (b, h, w, …), float32."""
        channels = {"classes": 1, "objectness": 1, "boxes": 4, "landmarks": 2 * self.points}
        shapes = {
            "pointwise_kernel": lambda count: (1, 1, x.shape[-1], count),
            "pointwise_bias": lambda count: (count,),
            "depthwise_kernel": lambda count: (3, 3, 1, count),
            "depthwise_bias": lambda count: (count,),
        }
        draws = {"kernel": nn.initializers.lecun_normal(), "bias": nn.initializers.zeros_init()}
        joined = {
            part: jnp.concatenate(
                [
                    self.param(f"{head}_{part}", draws[part.split("_")[1]], shape(count), jnp.float32)
                    for head, count in channels.items()
                ],
                axis=-1,
            )
            for part, shape in shapes.items()
        }
        y = convolve(x.astype(jnp.float32), joined["pointwise_kernel"]) + joined["pointwise_bias"]
        y = convolve_depthwise(y, joined["depthwise_kernel"][:, :, 0], 1, 1) + joined["depthwise_bias"]
        *ends, _ = itertools.accumulate(channels.values())
        return dict(zip(channels, jnp.split(y, ends, axis=-1), strict=True))
