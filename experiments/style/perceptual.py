"""LPIPS as a config names it: a network, its published weights, and those of its channels."""

import dataclasses
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np

from likeness.experiments.frozen import FrozenEncoder
from likeness.research.data.paths import expand_path, printable
from likeness.research.encoders import AlexNet, Vgg
from likeness.research.errors import UserError
from likeness.research.metrics.perceptual import perceptual_distance
from likeness.research.types import Array, PyTree, Scalar
from likeness.research.weights import Pretrained, named
from likeness.research.weights.readers import read

LpipsNetwork: TypeAlias = Literal["vgg", "alex"]


class _Published(NamedTuple):
    encoder: FrozenEncoder
    layers: tuple[str, ...]


# Of both, what LPIPS subtracts and divides by is ImageNet's mean and deviation, said of images in [-1, 1].
_PUBLISHED: dict[LpipsNetwork, _Published] = {
    "vgg": _Published(
        FrozenEncoder(encoder=Vgg(convolutions=(2, 2, 3, 3, 3), preprocessing="torchvision"), weights=Pretrained(name="vgg16")),
        ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
    ),
    "alex": _Published(
        FrozenEncoder(encoder=AlexNet(), weights=Pretrained(name="alexnet")), ("relu1", "relu2", "relu3", "relu4", "relu5")
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Perceptual:
    """LPIPS v0.1 (Zhang et al. 2018), where its weights are at hand: those of the network and those of its channels.

    Neither comes with this project: ``likeness weights fetch vgg16 lpips_vgg``, or ``alexnet lpips_alex``. On the three example
    images of its authors it is their value to 1e-5. It has no unit; 0 is the same image, and most pairs of unlike photographs
    have 0.5 to 0.8.
    """

    network: LpipsNetwork = "vgg"
    """vgg is VGG-16, which its authors call closer to a loss that images are made by; alex is AlexNet, which they recommend for
    comparing images, and which is eight times as fast. Values of the two do not compare."""
    linear: str | None = None
    """The file with the weights of the channels: one array (1, c, 1, 1) a layer, in order. None for the published ones."""
    encoder: FrozenEncoder | None = None
    """The network and its weights; None for the published one."""
    layers: tuple[str, ...] = ()
    """The layers that the channels' weights belong to, in their order in the file; () for the published ones."""

    def variables(self) -> PyTree:
        """The network's weights and those of the channels, by layer.

        Raises:
            UserError: they cannot be had, or are not one array for each layer.
        """
        layers, path = self.layers or _PUBLISHED[self.network].layers, self._file()
        arrays = [np.asarray(array, np.float32) for _, array in sorted(read(path).items())]
        if len(arrays) != len(layers) or any(array.size != max(array.shape, default=0) for array in arrays):
            raise UserError(
                f"{printable(path)} holds arrays of the shapes {', '.join(str(array.shape) for array in arrays)}, and LPIPS at "
                f"{', '.join(layers)} needs one for each, of one weight a channel: give the file for that network."
            )
        linear = {layer: jnp.asarray(array.reshape(-1)) for layer, array in zip(layers, arrays, strict=True)}
        return {"encoder": self._encoder.variables(), "linear": linear}

    def __call__(self, variables: PyTree, image: Array, reference: Array) -> Scalar:
        """The distance of an image (1, h, w, 3), RGB in [0, 1], from a reference."""
        ours, theirs = (self._encoder(variables["encoder"], each) for each in (image, reference))
        return perceptual_distance(ours, theirs, variables["linear"])[0]

    @property
    def _encoder(self) -> FrozenEncoder:
        return self.encoder or _PUBLISHED[self.network].encoder

    def _file(self) -> Path:
        if self.linear is not None:
            return expand_path(self.linear)
        heads = named(f"lpips_{self.network}")
        found = heads.find()
        if found is None:
            raise UserError(f"The weights {heads.name} are not on this machine: {heads.how_to_get()}")
        heads.verify(found)
        return found
