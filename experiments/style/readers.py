"""How an encoder reads an image for the terms of a cost: whole, or in tiles."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
import numpy as np

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.terms import Term, targets, total
from likeness.research.types import Array, Float, PRNGKey, PyTree, Scalar


class Asked(NamedTuple):
    """Terms, what they kept of a reference, and where in the image they apply."""

    terms: tuple[Term, ...]
    targets: list[PyTree]
    region: Any = None
    """As the reader's ``region`` gave it; None for everywhere."""
    matches: Mapping[int, PyTree] | None = None
    """The partners of the image, by the place of the term that looked them up; None where none did."""


class Reader(Protocol):
    """Reads images with an encoder."""

    @property
    def places(self) -> np.ndarray | None:
        """A row of integers for everything that is read on its own, as many as the devices divide; None where nothing is."""
        ...

    def targets(
        self,
        variables: PyTree,
        image: Float[np.ndarray, "h w 3"],
        terms: tuple[Term, ...],
        mask: Float[np.ndarray, "h w"] | None = None,
    ) -> list[PyTree]:
        """What each term keeps of a reference image, on the device."""
        ...

    def region(self, variables: PyTree, image: Float[np.ndarray, "h w 3"], region: Float[np.ndarray, "h w"] | None) -> PyTree:
        """A region of the image as :meth:`totals` wants it."""
        ...

    def totals(
        self,
        variables: PyTree,
        pixels: Float[Array, "1 h w 3"],
        places: PyTree,
        asked: list[Asked],
        key: PRNGKey | None = None,
    ) -> list[Scalar]:
        """``Σ w J`` of an image for each that is asked; the key decides where losses look that draw places. Runs under
        ``jit``."""
        ...


@dataclasses.dataclass(frozen=True)
class WholeReader:
    """Reads an image at once."""

    encoder: FrozenEncoder

    @property
    def places(self) -> None:
        """Nothing is told apart."""
        return None

    def targets(
        self,
        variables: PyTree,
        image: Float[np.ndarray, "h w 3"],
        terms: tuple[Term, ...],
        mask: Float[np.ndarray, "h w"] | None = None,
    ) -> list[PyTree]:
        """What each term keeps of a reference image, on the device."""

        return targets(self.encoder, variables, image, terms, mask)

    def region(self, variables: PyTree, image: Float[np.ndarray, "h w 3"], region: Float[np.ndarray, "h w"] | None) -> PyTree:
        """At the image's resolution."""
        del variables, image
        return None if region is None else jnp.asarray(region, jnp.float32)

    def totals(
        self,
        variables: PyTree,
        pixels: Float[Array, "1 h w 3"],
        places: PyTree,
        asked: list[Asked],
        key: PRNGKey | None = None,
    ) -> list[Scalar]:
        """``Σ w J`` of an image for each that is asked."""
        del places
        activations = self.encoder(variables, pixels)
        return [total(each.terms, activations, each.targets, each.region, key=key, matches=each.matches) for each in asked]
