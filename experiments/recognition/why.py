"""Why two images are taken for the same person, or not: which parts of either face the distance between them comes from."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from likeness.experiments.display.figures import INK
from likeness.experiments.display.phases import telling
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.research.data import to_unit
from likeness.research.errors import UserError
from likeness.research.gallery import VerificationResult
from likeness.research.types import Activations, Array, Embeddings, Float
from likeness.research.visualization import (
    Score,
    explain_pairs,
    grad_cam_of_pairs,
    integrated_gradients,
    last_features,
    layers_below,
    occlusion,
    saliency,
    smooth_gradient,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Method: TypeAlias = Literal["occlusion", "gradient", "smooth_gradient", "integrated_gradients", "grad_cam"]
"""What is done to find out: parts are covered; the distance is differentiated by the pixels, of the images or of noisy
copies; the derivative is integrated on the way from a blurred image to the image; or a layer's map is weighted by it."""
Maps: TypeAlias = tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]

_BLUR = 8
"""Integration begins at the image blurred by its shorter side divided by this: a face without features, of the same light."""
_STEPS = 64
_NOTHING = 1e-3
"""Of τ: what changes the distance by less, all pixels together, is what rounding leaves of a slope that is 0."""


@dataclasses.dataclass(frozen=True)
class Why:
    """What each part of two images adds to their likeness."""

    answer: VerificationResult
    images: tuple[np.ndarray, np.ndarray]
    """As the encoder sees them, (h, w, c) in [0, 1]."""
    likeness: Maps
    """Of either image. Above 0 speaks for the same person, below it against; of gradients, how much the distance depends on
    the place, whichever way, 0 or more."""
    quantity: str = "distance gained when covered"
    """What the numbers are."""
    note: str = ""
    """What there is to know of this explanation, if anything."""
    nothing: bool = False
    """The distance does not depend on the images, as far as this method sees: there is nothing to draw over them."""

    def figure(self) -> "Figure":
        """Both images, and over them in green what speaks for the same person and in purple what speaks against it."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9.6, 2.9), layout="constrained")
        axes = figure.subplots(1, 4)
        # Of gradients a pixel in a thousand is many times as large as all others.
        largest = max(float(np.quantile(np.abs(each), 0.995)) for each in self.likeness)
        largest = largest or max(float(np.abs(each).max()) for each in self.likeness) or 1.0
        signed = any((each < 0).any() for each in self.likeness)
        drawn: list[Any] = []
        for number, (image, likeness) in enumerate(zip(self.images, self.likeness, strict=True)):
            gray = image.mean(axis=-1)
            axes[2 * number].imshow(image.squeeze(), cmap="gray", vmin=0, vmax=1)
            axes[2 * number].set_title("AB"[number], fontsize=12, color=INK, loc="left", fontweight="bold")
            axes[2 * number + 1].imshow(gray, cmap="gray", vmin=0, vmax=1, alpha=0.6)
            if self.nothing:
                continue
            colors: dict[str, Any] = {"cmap": "PRGn", "vmin": -largest} if signed else {"cmap": "magma", "vmin": 0}
            drawn.append(axes[2 * number + 1].imshow(likeness, vmax=largest, alpha=0.65, **colors))
        for each in axes:
            each.set_axis_off()
        if self.nothing:
            axes[1].set_title("depends on nothing to first order", fontsize=9, color=INK, loc="left")
        else:
            bar = figure.colorbar(drawn[0], ax=list(axes), shrink=0.85)
            bar.set_label(self.quantity, color=INK, fontsize=9)
            bar.ax.tick_params(labelsize=8, colors=INK)
        answer, relation = ("same", "≤") if self.answer.same else ("different", ">")
        title = f"{answer}: distance {self.answer.distance:.3g} {relation} {self.answer.threshold.tau:.3g}"
        figure.suptitle(title, fontsize=12, color=INK, fontweight="bold")
        return figure


def why(
    recognizer: Recognizer,
    first: str | Path,
    second: str | Path,
    *,
    parts: int = 6,
    method: Method = "occlusion",
    layer: str | None = None,
) -> Why:
    """Asks which parts of two images their distance comes from.

    Args:
        recognizer: whose answer it is.
        first: an image file.
        second: another.
        parts: of ``occlusion``: the covered square's side is the image's shorter one divided by this.
        method: how it is found out.
        layer: of ``grad_cam``; unless given, the last before a pooling
            (:func:`~likeness.research.visualization.last_features`).

    Raises:
        UserError: as :meth:`~likeness.experiments.recognition.recognizer.Recognizer.verify` does, or there is no such layer.
    """
    levels = [recognizer.inputs.read(path) for path in (first, second)]
    pixels = [to_unit(each) for each in levels]
    codes = recognizer.embed(np.stack(levels))
    answer = recognizer.threshold.verify(float(recognizer.embedder.distance(codes[:1], codes[1:])[0, 0]))
    pair = (pixels[0], pixels[1])
    if method == "occlusion":
        return _unless_nothing(Why(answer, pair, _covered(recognizer, pixels, codes, parts)), "largest")
    network = _Network(recognizer)
    if method == "grad_cam":
        return _weighted_map(network, answer, pair, layer)
    if method == "integrated_gradients":
        return _unless_nothing(_integrated(network, answer, pair), "sum")

    def smooth(score: Score, x: Array) -> Array:
        return smooth_gradient(score, x, jax.random.key(0))

    slopes = network.explain(pair, saliency if method == "gradient" else smooth)
    maps = (np.abs(slopes[0]).sum(axis=-1), np.abs(slopes[1]).sum(axis=-1))
    return _unless_nothing(Why(answer, pair, maps, "change of the distance by a pixel"), "sum")


def _unless_nothing(found: Why, counts: Literal["sum", "largest"], places: int | None = None) -> Why:
    """The explanation, or that there is none: its maps are what rounding left of slopes that are 0.

    Args:
        found: the explanation.
        counts: whether the values of a map add up to what all pixels do, or each is of a part that is covered alone.
        places: how many of a layer's the map was made of; a place for each pixel unless given.
    """
    tau, sizes = found.answer.threshold.tau, []
    for each in found.likeness:
        size = np.abs(each)
        sizes.append(float(size.max() if counts == "largest" else size.mean(dtype=np.float64) * (places or size.size)))
    scale = max(abs(tau), abs(found.answer.distance))
    if max(sizes) > _NOTHING * scale:
        return found
    same = np.array_equal(*found.images)
    note = (
        f"finds that the distance depends on nothing to first order: all that it sees changes it by at most {max(sizes):.1g}, "
        f"and τ is {tau:.3g}. Nothing is drawn"
        f"{', which is right of two copies of one image: no small change brings them closer together' if same else ''}"
    )
    zero = (np.zeros_like(found.likeness[0]), np.zeros_like(found.likeness[1]))
    return dataclasses.replace(found, likeness=zero, note=note, nothing=True)


def _covered(recognizer: Recognizer, pixels: list[np.ndarray], codes: np.ndarray, parts: int) -> Maps:
    maps, covering = [], telling("covering parts")
    for number, image in enumerate(pixels):
        other = codes[1 - number : 2 - number]

        def alike(images: np.ndarray, other: np.ndarray = other) -> np.ndarray:
            return -recognizer.embedder.distance(recognizer.embed(_bytes(images)), other)[:, 0]

        def tell(done: int, of: int, number: int = number) -> None:
            covering(number * of + done, 2 * of)

        window = max(2, min(image.shape[:2]) // parts)
        maps.append(occlusion(alike, image, window=window, stride=max(1, window // 3), tell=tell))
    return maps[0], maps[1]


class _Network:
    """A recognizer as functions that can be differentiated."""

    def __init__(self, recognizer: Recognizer) -> None:
        self.recognizer = recognizer
        self.embed = jax.jit(lambda images: self.activations(images)["embedding"])

    def activations(self, images: Float[Array, "n h w c"]) -> Activations:
        trained = self.recognizer.variables
        variables = {"params": trained.params["encoder"], **trained.state}
        return self.recognizer.experiment.encoder.apply(variables, images)  # pyright: ignore[reportReturnType]

    def distance(self, first: Embeddings, second: Embeddings) -> Float[Array, "b"]:
        return self.recognizer.distance(first, second)

    def explain(self, pair: tuple[np.ndarray, np.ndarray], attribute: Callable[[Score, Array], Array]) -> list[np.ndarray]:
        explaining, done = telling("explaining A and B"), 0

        def one(score: Score, x: Array) -> Array:
            nonlocal done
            explaining(done, 2)
            values = jax.block_until_ready(attribute(score, x))
            done += 1
            explaining(done, 2)
            return values

        found = explain_pairs(self.embed, self.distance, pair[0][None], pair[1][None], one)
        return [np.asarray(each)[0] for each in found]


def _integrated(network: _Network, answer: VerificationResult, pair: tuple[np.ndarray, np.ndarray]) -> Why:
    errors = []

    def attribute(score: Score, x: Array) -> Array:
        sigma = min(x.shape[1:3]) / _BLUR
        blurred = jnp.asarray(ndimage.gaussian_filter(np.asarray(x), (0, sigma, sigma, 0), mode="nearest"))
        found = integrated_gradients(score, x, blurred, steps=_STEPS)
        gained = float((score(x) - score(blurred))[0])
        errors.append((float(found.sum()), gained))
        return found

    one, other = (each.sum(axis=-1) for each in network.explain(pair, attribute))
    told = " and ".join(f"{found:+.4f} of {gained:+.4f} in {name}" for name, (found, gained) in zip("AB", errors, strict=True))
    note = f"explains {told}: by so much the distance falls as the face comes out of its blur, and the map's places share it"
    return Why(answer, (pair[0], pair[1]), (one, other), "likeness gained over a blurred face", note)


def _weighted_map(network: _Network, answer: VerificationResult, pair: tuple[np.ndarray, np.ndarray], layer: str | None) -> Why:
    images = [each[None] for each in pair]
    shapes: Any = jax.eval_shape(network.activations, jax.ShapeDtypeStruct(images[0].shape, jnp.float32))
    found = layers_below(network.activations, lambda a: jnp.sum(a["embedding"], axis=-1), images[0])
    # Of one place only it says nothing of places; the image itself is no layer.
    layers = [name for name in found if name != "input" and min(shapes[name].shape[1:-1]) > 1]
    chosen = layer or last_features(network.activations, lambda a: jnp.sum(a["embedding"], axis=-1), images[0])
    if chosen not in layers:
        told = f"choose of {', '.join(layers)}" if layers else "this encoder has none"
        asked = "" if layer is None else f"{layer!r} is none of them; "
        raise UserError(f"Grad-CAM weights a layer with a map that the embedding is computed from: {asked}{told}.")
    one, other = jax.jit(
        lambda a, b: grad_cam_of_pairs(network.activations, chosen, network.distance, a, b, relu=False, resize="linear")
    )(*images)
    sides = " x ".join(map(str, shapes[chosen].shape[1:-1]))
    maps = (np.asarray(one)[0], np.asarray(other)[0])
    note = (
        f"is of {chosen}, which has {sides} places. It takes the network for linear above that layer: where it contradicts "
        "--why-method occlusion, believe occlusion, which asks the network itself"
    )
    found = Why(answer, pair, maps, f"likeness by the maps of {chosen}", note)
    return _unless_nothing(found, "sum", math.prod(shapes[chosen].shape[1:-1]))


def _bytes(images: np.ndarray) -> np.ndarray:
    return np.round(255 * np.clip(images, 0, 1)).astype(np.uint8)
