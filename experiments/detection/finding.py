"""What a detector finds in the images of a table, for its evaluation."""

import functools
from typing import Any

import jax
import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.research.data.detection import DetectionExamples
from likeness.research.detectors import CanvasPlaces, DetectionModel, detect
from likeness.research.geometry.detections import Detections
from likeness.research.geometry.resampling import place_image
from likeness.research.geometry.suppression import Suppression
from likeness.research.types import AnyArray, PyTree, UInt8

__all__ = ["canvas_of", "find"]

_BATCH = 50


def canvas_of(model: DetectionModel, examples: DetectionExamples, row: int) -> UInt8[np.ndarray, "h w c"]:
    """An image of a table as a detector looks at it."""
    height, width = examples.sizes[row].tolist()
    return place_image(examples.read(row), model.placement((height, width)), fill=model.fill)


def find(model: DetectionModel, suppression: Suppression, variables: PyTree, examples: DetectionExamples) -> list[Detections]:
    """What is found in each image, in its own pixels, by a detector all of whose canvases have one size.

    Args:
        model: the detector.
        suppression: what is left out.
        variables: the detector's.
        examples: the images.
    """
    names, found = examples.class_names, []
    starts = range(0, len(examples), _BATCH)
    for rows in tracked("finding objects", [range(start, min(start + _BATCH, len(examples))) for start in starts], len):
        images = [canvas_of(model, examples, row) for row in rows]
        sizes = examples.sizes[rows.start : rows.stop].tolist()
        placements = [model.placement((height, width)) for height, width in sizes]
        # Filled up, so that one shape is compiled.
        more = _BATCH - len(rows)
        canvases = np.stack(images + [np.zeros_like(images[0])] * more)
        places = CanvasPlaces.of(placements + placements[:1] * more)
        padded = _found(model, suppression, variables, canvases, places)
        found += jax.device_get(padded).exact_each(names)[: len(rows)]
    return found


@functools.partial(jax.jit, static_argnums=(0, 1))
def _found(model: DetectionModel, suppression: Suppression, variables: PyTree, canvases: AnyArray, places: CanvasPlaces) -> Any:
    return detect(model, variables, canvases, places, suppression)
