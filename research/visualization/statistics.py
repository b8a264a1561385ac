"""What can be said of each unit of a layer in numbers, from one pass over a data set."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.types import AnyArray, Array, Float, Int
from likeness.research.visualization.top_patches import spatial_maximum

__all__ = ["UnitCounts", "UnitStatistics", "count_units"]

EDGES = tuple(2.0**power for power in range(-8, 9))
"""Of the histograms: 0 and below, then up to each power of two, and above the last."""


class UnitCounts(NamedTuple):
    """Sums over the images so far, of each unit's maximum over the image."""

    of_class: Float[AnyArray, "classes"]
    """Images of each class."""
    total: Float[AnyArray, "classes units"]
    """The sum of the maxima, by class."""
    bins: Float[AnyArray, "bins units"]
    """How many maxima lie in each bin of the histogram."""
    active: Float[AnyArray, "units"]
    """The sum of the shares of each image's places at which the unit is above 0."""

    @classmethod
    def init(cls, classes: int, units: int) -> "UnitCounts":
        """No image yet."""
        return cls(jnp.zeros(classes), jnp.zeros((classes, units)), jnp.zeros((len(EDGES) + 1, units)), jnp.zeros(units))


def count_units(counts: UnitCounts, activations: Float[Array, "b *space units"], labels: Int[Array, "b"]) -> UnitCounts:
    """Takes in a batch; an image whose label is below 0 is padding."""
    largest = spatial_maximum(activations)
    above = jnp.mean(activations > 0, axis=tuple(range(1, activations.ndim - 1)), dtype=jnp.float32)
    one_hot = jax.nn.one_hot(labels, len(counts.of_class))
    counted = (labels >= 0)[:, None]
    up_to = jnp.sum((largest <= jnp.asarray([0.0, *EDGES[:-1]])[:, None, None]) & counted, axis=1)
    below = jnp.concatenate([jnp.zeros_like(up_to[:1]), up_to])
    bins = jnp.concatenate([up_to, jnp.broadcast_to(jnp.sum(counted), up_to[:1].shape)]) - below
    return UnitCounts(
        of_class=counts.of_class + jnp.sum(one_hot, axis=0),
        total=counts.total + jnp.matmul(one_hot.T, largest, precision="highest"),
        bins=counts.bins + bins,
        active=counts.active + jnp.sum(above * counted, axis=0),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class UnitStatistics:
    """What the counts come to."""

    mean: Float[np.ndarray, "units"]
    """Of the maxima."""
    active: Float[np.ndarray, "units"]
    """The share of all images' places at which the unit is above 0; one that never is, is dead. Of images it would say
    little: nearly every unit is above 0 somewhere in each."""
    selectivity: Float[np.ndarray, "units"]
    """(μ − μ̄) / (μ + μ̄), with μ the mean of the class that excites the unit most and μ̄ that of the other classes' means: 0
    for a unit that tells no class from another, 1 for one that only one class excites (Morcos et al. 2018). NaN where means are
    negative or there is one class."""
    favorite: Int[np.ndarray, "units"]
    """That class."""
    histogram: Float[np.ndarray, "bins units"]
    """The share of images in each bin: 0 and below, up to 2⁻⁸, up to 2⁻⁷, … up to 2⁷, above."""

    @classmethod
    def of(cls, counts: UnitCounts) -> "UnitStatistics":
        """Draws the counts together."""
        of_class, total, bins = (np.asarray(part, np.float64) for part in (counts.of_class, counts.total, counts.bins))
        seen = of_class > 0
        means = total[seen] / of_class[seen][:, None]
        best = np.argmax(means, axis=0)
        largest = np.take_along_axis(means, best[None], axis=0)[0]
        others = (means.sum(axis=0) - largest) / max(1, len(means) - 1)
        sound = (len(means) > 1) & (means.min(axis=0) >= 0) & (largest + others > 0)
        selectivity = np.divide(largest - others, largest + others, out=np.full_like(largest, np.nan), where=sound)
        images = of_class.sum()
        histogram = bins / images
        return cls(
            mean=total.sum(axis=0) / images,
            active=np.asarray(counts.active, np.float64) / images,
            selectivity=selectivity,
            favorite=np.flatnonzero(seen)[best],
            histogram=histogram,
        )

    @property
    def dead(self) -> Int[np.ndarray, "dead"]:
        """Units that no image excites."""
        return np.flatnonzero(self.active == 0)
