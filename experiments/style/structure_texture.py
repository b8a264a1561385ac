"""DISTS as a config names it: VGG-16 with Hann's poolings, and the authors' weights of its channels."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from likeness.experiments.frozen import FrozenEncoder
from likeness.research.data.paths import expand_path, printable
from likeness.research.encoders import Vgg
from likeness.research.errors import UserError
from likeness.research.metrics.dists import DistsWeights, dists
from likeness.research.types import Array, PyTree, Scalar
from likeness.research.weights import Pretrained
from likeness.research.weights.readers import read


@dataclasses.dataclass(frozen=True, kw_only=True)
class StructureTexture:
    """DISTS (Ding et al. 2020), where its weights are at hand: VGG-16's and the authors' of its channels.

    Neither comes with this project: ``likeness weights fetch vgg16``, and ``DISTS_pytorch/weights.pt`` of the authors'
    repository (35 KB), whose arrays ``alpha`` and ``beta`` have a number for each of the 1,475 channels of all layers in order.
    That file was not at hand here, so no published value has been compared: the formula and the network are tested against
    float64, with drawn weights.
    """

    weights: str
    """The file with ``alpha`` and ``beta``."""
    encoder: FrozenEncoder = FrozenEncoder(
        encoder=Vgg(convolutions=(2, 2, 3, 3, 3), pooling="hann", preprocessing="torchvision"),
        weights=Pretrained(name="vgg16"),
    )
    """The network and its weights."""
    layers: tuple[str, ...] = ("input", "relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
    """The layers that the channels belong to, in their order in the file; ``input`` is the image itself."""

    def variables(self) -> PyTree:
        """The network's weights and those of the channels, by layer.

        Raises:
            UserError: they cannot be had, or are not one for each channel.
        """
        path = expand_path(self.weights)
        arrays = {name.rpartition(".")[2]: np.asarray(array, np.float32).reshape(-1) for name, array in read(path).items()}
        encoder = self.encoder.variables()
        counts = {name: each.shape[-1] for name, each in self._read(encoder, jnp.zeros((1, 64, 64, 3))).items()}
        needed = sum(counts.values())
        found = {name: len(array) for name, array in arrays.items()}
        if found != {"alpha": needed, "beta": needed}:
            told = ", ".join(f"{name} of {count}" for name, count in found.items()) or "no array"
            raise UserError(
                f"{printable(path)} holds {told}, and DISTS needs alpha and beta of {needed} numbers, one for each channel of "
                f"{', '.join(self.layers)}."
            )
        ends = np.cumsum(list(counts.values()))[:-1]
        split = {
            name: {layer: jnp.asarray(part) for layer, part in zip(counts, np.split(arrays[name], ends), strict=True)}
            for name in arrays
        }
        return {"encoder": encoder, "channels": DistsWeights(split["alpha"], split["beta"])}

    def __call__(self, variables: PyTree, image: Array, reference: Array) -> Scalar:
        """The distance of an image (1, h, w, 3), RGB in [0, 1], from a reference."""
        ours, theirs = (self._read(variables["encoder"], each) for each in (image, reference))
        return dists(ours, theirs, variables["channels"])[0]

    def _read(self, weights: PyTree, image: Array) -> dict[str, Array]:
        activations = {"input": image, **self.encoder(weights, image)}
        return {layer: activations[layer] for layer in self.layers}
