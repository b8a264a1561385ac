"""A network that classifies crops, and the same network as one that answers for all windows of an image."""

from typing import Literal, TypeAlias

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.checks import check_choice
from likeness.research.encoders.layer_geometry import LayerGeometry, map_sides, smallest_side
from likeness.research.encoders.layers import Images, check_fields, check_size, standardize
from likeness.research.geometry.windows import as_convolution
from likeness.research.ops.convolution import Convolution, convolve
from likeness.research.ops.pooling import max_pool
from likeness.research.types import Activations, Array, Float

__all__ = ["WindowForm", "WindowNetwork"]

WindowForm: TypeAlias = Literal["crops", "convolutional"]
"""How a network reads images: each is one crop, or each is whole and all of its windows are answered for."""


class WindowNetwork(nn.Module, kw_only=True):
    """Convolutions without padding, each with a ReLU and perhaps a max pooling, then dense layers with a ReLU.

    With the form ``crops`` a dense layer reads a flattened map, and an image is one crop. With the form ``convolutional`` it is
    the convolution that :func:`~likeness.research.geometry.as_convolution` makes of it, and the answer at (i, j) is that of the
    crop at (i s, j s), with s the :attr:`stride`. The parameters are those of the other form, number by number. There is no
    normalization: statistics of a batch or of an image would set the two forms apart.

    The defaults are the course's network: 14 × 14 × 3, by 5×5 to 10 × 10 × 16, by pooling to 5 × 5 × 16, and twice 400.

    Activations: ``conv1 relu1 pool1`` (where there is pooling) ``conv2 …``, ``dense1 dense2 …`` after their ReLUs, and for
    crops ``embedding``, the last of these.
    """

    window: int = 14
    """Side of a crop in pixels."""
    widths: tuple[int, ...] = (16,)
    """Filters of each convolution."""
    sides: tuple[int, ...] = (5,)
    """Side of the filters of each convolution."""
    pools: tuple[int, ...] = (2,)
    """Side of the disjoint windows of the max pooling after each convolution; 1 for none."""
    hidden: tuple[int, ...] = (400, 400)
    """Numbers of each dense layer."""
    form: WindowForm = "crops"
    """How images are read."""

    def __post_init__(self) -> None:
        check_fields("WindowNetwork", window=self.window)
        check_choice("WindowNetwork", "form", self.form, WindowForm)
        counts = {len(self.widths), len(self.sides), len(self.pools)}
        if len(counts) > 1 or not self.widths or not self.hidden:
            raise ValueError(
                f"WindowNetwork: widths is {self.widths}, sides {self.sides} and pools {self.pools}, hidden {self.hidden}: "
                "give one of each of the first three for every convolution, and the numbers of at least one dense layer."
            )
        if min(*self.widths, *self.sides, *self.pools, *self.hidden) < 1:
            raise ValueError(
                f"WindowNetwork: widths is {self.widths}, sides {self.sides}, pools {self.pools} and hidden {self.hidden}: "
                "every number must be at least 1."
            )
        smallest = smallest_side(self._convolutions)
        if self.window < smallest:
            raise ValueError(
                f"WindowNetwork.window is {self.window}, and its convolutions need crops of at least {smallest} pixels."
            )
        super().__post_init__()

    @property
    def stride(self) -> int:
        """s, the pixels from one window to the next."""
        stride = 1
        for pool in self.pools:
            stride *= pool
        return stride

    @property
    def seen(self) -> int:
        """Side of the map that the first dense layer reads of a crop."""
        return map_sides(self._convolutions, self.window)[self._convolutions[-1].name]

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """The layers in the order in which they are computed, dense ones as convolutions."""
        layers, seen = list(self._convolutions), self.seen
        for index in range(1, len(self.hidden) + 1):
            side = seen if index == 1 else 1
            layers.append(LayerGeometry(f"dense{index}", (layers[-1].name,), kernel=side, needs=side))
        return tuple(layers)

    @property
    def _convolutions(self) -> tuple[LayerGeometry, ...]:
        layers, last = [], "input"
        for index, (side, pool) in enumerate(zip(self.sides, self.pools, strict=True), 1):
            layers += [
                LayerGeometry(f"conv{index}", (last,), kernel=side, needs=side),
                LayerGeometry(f"relu{index}", (f"conv{index}",)),
            ]
            last = f"relu{index}"
            if pool > 1:
                layers.append(LayerGeometry(f"pool{index}", (last,), kernel=pool, stride=pool, needs=pool))
                last = f"pool{index}"
        return tuple(layers)

    def multiplications(self, height: int, width: int, channels: int = 3) -> dict[str, int]:
        """How many multiplications each layer takes for an image of this size, as one pass; of a window's size, for a crop.

        Args:
            height: of the image.
            width: of the image.
            channels: of the image.

        Example:
            >>> WindowNetwork().multiplications(14, 14)
            {'conv1': 120000, 'dense1': 160000, 'dense2': 160000}
        """
        filters = {f"conv{index}": width for index, width in enumerate(self.widths, 1)}
        filters |= {f"dense{index}": width for index, width in enumerate(self.hidden, 1)}
        rows, columns = map_sides(self.geometry, height), map_sides(self.geometry, width)
        counts = {}
        for layer in self.geometry:
            if layer.name in filters:
                counts[layer.name] = rows[layer.name] * columns[layer.name] * layer.kernel**2 * channels * filters[layer.name]
                channels = filters[layer.name]
        return counts

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Answers for crops, or for all windows of images.

        Args:
            images: in [0, 1]: crops (b, window, window, c), or images (b, h, w, c) that are at least as large.
            train: without effect, the network has no state.

        Returns:
            Activations by name; the dense ones are (b, n) for crops and (b, rows, columns, n) for images.

        Raises:
            ValueError: crops of another size, images smaller than a window, or not floating point.
        """
        del train
        crops = self.form == "crops"
        x = standardize(images, "float32", signed=True)
        if crops and images.shape[1:3] != (self.window, self.window):
            raise ValueError(
                f"WindowNetwork: a crop has {self.window}×{self.window} pixels, and these have "
                f'{images.shape[1]}×{images.shape[2]}. Cut crops, or set form="convolutional".'
            )
        check_size("WindowNetwork", "dense1", x, self.window, images, self.window)
        activations = {}
        for index, (width, side, pool) in enumerate(zip(self.widths, self.sides, self.pools, strict=True), 1):
            x = activations[f"conv{index}"] = Convolution(features=width, side=side, padding=0, name=f"conv{index}")(x)
            x = activations[f"relu{index}"] = nn.relu(x)
            if pool > 1:
                x = activations[f"pool{index}"] = max_pool(x, pool)
        for index, width in enumerate(self.hidden, 1):
            seen = self.seen if index == 1 else 1
            layer = _WindowDense(features=width, seen=seen, form=self.form, name=f"dense{index}")
            x = activations[f"dense{index}"] = nn.relu(layer(x))
        if crops:
            activations["embedding"] = x
        return activations


class _WindowDense(nn.Module, kw_only=True):
    """``flax.linen.Dense`` on a flattened map, or the convolution that it is. Parameters: ``kernel``, ``bias``."""

    features: int
    seen: int
    """Side of the map that it reads."""
    form: WindowForm

    @nn.compact
    def __call__(self, x: Array) -> Float[Array, "..."]:
        shape = (self.seen**2 * x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,), jnp.float32)
        if self.form == "crops":
            return x.reshape(x.shape[0], -1) @ kernel + bias
        return convolve(x, as_convolution(kernel, self.seen)) + bias
