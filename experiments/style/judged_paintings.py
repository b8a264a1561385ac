"""What can be said in numbers of paintings at several strengths, and what cannot for want of weights."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.experiments.style.faces_kept import FaceWatch, watch_faces
from likeness.experiments.style.parametrizations import PixelParametrization
from likeness.experiments.style.perceptual import LpipsNetwork, Perceptual
from likeness.experiments.style.stylization import OpenedStylization, Stylization, StylizationConstants
from likeness.experiments.style.terms import layers
from likeness.research.types import Array, Float, PRNGKey, PyTree

__all__ = ["Judged", "Series", "judged"]


class Series(NamedTuple):
    """One number of every painting."""

    name: str
    words: str
    """What it is, as a sentence."""
    values: tuple[float, ...]
    percent: bool = False
    line: float | None = None
    """A value above which something else is true, such as a threshold."""


class Judged(NamedTuple):
    """The numbers, and sentences of what is missing."""

    series: tuple[Series, ...]
    missing: tuple[str, ...]


class _Lpips(NamedTuple):
    network: str
    measured: Callable[[Array, Array], Array]
    """Of an image and a reference, (1, h, w, 3)."""


class _Costs(NamedTuple):
    content: float
    style: float


def judged(
    last: Stylization,
    data: OpenedStylization,
    start: Float[np.ndarray, "h w 3"],
    paintings: Sequence[Float[np.ndarray, "h w 3"]],
    states: Sequence[PyTree],
    batch: PyTree,
    key: PRNGKey,
) -> Judged:
    """Compares paintings with the content and the style.

    Args:
        last: the stage that they come from, with the preset's own strength.
        data: what it opened.
        start: the image that the paintings began as.
        paintings: as they are shown, RGB in [0, 1].
        states: what each kept beside its pixels.
        batch: one of its stream.
        key: for losses that draw places.
    """
    own = _own_costs(last)
    begun = own(data, states[0], start, batch, key)
    pixels = [last.colors.compared(each) for each in paintings]
    named = list(zip(paintings, pixels, states, strict=True))
    costs, found, lpips = [], [], []
    perceptual, without = _perceptual(data.original)
    for shown, seen, state in tracked("comparing paintings", named):
        costs.append(own(data, state, seen, batch, key))
        params = PixelParametrization().parameters(jnp.asarray(seen)[None])
        alone = dataclasses.replace(last, parametrization=PixelParametrization())
        found.append(alone.evaluate(data, params, state, "validation").metrics)
        if perceptual is not None:
            lpips.append(float(perceptual.measured(jnp.asarray(shown)[None], jnp.asarray(data.original)[None])))
    series = _of_losses(last, begun, costs, found)
    if perceptual is not None:
        series.append(
            Series(
                f"LPIPS ({perceptual.network})",
                "How far people would say it is from the content as it came (Zhang et al. 2018): 0 is the same image.",
                tuple(lpips),
            )
        )
    watch = watch_faces(data.original)
    missing = list(without)
    if isinstance(watch, str):
        missing.append(watch)
    else:
        series += _of_faces(watch, paintings)
    return Judged(tuple(series), tuple(missing))


def _own_costs(
    last: Stylization,
) -> Callable[[OpenedStylization, PyTree, Float[np.ndarray, "h w 3"], PyTree, PRNGKey], _Costs]:
    """``J_content`` and ``J_style`` of an image, without the factors alpha and beta."""
    terms = dataclasses.replace(last.objective, alpha=1.0, beta=1.0)
    alone = dataclasses.replace(last, objective=terms, portrait=None, scale=1.0, parametrization=PixelParametrization())

    @jax.jit
    def parts(
        constants: StylizationConstants, state: PyTree, pixels: Array, batch: PyTree, key: PRNGKey
    ) -> Mapping[str, Array]:
        return alone.cost({"pixels": pixels}, state, constants._replace(portrait=None), batch, key).metrics

    def of_image(
        data: OpenedStylization, state: PyTree, pixels: Float[np.ndarray, "h w 3"], batch: PyTree, key: PRNGKey
    ) -> _Costs:
        found = parts(data.constants, state, jnp.asarray(pixels)[None], batch, key)
        return _Costs(float(found["content"]), float(found["style"]))

    return of_image


def _of_losses(
    last: Stylization, begun: _Costs, costs: Sequence[_Costs], found: Sequence[Mapping[str, object]]
) -> list[Series]:
    def column(name: str) -> tuple[float, ...]:
        return tuple(float(metrics[name]) for metrics in found)  # pyright: ignore[reportArgumentType]

    read = ", ".join(layers(last.objective.content_terms))
    series = []
    if begun.style > 0:
        series.append(
            Series(
                "Style error",
                "J_style, which the preset paints by, over that of the image that it began as: 100 % is no step made.",
                tuple(cost.style / begun.style for cost in costs),
                percent=True,
            )
        )
    if "content/relative" in found[0]:
        series.append(
            Series(
                "Content error",
                f"‖F − P‖² / ‖P‖² at the preset's content layers{f' ({read})' if read else ''}: 0 % is the content itself.",
                column("content/relative"),
                percent=True,
            )
        )
    relative = column("content/relative") if "content/relative" in found[0] else (0.0,) * len(costs)
    # With the normalizer of relative errors the loss is that error.
    if read and not np.allclose([cost.content for cost in costs], relative, rtol=0.02):
        was = f", which was {begun.content:.3g} at the start" if begun.content else ", which is 0 at the start"
        series.append(Series("Content loss", f"J_content as the preset weighs it{was}.", tuple(cost.content for cost in costs)))
    words = {
        "held_out/style/relative": ("Style, held out", "The error of the Gram matrices by an encoder that has not painted."),
        "held_out/content/relative": ("Content, held out", "The error of the content by an encoder that has not painted."),
        "content/ssim": ("Structure kept", "SSIM with the content: at most 1."),
    }
    for name, (title, sentence) in words.items():
        if name in found[0]:
            series.append(Series(title, sentence, column(name), percent=name != "content/ssim"))
    return series


def _perceptual(content: Float[np.ndarray, "h w 3"]) -> "tuple[_Lpips | None, tuple[str, ...]]":
    """LPIPS with the weights that are at hand, AlexNet's first, as its authors recommend for comparing images; else why not."""
    image = jax.ShapeDtypeStruct((1, *content.shape), jnp.float32)
    said = []
    networks: tuple[LpipsNetwork, ...] = ("alex", "vgg")
    for network in networks:
        distance = Perceptual(network=network)
        try:
            measured = jax.jit(functools.partial(distance, distance.variables()))
            jax.eval_shape(measured, image, image)
            return _Lpips(network, measured), ()
        # Weights that are not here, and images that are too small for a network.
        except ValueError as error:
            said.append(str(error))
    return None, (f"LPIPS is not measured. {said[0]}",)


def _of_faces(watch: FaceWatch, paintings: Sequence[np.ndarray]) -> list[Series]:
    kept = [watch(painting) for painting in tracked("looking for the persons", paintings)]
    small = f" It is small, with {watch.eye_distance:.0f} pixels between the eyes." if watch.eye_distance < 20 else ""
    series = []
    for number in range(len(watch)):
        name = "Same person" if len(watch) == 1 else f"Same person, face {number + 1} from the left"
        series.append(
            Series(
                name,
                f"Distance of the painted face from the content's by {watch.recognizer.name}: up to "
                f"{watch.threshold:.3f} it is taken for the same person.{small}",
                tuple(each[number].distance for each in kept),
                line=watch.threshold,
            )
        )
    return series
