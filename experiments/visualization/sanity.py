"""Whether maps of saliency depend on what a network has learned: its layers get random weights, and the maps are compared."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.display.phases import telling
from likeness.experiments.visualization.methods import METHODS, Method
from likeness.experiments.visualization.microscope import Microscope
from likeness.research.data import Images, to_unit
from likeness.research.errors import UserError
from likeness.research.types import Activations, Array, Float, PyTree
from likeness.research.visualization import (
    Score,
    grad_cam,
    gradient_times_input,
    integrated_gradients,
    last_features,
    saliency,
    smooth_gradient,
    with_rule,
)
from likeness.research.visualization.sanity import layers_with_weights, map_similarity, rank_correlation, with_other_weights

_OF_RELUS = ("guided_grad_cam", "guided", "deconvnet")
Order: TypeAlias = Literal["cascading", "independent"]
"""Random weights from the top down to a layer, or in this layer alone."""
MEASURES = ("rank_absolute", "rank_signed", "ssim")
"""Spearman's correlation of the maps' absolute values and of the signed maps; structural similarity of the absolute values."""
_SAMPLES = 8
"""Noisy copies, and steps of an integral: half a map's noise is enough to see whether it changes."""


LITTLE, MUCH = 0.25, 0.5
"""Rank correlations between which some of a map stays."""
_PARTS = 6
"""The side that occlusion covers is this part of the image's."""


@dataclasses.dataclass(frozen=True)
class Kept:
    """How much of a method's maps is left when every layer is random: rank correlation of absolute values."""

    mean: float
    error: float
    """Standard error of the mean."""

    @property
    def stays(self) -> str:
        """In words: little below :data:`LITTLE`, much above :data:`MUCH`; all that two standard errors on either side allow."""
        low, high = self.mean - 2 * self.error, self.mean + 2 * self.error
        words = [
            word
            for word, least, most in (("little", -np.inf, LITTLE), ("some", LITTLE, MUCH), ("much", MUCH, np.inf))
            if low < most and high >= least
        ]
        return "unclear: ask more images" if len(words) == 3 else " or ".join(words)


@dataclasses.dataclass(frozen=True)
class Checked:
    """How much of each method's maps is left."""

    layers: tuple[str, ...]
    """Those with weights, the topmost first."""
    similarity: Mapping[Order, Mapping[str, Mapping[str, Float[np.ndarray, "layers images"]]]]
    """By order, method and measure (:data:`MEASURES`), of each image's map before and after."""
    images: Float[np.ndarray, "n h w c"]
    maps: Mapping[str, Float[np.ndarray, "layers1 h w"]]
    """The first image's, absolute: of the trained network, then cascading."""
    skipped: Mapping[Method, str]
    """Methods that the network cannot be asked by, and why not."""

    def kept(self, method: str) -> Kept:
        """How much of a method's maps is left of a network that has learned nothing."""
        values = self.similarity["cascading"][method]["rank_absolute"][-1]
        return Kept(float(values.mean()), _standard_error(values))

    def to_json(self) -> dict[str, Any]:
        """Mean and standard error of each similarity, layer by layer, and how much stays when nothing is learned."""
        told: dict[str, Any] = {"layers": list(self.layers), "images": len(self.images), "skipped": dict(self.skipped)}
        told["stays"] = {method: self.kept(method).stays for method in self.similarity["cascading"]}
        for order, methods in self.similarity.items():
            told[order] = {
                method: {
                    measure: {
                        layer: {"value": float(row.mean()), "error": _standard_error(row)}
                        for layer, row in zip(self.layers, rows, strict=True)
                    }
                    for measure, rows in measures.items()
                }
                for method, measures in methods.items()
            }
        return told


def check(
    scope: Microscope,
    table: Images,
    methods: Sequence[Method] = METHODS,
    *,
    seed: int = 0,
) -> Checked:
    """Adebayo et al. 2018: gives the layers random weights, those that the encoder itself begins with, and maps again.

    What is laid to the pixels is, of a network with an embedding, minus the squared distance to another image, of the same
    person if there is one; of others, the mean activation of the unit of the last layer that the image excites most.

    Args:
        scope: the trained network.
        table: which images; all are looked at.
        methods: of drawing maps. Those for ReLUs are left out of a network without.
        seed: of the random weights and the noise.

    Raises:
        UserError: the images are smaller than 11 pixels, or there are fewer than two, or copies of one only.
    """
    if min(table.shape[:2]) < 11 or len(table) < 2:
        raise UserError(f"A check of saliency needs two images of 11 pixels or more on a side: here are {len(table)}.")
    images = to_unit(table.read(np.arange(len(table))))
    partners = _partners(table.labels, images)
    tell = telling("looking at the trained network")
    tell(0, len(methods))
    question = _Question(scope, images, partners, jax.random.key(seed))
    parts = layers_with_weights(scope.encoder, scope.variables, table.shape)[::-1]
    others: Any = jax.device_get(jax.jit(scope.encoder.init)(jax.random.key(seed + 1), jnp.asarray(images[:1])))
    asked, skipped = question.possible(methods)
    trained = {}
    for method in asked:
        trained[method] = question.ask(method, scope.variables)
        tell(len(skipped) + len(trained), len(methods))
    maps = {method: [np.abs(found).sum(axis=-1)[0]] for method, found in trained.items()}
    similarity: dict[Order, Any] = {}
    done, tell = 0, telling("giving layers random weights")
    tell(done, 2 * len(parts))
    for order in ("cascading", "independent"):
        rows: dict[Method, dict[str, list[np.ndarray]]] = {method: {each: [] for each in MEASURES} for method in asked}
        variables = scope.variables
        for part in parts:
            variables = with_other_weights(variables if order == "cascading" else scope.variables, others, part)
            for method in asked:
                found = question.ask(method, variables)
                for measure, values in _compare(trained[method], found).items():
                    rows[method][measure].append(values)
                if order == "cascading":
                    maps[method].append(np.abs(found).sum(axis=-1)[0])
            done += 1
            tell(done, 2 * len(parts))
        similarity[order] = {
            method: {measure: np.stack(values) for measure, values in measures.items()} for method, measures in rows.items()
        }
    layers = tuple(part[0][-1] for part in parts)
    return Checked(layers, similarity, images, {name: np.stack(each) for name, each in maps.items()}, skipped)


class _Question:
    """One number for each image, asked of networks that differ in their weights only: compiled once for all."""

    def __init__(self, scope: Microscope, images: np.ndarray, partners: np.ndarray, key: Array) -> None:
        self.scope, self.images, self.partners, self.key = scope, jnp.asarray(images), partners, key
        found: Any = jax.jit(scope.activations)(scope.variables, self.images)
        self.top = None if "embedding" in found else list(scope.fields)[-1]
        self.units = jnp.argmax(self._means(found), axis=-1) if self.top else jnp.zeros(len(images), jnp.int32)
        self.score = jax.jit(self._score)
        network = functools.partial(scope.activations, scope.variables)
        layer = last_features(network, self._answer(scope.variables), self.images)
        if layer is None:
            raise UserError(
                f"{scope.name} has no layer with more than one place, and maps of saliency say something of places."
            )
        self.layer = layer
        self.compiled: dict[Method, Callable[[PyTree], Array]] = {}

    def possible(self, methods: Sequence[Method]) -> tuple[list[Method], dict[Method, str]]:
        """Methods that the network can be asked by, and what is against the others."""
        asked: list[Method] = list(methods)
        skipped: dict[Method, str] = {}
        try:
            jax.eval_shape(with_rule(functools.partial(self._score, self.scope.variables), "guided"), self.images)
        except ValueError as error:
            skipped = {method: str(error) for method in methods if method in _OF_RELUS}
            asked = [method for method in methods if method not in skipped]
        if not asked:
            raise UserError(f"{self.scope.name} can be asked by none of these methods: {'; '.join(set(skipped.values()))}.")
        return asked, skipped

    def ask(self, method: Method, variables: PyTree) -> Float[np.ndarray, "n h w c"]:
        def score(pixels: Array) -> Array:
            return self.score(variables, pixels)

        if method == "occlusion":
            return self._covered(variables)
        if method == "smooth_gradient":
            return np.asarray(smooth_gradient(score, self.images, self.key, samples=_SAMPLES))
        if method == "integrated_gradients":
            return np.asarray(integrated_gradients(score, self.images, jnp.zeros_like(self.images), steps=_SAMPLES))
        if method not in self.compiled:
            self.compiled[method] = jax.jit(functools.partial(self._map, method))
        return np.asarray(self.compiled[method](variables))

    def _covered(self, variables: PyTree) -> Float[np.ndarray, "n h w 1"]:
        """Squares side by side, each covered in all images at once."""
        images = np.asarray(self.images)
        whole, fallen = np.asarray(self.score(variables, images)), np.zeros((*images.shape[:3], 1), np.float32)
        rows, columns = (np.array_split(np.arange(side), _PARTS) for side in images.shape[1:3])
        for place in itertools.product(rows, columns):
            covered = images.copy()
            covered[:, *np.ix_(*place)] = 0.5
            less = whole - np.asarray(self.score(variables, covered))
            fallen[:, *np.ix_(*place)] = less[:, None, None, None]
        return fallen

    def _map(self, method: Method, variables: PyTree) -> Array:
        score: Score = functools.partial(self._score, variables)
        match method:
            case "guided" | "deconvnet":
                return saliency(with_rule(score, method), self.images)
            case "gradient_times_input":
                return gradient_times_input(score, self.images)
            case "grad_cam" | "guided_grad_cam":
                network = functools.partial(self.scope.activations, variables)
                cam = grad_cam(network, self.layer, self._answer(variables), self.images)[..., None]
                return cam if method == "grad_cam" else cam * saliency(with_rule(score, "guided"), self.images)
            case _:
                return saliency(score, self.images)

    def _score(self, variables: PyTree, pixels: Array) -> Array:
        return self._answer(variables)(self.scope.activations(variables, pixels))

    def _answer(self, variables: PyTree) -> Callable[[Activations], Array]:
        if self.top is not None:
            return lambda found: jnp.take_along_axis(self._means(found), self.units[:, None], axis=1)[:, 0]
        codes = self.scope.activations(variables, self.images[self.partners])["embedding"]
        return lambda found: -jnp.sum((found["embedding"] - codes) ** 2, axis=-1)

    def _means(self, found: Activations) -> Array:
        last = found[self.top or ""]
        return jnp.mean(last.astype(jnp.float32), axis=tuple(range(1, last.ndim - 1)))


def _partners(labels: np.ndarray, images: np.ndarray) -> np.ndarray:
    """For each image the next one of the same person, or else the next one. A copy is none: its distance has no slope.

    Raises:
        UserError: an image has only copies.
    """
    count, partners = len(labels), []
    for row in range(count):
        after = [(row + step) % count for step in range(1, count)]
        others = [at for at in after if not np.array_equal(images[at], images[row])]
        if not others:
            raise UserError("All of the images are copies of one: a check of saliency compares each with another.")
        partners.append(next((at for at in others if labels[at] == labels[row]), others[0]))
    return np.array(partners)


def _compare(before: np.ndarray, after: np.ndarray) -> dict[str, np.ndarray]:
    pairs = list(zip(before, after, strict=True))
    signed = [tuple(each.sum(axis=-1) for each in pair) for pair in pairs]
    absolute = [tuple(np.abs(each).sum(axis=-1) for each in pair) for pair in pairs]
    return {
        "rank_absolute": np.array([rank_correlation(*pair) for pair in absolute]),
        "rank_signed": np.array([rank_correlation(*pair) for pair in signed]),
        "ssim": np.array([map_similarity(*pair) for pair in absolute]),
    }


def _standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))
