"""A detector of one's own: an encoder, a head, and the canvas that they were trained on."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from likeness.research.detectors.heads import DetectionHead
from likeness.research.detectors.protocol import Candidates
from likeness.research.errors import UserError
from likeness.research.geometry.placement import Placement, Size
from likeness.research.geometry.suppression import Suppression
from likeness.research.geometry.transforms import Letterbox
from likeness.research.types import Array, ImagesFloat, ImagesUint8, PyTree

__all__ = ["LearnedDetector", "maps_of"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearnedDetector:
    """A :class:`~likeness.research.detectors.DetectionModel` of an encoder and a head.

    Its variables are ``{"encoder": …, "head": …}``, each with ``params`` and what else the module has.
    """

    encoder: nn.Module
    """Turns images into named activations."""
    head: DetectionHead
    """What reads some of them."""
    size: Size
    """Height and width of the canvas."""
    class_names: tuple[str, ...]
    """The name of each class, in their order."""
    suppression: Suppression = Suppression(score_threshold=0.3)
    """What is left out of the candidates."""
    fill: int = 114
    """The value of those pixels of the canvas that show no image."""

    def placement(self, size: Size) -> Placement:
        """By a letterbox."""
        return Letterbox(size=self.size).placement(size)

    def candidates(self, variables: PyTree, canvases: ImagesUint8) -> Candidates:
        """What the head means by what it says of the encoder's maps."""
        said = self.say(variables, jnp.asarray(canvases).astype(jnp.float32) / 255)
        return self.head.candidates(said, self.size)

    def say(self, variables: PyTree, images: ImagesFloat) -> Sequence[Array]:
        """What the head says of images in [0, 1]."""
        activations = self.encoder.apply(variables["encoder"], images, train=False)
        network = self.head.network(len(self.class_names))
        said: Any = network.apply(variables["head"], maps_of(self.encoder, self.head, activations), train=False)
        return said


def maps_of(encoder: nn.Module, head: DetectionHead, activations: Any) -> list[Array]:
    """The activations that a head reads.

    Raises:
        UserError: the encoder has none of that name, or it is no map.
    """
    name = type(encoder).__name__
    found = activations if isinstance(activations, Mapping) else {}
    for wanted in head.maps:
        if wanted not in found or found[wanted].ndim != 4:
            have = ", ".join(each for each, value in found.items() if value.ndim == 4) or "none"
            raise UserError(
                f"{type(head).__name__}.maps asks for {wanted!r}, and {name} has no such map, only {have}: name one of these."
            )
    return [found[wanted] for wanted in head.maps]
