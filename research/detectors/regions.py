"""Heads that look at regions of an image one by one, and how such a head is run."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.detectors.heads import DetectionHead, Objects
from likeness.research.detectors.protocol import Regions
from likeness.research.geometry.selective_search import ProposalSearch
from likeness.research.types import Array, ImagesFloat, ImagesUint8, PRNGKey

__all__ = ["Learning", "RegionHead", "Sight", "searched"]


class Learning(NamedTuple):
    """What a head is told of a batch that it learns from. A pytree."""

    objects: Objects
    """What is there."""
    key: PRNGKey
    """Of what is drawn, another one at every step."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sight:
    """What a head sees of a batch, and the two networks that it may ask. Lives while a program is traced."""

    images: ImagesFloat
    """In [0, 1], of the canvas's size."""
    encode: Callable[[ImagesFloat], Sequence[Array]]
    """The encoder: images of any size that it takes -> those of its activations that the head reads. Asked once."""
    network: Callable[..., Any]
    """The head's own network, called as its module is; ``method=`` names another method than ``__call__``."""
    classes: int
    """How many there are."""
    proposals: Regions | None = None
    """What was searched for on the host, where the head says how."""
    learning: Learning | None = None
    """None in use."""


@runtime_checkable
class RegionHead(DetectionHead, Protocol):
    """A head that looks at regions of an image one by one, such as that of R-CNN.

    It has two members more than a :class:`DetectionHead`, whose ``network`` may then be called as the head likes, and is
    initialized by a call on the maps.
    """

    @property
    def search(self) -> ProposalSearch | None:
        """What finds regions on the host before the network looks; None where the network proposes them itself.

        In training an image is searched once, and its boxes are moved as it is; in use each canvas is searched.
        """
        ...

    def look(self, sight: Sight) -> Any:
        """What is said of a batch: what ``cost`` and ``candidates`` are handed. Runs under ``jit``.

        Args:
            sight: the batch. While something is learned, ``cost`` is handed what is said of regions of its ``learning``; else
                ``candidates`` is handed what is said of all of them.
        """
        ...


def searched(search: ProposalSearch, canvases: ImagesUint8) -> Regions:
    """The proposals of canvases, found on the host in the midst of a program.

    Args:
        search: how.
        canvases: (b, height, width, 3).
    """
    shape = (canvases.shape[0], search.limit)
    said = jax.ShapeDtypeStruct((*shape, 4), jnp.float32), jax.ShapeDtypeStruct(shape, jnp.bool_)
    boxes, valid = jax.pure_callback(functools.partial(_search, search), said, canvases, vmap_method="sequential")
    return Regions(boxes, valid)


def _search(search: ProposalSearch, canvases: Any) -> tuple[np.ndarray, np.ndarray]:
    canvases = np.asarray(canvases)
    boxes, valid = np.zeros((len(canvases), search.limit, 4), np.float32), np.zeros((len(canvases), search.limit), bool)
    for row, canvas in enumerate(canvases):
        found = search(canvas)[: search.limit]
        boxes[row, : len(found)], valid[row, : len(found)] = found, True
    return boxes, valid
