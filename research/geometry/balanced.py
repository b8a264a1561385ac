"""A balanced sample of a fixed size: of the many places that are background, no more than a batch can use."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from likeness.research.checks import check_array, check_count
from likeness.research.geometry.matching import Assignment
from likeness.research.types import AnyArray, Array, Bool, Int, PRNGKey, Shaped

__all__ = ["BalancedSample", "Sampled"]


class Sampled(NamedTuple):
    """Which of n places were drawn, in ``size`` rows; foreground first, then background, then rows that are none."""

    places: Int[Array, "*b size"]
    """Of the place; 0 where the row is none."""
    foreground: Bool[Array, "*b size"]
    """Whether the place is foreground."""
    valid: Bool[Array, "*b size"]
    """Whether the row is a place at all."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BalancedSample:
    """Places drawn at random, without repetition, so that background does not outvote what there is to find.

    As many foreground places as there are, but no more than ⌊``size`` · ``foreground_fraction``⌋, and as many background places
    as there is still room for. Ignored places are never drawn. Where there are too few, rows stay empty.

    Girshick, "Fast R-CNN", 2015, with 128 and 0.25; Ren et al., "Faster R-CNN", 2015, with 256 and 0.5 for proposals.
    """

    size: int = 256
    """Rows of the sample."""

    foreground_fraction: float = 0.5
    """The largest share of foreground."""

    def __post_init__(self) -> None:
        check_count("BalancedSample", "size", self.size)
        if not 0.0 < self.foreground_fraction <= 1.0:
            raise ValueError(
                f"BalancedSample(foreground_fraction={self.foreground_fraction}): give a share above 0 and at most 1, such as "
                "0.5."
            )

    def __call__(self, key: PRNGKey, assignment: Assignment, allowed: Shaped[AnyArray, "..."] | None = None) -> Sampled:
        """Draws from one image.

        Args:
            key: of the draw.
            assignment: of n places.
            allowed: (n,), booleans, such as whether an anchor lies in the image; None for all.

        Raises:
            ValueError: not as many booleans as places.
        """
        check_array("BalancedSample", "foreground", assignment.foreground, ("n",), "booleans", "Draw from one image.")
        foreground, background = jnp.asarray(assignment.foreground), jnp.asarray(assignment.background)
        count = foreground.shape[0]
        if allowed is not None:
            check_array(
                "BalancedSample", "allowed", allowed, (count,), "booleans", "Say for each place whether it may be drawn."
            )
            foreground, background = foreground & jnp.asarray(allowed), background & jnp.asarray(allowed)
        # Below 1, and 0 for what may not be drawn.
        chance = 0.5 + 0.5 * jax.random.uniform(key, (count,))
        most = min(int(self.size * self.foreground_fraction), count)
        drawn, places = jax.lax.top_k(jnp.where(foreground, chance, 0.0), most)
        kept = jnp.zeros(count, bool).at[jnp.where(drawn > 0, places, count)].set(True, mode="drop")
        order, index = jax.lax.top_k(jnp.where(kept, 2.0, jnp.where(background, chance, 0.0)), min(self.size, count))
        valid = order > 0
        rows = jnp.where(valid, index, 0).astype(jnp.int32), order > 1, valid
        return Sampled(*(jnp.pad(each, (0, self.size - each.shape[0])) for each in rows))
