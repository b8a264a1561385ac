"""What a detector finds in the images of a table, for its evaluation."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.research.data.detection import DetectionExamples
from likeness.research.detectors import CanvasPlaces, DetectionModel, Regions, suppressed
from likeness.research.geometry.boxes import area
from likeness.research.geometry.detections import Detections
from likeness.research.geometry.resampling import place_image
from likeness.research.geometry.suppression import Suppression
from likeness.research.types import AnyArray, Float, PyTree, UInt8

__all__ = ["Findings", "canvas_of", "find", "look_through"]

_BATCH = 50


def canvas_of(model: DetectionModel, examples: DetectionExamples, row: int) -> UInt8[np.ndarray, "h w c"]:
    """An image of a table as a detector looks at it."""
    height, width = examples.sizes[row].tolist()
    return place_image(examples.read(row), model.placement((height, width)), fill=model.fill)


class Findings(NamedTuple):
    """What a detector made of images."""

    detections: list[Detections]
    """In each image, in its own pixels."""
    proposals: list[Float[np.ndarray, "_n 4"]] | None
    """The regions that were looked at in each image, ``xyxy`` in its pixels, best first; None if the detector looks at none."""


def find(model: DetectionModel, suppression: Suppression, variables: PyTree, examples: DetectionExamples) -> list[Detections]:
    """What is found in each image, in its own pixels, by a detector all of whose canvases have one size.

    Args:
        model: the detector.
        suppression: what is left out.
        variables: the detector's.
        examples: the images.
    """
    return look_through(model, suppression, variables, examples).detections


def look_through(model: DetectionModel, suppression: Suppression, variables: PyTree, examples: DetectionExamples) -> Findings:
    """As :func:`find`, with the regions that were looked at.

    Args:
        model: the detector.
        suppression: what is left out.
        variables: the detector's.
        examples: the images.
    """
    names, found = examples.class_names, []
    proposals: list[np.ndarray] = []
    starts = range(0, len(examples), _BATCH)
    for rows in tracked("finding objects", [range(start, min(start + _BATCH, len(examples))) for start in starts], len):
        images = [canvas_of(model, examples, row) for row in rows]
        sizes = examples.sizes[rows.start : rows.stop].tolist()
        placements = [model.placement((height, width)) for height, width in sizes]
        # Filled up, so that one shape is compiled.
        more = _BATCH - len(rows)
        canvases = np.stack(images + [np.zeros_like(images[0])] * more)
        places = CanvasPlaces.of(placements + placements[:1] * more)
        padded, regions = jax.device_get(_found(model, suppression, variables, canvases, places))
        found += padded.exact_each(names)[: len(rows)]
        if regions is not None:
            proposals += [boxes[valid] for boxes, valid in zip(*regions, strict=True)][: len(rows)]
    return Findings(found, proposals if proposals else None)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _found(model: DetectionModel, suppression: Suppression, variables: PyTree, canvases: AnyArray, places: CanvasPlaces) -> Any:
    """The detections and the regions, both in pixels of the images."""
    candidates = model.candidates(variables, canvases)
    regions = candidates.proposals
    if regions is not None:
        boxes = places.boxes(jnp.asarray(regions.boxes))
        regions = Regions(boxes, jnp.asarray(regions.valid) & (area(boxes) > 0))
    return suppressed(candidates, places, suppression), regions
