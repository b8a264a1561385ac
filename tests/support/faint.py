"""A detector that finds what is bright, for tests of what is around a network."""

import dataclasses

import jax.numpy as jnp

from likeness.research.detectors import Candidates
from likeness.research.geometry import PadToMultiple, Placement, Suppression

CELL = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bright:
    """Each cell of 8×8 pixels is a candidate that is as sure as its green is bright; class 1 if red is brighter than blue.

    It has one landmark, its upper left corner.
    """

    longest: int | None = None
    class_names: tuple[str, ...] = ("blue", "red")
    fill: int = 0
    suppression: Suppression = Suppression(score_threshold=0.5, max_detections=20)

    def placement(self, size: tuple[int, int]) -> Placement:
        return PadToMultiple(multiple=CELL, longest=self.longest).placement(size)

    def candidates(self, variables, canvases) -> Candidates:
        batch, height, width, _ = canvases.shape
        cells = canvases.reshape(batch, height // CELL, CELL, width // CELL, CELL, 3).mean((2, 4)) / 255 * variables["gain"]
        x, y = jnp.meshgrid(jnp.arange(width // CELL) * CELL, jnp.arange(height // CELL) * CELL)
        corner = jnp.broadcast_to(jnp.stack([x, y], -1), (batch, *x.shape, 2)).reshape(batch, -1, 2).astype(jnp.float32)
        flat = cells.reshape(batch, -1, 3)
        return Candidates(
            jnp.concatenate([corner, corner + CELL], -1),
            flat[..., 1],
            (flat[..., 0] > flat[..., 2]).astype(jnp.int32),
            corner[:, :, None],
        )
