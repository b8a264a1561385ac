"""LPIPS as a config names it: a network, its published weights, and those of its channels."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from likeness.experiments.frozen import FrozenEncoder
from likeness.research.data.paths import expand_path, printable
from likeness.research.encoders import Vgg
from likeness.research.errors import UserError
from likeness.research.metrics.perceptual import perceptual_distance
from likeness.research.types import Array, PyTree, Scalar
from likeness.research.weights import Pretrained
from likeness.research.weights.readers import read


@dataclasses.dataclass(frozen=True, kw_only=True)
class Perceptual:
    """LPIPS (Zhang et al. 2018), where its weights are at hand: those of the network and those of its channels.

    Neither comes with this project. The network's are VGG-16's of torchvision; the channels' are in the authors' repository
    (``lpips/weights/v0.1/vgg.pth``, 7 KB), with one array (1, c, 1, 1) a layer, in order.
    """

    linear: str
    """The file with the weights of the channels."""
    encoder: FrozenEncoder = FrozenEncoder(
        encoder=Vgg(convolutions=(2, 2, 3, 3, 3), preprocessing="torchvision"), weights=Pretrained(name="vgg16")
    )
    """The network and its weights."""
    layers: tuple[str, ...] = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
    """The layers that the channels' weights belong to, in their order in the file."""

    def variables(self) -> PyTree:
        """The network's weights and those of the channels, by layer.

        Raises:
            UserError: they cannot be had, or are not one array for each layer.
        """
        path = expand_path(self.linear)
        arrays = [np.asarray(array, np.float32) for _, array in sorted(read(path).items())]
        if len(arrays) != len(self.layers) or any(array.size != max(array.shape, default=0) for array in arrays):
            raise UserError(
                f"{printable(path)} holds arrays of the shapes {', '.join(str(array.shape) for array in arrays)}, and LPIPS at "
                f"{', '.join(self.layers)} needs one for each, of one weight a channel: give the file for that network."
            )
        linear = {layer: jnp.asarray(array.reshape(-1)) for layer, array in zip(self.layers, arrays, strict=True)}
        return {"encoder": self.encoder.variables(), "linear": linear}

    def __call__(self, variables: PyTree, image: Array, reference: Array) -> Scalar:
        """The distance of an image (1, h, w, 3), RGB in [0, 1], from a reference."""
        ours, theirs = (self.encoder(variables["encoder"], each) for each in (image, reference))
        return perceptual_distance(ours, theirs, variables["linear"])[0]
