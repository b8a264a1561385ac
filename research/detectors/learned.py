"""A detector of one's own: an encoder, a head, and the canvas that they were trained on."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from likeness.research.detectors.heads import DetectionHead
from likeness.research.detectors.protocol import Candidates, Regions, with_channels
from likeness.research.detectors.regions import Learning, RegionHead, Sight, searched
from likeness.research.errors import UserError
from likeness.research.geometry.placement import Placement, Size
from likeness.research.geometry.suppression import Suppression
from likeness.research.geometry.transforms import Letterbox
from likeness.research.types import Array, ImagesFloat, ImagesUint8, PyTree

__all__ = ["LearnedDetector", "Looked", "look", "maps_of"]


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
    channels: Literal[1, 3] = 3
    """What the network sees of a canvas: 1 for gray, 3 for RGB."""

    def placement(self, size: Size) -> Placement:
        """By a letterbox."""
        return Letterbox(size=self.size).placement(size)

    def candidates(self, variables: PyTree, canvases: ImagesUint8) -> Candidates:
        """What the head means by what it says of the encoder's maps."""
        canvases, proposals = with_channels(canvases, self.channels), None
        if isinstance(self.head, RegionHead) and self.head.search is not None:
            proposals = searched(self.head.search, canvases)
        said = self.say(variables, jnp.asarray(canvases).astype(jnp.float32) / 255, proposals)
        return self.head.candidates(said, self.size)

    def say(self, variables: PyTree, images: ImagesFloat, proposals: Regions | None = None) -> Any:
        """What the head says of images in [0, 1].

        Args:
            variables: the networks'.
            images: of the canvas's size.
            proposals: of each, for a head that searches on the host.
        """
        return look(self.encoder, self.head, variables, images, len(self.class_names), proposals).said


class Looked(NamedTuple):
    """What an encoder and a head make of a batch. A pytree."""

    said: Any
    """What the head says."""
    state: Mapping[str, PyTree]
    """What of the variables of ``encoder`` and ``head`` is not learned, such as running statistics, after this batch."""


def look(
    encoder: nn.Module,
    head: DetectionHead,
    variables: PyTree,
    images: ImagesFloat,
    classes: int,
    proposals: Regions | None = None,
    learning: Learning | None = None,
) -> Looked:
    """Shows a batch to an encoder and a head. Runs under ``jit``.

    Args:
        encoder: turns images into named activations.
        head: reads some of them.
        variables: ``{"encoder": …, "head": …}``.
        images: in [0, 1].
        classes: how many there are.
        proposals: of each image, for a head that searches on the host.
        learning: what is learned from; None in use.

    Raises:
        UserError: the encoder has no map that the head asks for.
    """
    state: dict[str, Any] = {
        part: {kind: each for kind, each in own.items() if kind != "params"} for part, own in variables.items()
    }

    def run(part: str, module: nn.Module, *given: Any, **how: Any) -> Any:
        own = {"params": variables[part]["params"], **state[part]}
        if learning is None:
            return module.apply(own, *given, train=False, **how)
        said, changed = module.apply(own, *given, train=True, mutable=list(state[part]), **how)
        state[part] |= dict(changed)
        return said

    def encode(images: ImagesFloat) -> list[Array]:
        return maps_of(encoder, head, run("encoder", encoder, images))

    network = functools.partial(run, "head", head.network(classes))
    if isinstance(head, RegionHead):
        said = head.look(Sight(images, encode, network, classes, proposals, learning))
    else:
        said = network(encode(images))
    return Looked(said, state)


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
