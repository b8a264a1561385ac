"""What an image can be made to excite: scores of named activations, with an algebra."""

import abc
import dataclasses
import difflib
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from likeness.research.distances import unit
from likeness.research.types import Activations, Array, Float

__all__ = ["Channel", "Direction", "Diversity", "Layer", "Neuron", "Objective", "Sum", "Weighted"]

_EXACT = jax.lax.Precision.HIGHEST


class Objective(abc.ABC):
    """A number for each image, of its activations: the larger, the more of what is looked for.

    Objectives are added, subtracted and multiplied by numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> both = Channel(layer="relu4", channel=0) - 0.5 * Channel(layer="relu4", channel=1)
        >>> both({"relu4": jnp.array([[[[3.0, 4.0]]]])}).tolist()
        [1.0]
    """

    @property
    @abc.abstractmethod
    def title(self) -> str:
        """What to call it."""

    @property
    @abc.abstractmethod
    def layers(self) -> tuple[str, ...]:
        """The activations that it reads."""

    @abc.abstractmethod
    def __call__(self, activations: Activations) -> Float[Array, "n"]:
        """The score of each image, float32.

        Args:
            activations: by name, (n, h, w, c) with any number of axes between, or (n, d).

        Raises:
            ValueError: a layer, channel or place that does not exist.
        """

    def __add__(self, other: "Objective") -> "Sum":
        return Sum(terms=(*_terms(self), *_terms(other)))

    def __sub__(self, other: "Objective") -> "Sum":
        return self + -1.0 * other

    def __mul__(self, factor: float) -> "Sum":
        return Sum(terms=tuple(dataclasses.replace(term, weight=factor * term.weight) for term in _terms(self)))

    def __rmul__(self, factor: float) -> "Sum":
        return self * factor

    def __neg__(self) -> "Sum":
        return self * -1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Weighted:
    """An objective and its factor."""

    objective: Objective
    """What is scored."""
    weight: float = 1.0
    """Its factor; below 0 to avoid what is scored."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise ValueError(f"Weighted.weight is {self.weight}: give a finite number")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sum(Objective):
    """``Σ w J``, what ``+``, ``-`` and ``*`` make."""

    terms: tuple[Weighted, ...]
    """What is added."""

    def __post_init__(self) -> None:
        if not self.terms:
            raise ValueError("Sum.terms is empty: give at least one objective")

    @property
    def title(self) -> str:
        """``a - 0.5 b``."""
        words = ""
        for term in self.terms:
            sign = (" - " if words else "-") if term.weight < 0 else (" + " if words else "")
            size = abs(term.weight)
            words += sign + ("" if size == 1 else f"{size:g} ") + term.objective.title
        return words

    @property
    def layers(self) -> tuple[str, ...]:
        """All layers of its terms, each once."""
        return tuple(dict.fromkeys(layer for term in self.terms for layer in term.objective.layers))

    def __call__(self, activations: Activations) -> Float[Array, "n"]:
        """The sum of the terms' scores."""
        first, *others = (term.weight * term.objective(activations) for term in self.terms)
        return sum(others, start=first)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Channel(Objective):
    """The mean of one channel over all places: the texture that a unit looks for (Olah et al. 2017)."""

    layer: str
    """Whose."""
    channel: int
    """Which, from 0."""

    def __post_init__(self) -> None:
        _check_channel(self)

    @property
    def title(self) -> str:
        """Layer and number."""
        return f"{self.layer} {self.channel}"

    @property
    def layers(self) -> tuple[str, ...]:
        """One."""
        return (self.layer,)

    def __call__(self, activations: Activations) -> Float[Array, "n"]:
        """``mean_ij F_ijc``."""
        return jnp.mean(_places(_read_channel(self, activations))[:, :, self.channel], axis=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Neuron(Objective):
    """One channel at one place: the single thing that a unit looks for (Erhan et al. 2009)."""

    layer: str
    """Whose."""
    channel: int
    """Which, from 0."""
    place: tuple[int, ...] | None = None
    """Row and column in the layer's map; None for its center."""

    def __post_init__(self) -> None:
        _check_channel(self)

    @property
    def title(self) -> str:
        """Layer, number and place."""
        return f"{self.layer} {self.channel}" + (" at the center" if self.place is None else f" at {self.place}")

    @property
    def layers(self) -> tuple[str, ...]:
        """One."""
        return (self.layer,)

    def __call__(self, activations: Activations) -> Float[Array, "n"]:
        """``F_ijc``.

        Raises:
            ValueError: the place is not in the map.
        """
        features = _read_channel(self, activations)
        space = features.shape[1:-1]
        place = tuple(side // 2 for side in space) if self.place is None else self.place
        if len(place) != len(space) or not all(0 <= at < side for at, side in zip(place, space, strict=True)):
            raise ValueError(f"Neuron.place is {place}, but the map of {self.layer} is {space}: give a place in it, from 0")
        return features[(slice(None), *place, self.channel)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Direction(Objective):
    """Activations along a vector: a mixture of channels, or a person's embedding."""

    layer: str
    """Whose."""
    vector: tuple[float, ...]
    """One number a channel; its length does not matter."""
    cosine: float = 0.0
    """0: the mean over places of the projection ``F·v/‖v‖`` alone, which an image can raise by being loud in every channel.
    Above 0 it is multiplied by ``max(0.1, cos(F, v))^cosine``, so the direction counts as well (Carter et al. 2019)."""

    def __post_init__(self) -> None:
        if not any(self.vector) or not all(map(math.isfinite, self.vector)):
            raise ValueError("Direction.vector is 0 or not finite: give a number for each channel, one of them not 0")
        if not 0 <= self.cosine < float("inf"):
            raise ValueError(f"Direction.cosine is {self.cosine}: give a finite number, 0 or more")

    @property
    def title(self) -> str:
        """Layer."""
        return f"a direction of {self.layer}"

    @property
    def layers(self) -> tuple[str, ...]:
        """One."""
        return (self.layer,)

    def __call__(self, activations: Activations) -> Float[Array, "n"]:
        """The mean over places.

        Raises:
            ValueError: the vector has not one number a channel.
        """
        features = _places(_read(self, self.layer, activations))
        if len(self.vector) != features.shape[-1]:
            raise ValueError(
                f"Direction.vector has {len(self.vector)} numbers, but {self.layer} has {features.shape[-1]} channels: "
                "give one each"
            )
        vector = unit(jnp.asarray(self.vector))
        along = jnp.matmul(features, vector, precision=_EXACT)
        if self.cosine == 0:
            return jnp.mean(along, axis=1)
        cosine = jnp.matmul(unit(features), vector, precision=_EXACT)
        return jnp.mean(along * jnp.maximum(cosine, 0.1) ** self.cosine, axis=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer(Objective):
    """The mean square of a layer: more of whatever it sees already (DeepDream, Mordvintsev et al. 2015)."""

    layer: str
    """Which."""

    @property
    def title(self) -> str:
        """The layer's name."""
        return self.layer

    @property
    def layers(self) -> tuple[str, ...]:
        """One."""
        return (self.layer,)

    def __call__(self, activations: Activations) -> Float[Array, "n"]:
        """``mean_ijc F_ijc²``."""
        return jnp.mean(jnp.square(_places(_read(self, self.layer, activations))), axis=(1, 2))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Diversity(Objective):
    """How little several images resemble each other: for each, minus the mean cosine of its Gram matrix with the others'.

    From -1, all alike, to 0. An image alone has 0. Added to a channel's objective it shows the several things that a unit
    looks for (Olah et al. 2017).
    """

    layer: str
    """Where they are compared."""

    @property
    def title(self) -> str:
        """The layer's name."""
        return f"diversity of {self.layer}"

    @property
    def layers(self) -> tuple[str, ...]:
        """One."""
        return (self.layer,)

    def __call__(self, activations: Activations) -> Float[Array, "n"]:
        """``-mean_{j≠i} cos(G_i, G_j)``."""
        features = _places(_read(self, self.layer, activations))
        count = len(features)
        grams = jnp.einsum("npc,npd->ncd", features, features, precision=_EXACT).reshape(count, -1)
        grams = unit(grams)
        alike = jnp.matmul(grams, grams.T, precision=_EXACT) * (1.0 - jnp.eye(count))
        return -jnp.sum(alike, axis=1) / max(1, count - 1)


def _terms(objective: Objective) -> tuple[Weighted, ...]:
    return objective.terms if isinstance(objective, Sum) else (Weighted(objective=objective),)


def _check_channel(objective: Channel | Neuron) -> None:
    if objective.channel < 0:
        raise ValueError(f"{type(objective).__name__}.channel is {objective.channel}: count from 0")


def _read(objective: Objective, layer: str, activations: Activations) -> Float[Array, "n *space c"]:
    if layer not in activations:
        close: Sequence[str] = difflib.get_close_matches(layer, activations, n=4, cutoff=0.6)
        there = f"nearest: {', '.join(close)}" if close else f"there are: {', '.join(activations)}"
        raise ValueError(f"{type(objective).__name__}: no layer {layer!r}; {there}")
    return activations[layer].astype(jnp.float32)


def _read_channel(objective: Channel | Neuron, activations: Activations) -> Float[Array, "n *space c"]:
    features = _read(objective, objective.layer, activations)
    if objective.channel >= features.shape[-1]:
        raise ValueError(
            f"{type(objective).__name__}.channel is {objective.channel}, but {objective.layer} has {features.shape[-1]} "
            f"channels: give 0 to {features.shape[-1] - 1}"
        )
    return features


def _places(features: Float[Array, "n *space c"]) -> Float[Array, "n p c"]:
    return features.reshape(len(features), -1, features.shape[-1])
