"""Many contents in many styles by several methods, all painted by one program and evaluated by one encoder."""

import dataclasses
import itertools
import re
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.experiments.experiment import Batches, Evaluation, Experiment, LossOutput, Part, Variables
from likeness.experiments.fingerprints import Fingerprints
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.colors import own_colors
from likeness.experiments.style.cropped import Cropped
from likeness.experiments.style.evaluator import StyleEvaluator
from likeness.experiments.style.grid_report import UNPAINTED, ShownGrid, Work, contact_sheet, entry, means, scatter, table
from likeness.experiments.style.parametrizations import PixelParametrization
from likeness.experiments.style.starts import draws
from likeness.experiments.style.stylization import Rounds, Stylization, StylizationConstants
from likeness.experiments.style.terms import layers
from likeness.research.errors import UserError
from likeness.research.images.sources import ImageSource
from likeness.research.types import Array, PRNGKey, PyTree


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """One way to paint every content in every style."""

    name: str
    """What it is called in metrics, figures and file names."""
    how: Stylization
    """A stylization in one style. Its content, the image of its style, its size and its evaluator are replaced by the
    grid's."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9.+-]+", self.name) or self.name == UNPAINTED:
            raise ValueError(
                f"Method.name is {self.name!r}: give letters, digits and . + -, for it is part of file names, and another name "
                f"than {UNPAINTED}"
            )
        if len(self.how.styles) != 1:
            raise ValueError(
                f"Method {self.name} has {len(self.how.styles)} styles: give it one, whose image each of the grid's replaces"
            )
        (style,) = self.how.styles
        kept_out = {
            "pyramid": self.how.pyramid.smallest is not None,
            "parametrization": not isinstance(self.how.parametrization, PixelParametrization),
            "last_terms": bool(self.how.last_terms),
            "tile": self.how.tile is not None,
            "portrait": self.how.portrait is not None,
            "styles[0].region": style.region is not None,
            "styles[0].mask": style.mask is not None,
        }
        for field, given in kept_out.items():
            if given:
                raise ValueError(
                    f"Method {self.name} sets {field}, which is for one image or for several sizes of it and cannot be in a "
                    "grid: leave it out, or paint by a Stylization alone"
                )


class Cell(NamedTuple):
    """One image of each method: places in the grid's fields."""

    content: int
    style: int
    seed: int


class Alone(NamedTuple):
    """One image of a method, as if it were painted alone."""

    how: Stylization
    """What would paint it."""
    content: np.ndarray
    """What is painted, its colors matched where the method says so: (h, w, 3), RGB in [0, 1]."""
    styles: tuple[np.ndarray, ...]
    """In the look of what, as large as the method sees it; one."""


class GridConstants(NamedTuple):
    """What the cost of a grid reads, on the device."""

    encoders: list[PyTree]
    """The weights of each encoder."""
    methods: dict[str, StylizationConstants]
    """By the name of a method, one row an image; without the encoder."""


@dataclasses.dataclass(frozen=True)
class OpenedGrid:
    """The images of a grid and what the cost keeps of them."""

    contents: tuple[np.ndarray, ...]
    """As they came, cropped: (h, w, 3), RGB in [0, 1]."""
    styles: tuple[np.ndarray, ...]
    """The same of the styles, at the contents' size."""
    alone: Mapping[str, tuple[Alone, ...]]
    """Of each method, its images one by one."""
    constants: GridConstants
    places: np.ndarray | None
    """See :class:`likeness.experiments.style.stylization.OpenedStylization`."""
    evaluator: PyTree
    """The weights of the encoder that evaluates."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StyleGrid(Experiment):
    """Paints every content in every style from every seed by every method, in one program.

        J = Σ_methods Σ_images J_method(image)

    What is learned are the images by method, ``{name: (n, h, w, 3)}``, RGB in [0, 1], contents slowest and seeds fastest. No
    image's cost depends on another, so with an update rule that goes entry by entry (Adam, Sgd, AdaGrad) each is painted as
    its :class:`~likeness.experiments.style.Stylization` alone would. Rules that look at all of the gradient couple them:
    L-BFGS, a gradient clipped by its norm, steps that are taken back when one image is not finite.

    All images have one shape: that of the first content at ``size``. The others, styles too, are cut around their centers to
    its proportions.

    The encoder's weights are there once for all images that it reads, so its convolutions see one large batch. Memory grows
    with the number of images.
    """

    evaluating: ClassVar[str] = "evaluating every painting"

    contents: tuple[ImageSource, ...]
    """What is to be seen."""
    styles: tuple[ImageSource, ...]
    """What it is to look like."""
    methods: tuple[Method, ...]
    """How it is painted. How large a style is shown, and how much it counts, each method's own style image says."""
    seeds: tuple[int, ...] = (0,)
    """Each paints all of it once more, from another start: an image is that of its stylization in a run of this seed. The
    seed of the grid's own run decides nothing."""
    size: int = 128
    """Longer side of the images, in pixels."""
    evaluator: StyleEvaluator = StyleEvaluator()
    """By whom all of them are evaluated."""

    def __post_init__(self) -> None:
        for name in ("contents", "styles", "methods", "seeds"):
            if not getattr(self, name):
                raise ValueError(f"StyleGrid.{name} is empty: give at least one")
        names = [method.name for method in self.methods]
        for field, values in (("methods have the names", names), ("seeds are", self.seeds)):
            if len(set(values)) != len(values):
                raise ValueError(f"StyleGrid's {field} {', '.join(map(str, values))}: give each only once")
        if min(self.seeds) < 0:
            raise ValueError(f"StyleGrid.seeds is {self.seeds}: give numbers of 0 or more")
        if not 16 <= self.size <= 16384:
            raise ValueError(f"StyleGrid.size is {self.size}: give 16 to 16384 pixels")
        for method in self.methods:
            start = method.how.start
            if len(self.seeds) > 1 and not draws(start):
                raise ValueError(
                    f"StyleGrid has {len(self.seeds)} seeds, but method {method.name} starts {type(start).__name__} without "
                    "noise, so all would paint the same image: give one seed, or a start that draws"
                )

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The images of each method, in order."""
        counts = (range(len(values)) for values in (self.contents, self.styles, self.seeds))
        return tuple(Cell(*places) for places in itertools.product(*counts))

    def open(self) -> OpenedGrid:
        """Reads the images, loads each encoder once, and takes the targets.

        Raises:
            UserError: an image that cannot be read, weights that cannot be had, or images that do not fit the losses.
        """
        height, width, _ = self.contents[0].open(self.size).shape
        contents, styles = (
            tuple(Cropped(source=source, proportions=(height, width)) for source in sources)
            for sources in (self.contents, self.styles)
        )
        evaluator = self.evaluator.variables()
        weights = {encoder: encoder.variables() for encoder in self._encoders}
        alone, kept, places = {}, {}, None
        for method in self.methods:
            pairs = {pair: self._alone(method, contents[pair[0]], styles[pair[1]]) for pair in self._pairs}
            opened = {pair: each.open((weights[method.how.encoder], evaluator)) for pair, each in pairs.items()}
            cells = [(pairs[cell[:2]], opened[cell[:2]]) for cell in self.cells]
            alone[method.name] = tuple(Alone(how, one.content, one.styles) for how, one in cells)
            kept[method.name] = _stacked(method.name, [one.constants for _, one in cells])
            places = next(iter(opened.values())).places
        constants = GridConstants(list(weights.values()), kept)
        cropped, looks = (tuple(source.open(self.size) for source in sources) for sources in (contents, styles))
        return OpenedGrid(cropped, looks, alone, constants, places, evaluator)

    def constants(self, data: OpenedGrid) -> GridConstants:
        """``encoders``: the weights of each encoder; ``methods``: by name, what their costs read, one row an image."""
        return data.constants

    def fingerprints(self, data: OpenedGrid) -> Fingerprints:
        """Of all images, and of the weights of the encoders."""
        read: dict[str, str] = {}
        for name, sources in (("content", self.contents), ("style", self.styles)):
            read |= {f"{name} {number}": source.fingerprint() for number, source in enumerate(sources, 1)}
        for method in self.methods:
            of = {name: source for name, source in method.how.sources().items() if name == "start"}
            read |= {f"{name} of {method.name}": source.fingerprint() for name, source in of.items()}
        for number, (encoder, weights) in enumerate(zip(self._encoders, data.constants.encoders, strict=True), 1):
            read |= {f"{name} {number}": value for name, value in encoder.fingerprint(weights).items()}
        return Fingerprints(training=read, validation=self.evaluator.fingerprint(data.evaluator))

    def describe(self, data: OpenedGrid) -> tuple[str, ...]:
        """What is painted, how often, and by what."""
        height, width, _ = data.contents[0].shape
        names = [", ".join(each) for each in (*self._titles, [method.name for method in self.methods])]
        return (
            f"painting {len(self.methods) * len(self.cells)} images ({width} × {height}) at once: {names[0]}; in the look of "
            f"{names[1]}; by {names[2]}" + (f"; from {len(self.seeds)} seeds" if len(self.seeds) > 1 else ""),
        )

    def stream(self, data: OpenedGrid, seed: int) -> Batches:
        """The same windows again and again; nothing for images that are read whole."""
        return super().stream(data, seed) if data.places is None else Rounds(data.places)

    def init(self, key: PRNGKey, constants: GridConstants, batch: PyTree) -> Variables:
        """The images to begin with: those of the methods' stylizations in runs of the seeds."""
        del key, batch
        keys = jnp.stack([jax.random.key(self.seeds[cell.seed]) for cell in self.cells])
        params = {}
        for method in self.methods:
            kept = constants.methods[method.name]
            first = jax.vmap(method.how.start)(kept.content, kept.start, keys)
            params[method.name] = first[:, 0]
        return Variables(params, {})

    def cost(self, params: PyTree, state: PyTree, constants: GridConstants, batch: PyTree, key: PRNGKey) -> LossOutput:
        """The sum of all images' costs; for the log, the mean parts of each method."""
        value, means = jnp.zeros(()), {}
        for method in self.methods:
            costs, parts = self._costs(method, params[method.name], constants, batch, key)
            value = value + jnp.sum(costs)
            means |= {f"{method.name}/{part}": jnp.mean(each) for part, each in parts.items()}
        return LossOutput(value, state, means)

    def evaluate(self, data: OpenedGrid, params: PyTree, state: PyTree, part: Part) -> Evaluation:
        """Evaluates every image as its stylization alone would be.

        Metrics are those of :meth:`likeness.experiments.style.evaluator.StyleEvaluator.metrics`,
        ``METHOD/held_out/style/relative`` and so on, means over the method's images. ``METHOD/style/relative`` and
        ``METHOD/content/relative`` are under the encoder and at the layers that the method painted by. All others compare
        between methods, as far as these match colors and show styles alike. On the test part also how near the contents as they
        came are to the styles, ``unpainted/…``; every image; the images side by side; the errors of content and style as a
        figure; and all metrics of every image.
        """
        del state
        works = self._evaluated(data, params)
        if part == "validation":
            return Evaluation(metrics=means(works))
        unpainted = self._unpainted(data)
        contents, styles = self._titles
        shown = ShownGrid(
            dict(zip(contents, data.contents, strict=True)), dict(zip(styles, data.styles, strict=True)), tuple(works)
        )
        seeded = len(self.seeds) > 1
        names = ["_".join((w.method, w.content, w.style, *([str(w.seed)] if seeded else []))) for w in works]
        height, width, _ = data.contents[0].shape
        return Evaluation(
            metrics=means([*works, *unpainted]),
            figures={"contact_sheet": contact_sheet(shown), "errors": scatter(works, unpainted)},
            artifacts={"grid": {"height": height, "width": width, "images": [entry(work) for work in [*works, *unpainted]]}},
            images={name: work.pixels for name, work in zip(names, works, strict=True)},
            notes=(table(works),),
        )

    @property
    def _encoders(self) -> tuple[FrozenEncoder, ...]:
        return tuple(dict.fromkeys(method.how.encoder for method in self.methods))

    @property
    def _pairs(self) -> tuple[tuple[int, int], ...]:
        return tuple(dict.fromkeys((cell.content, cell.style) for cell in self.cells))

    @property
    def _titles(self) -> tuple[list[str], list[str]]:
        """Of the contents and the styles, each only once."""
        return _distinct([content.title for content in self.contents]), _distinct([style.title for style in self.styles])

    def _alone(self, method: Method, content: Cropped, style: Cropped) -> Stylization:
        """The stylization that paints one image."""
        look = dataclasses.replace(method.how.styles[0], image=style)
        objective = dataclasses.replace(method.how.objective, evaluator=self.evaluator)
        return dataclasses.replace(method.how, content=content, styles=(look,), size=self.size, objective=objective)

    def _costs(
        self, method: Method, pixels: Array, constants: GridConstants, batch: PyTree, key: PRNGKey
    ) -> tuple[Array, Mapping[str, Array]]:
        encoder = constants.encoders[self._encoders.index(method.how.encoder)]

        def alone(pixels: Array, kept: StylizationConstants) -> tuple[Array, Mapping[str, Array]]:
            # The weights come from outside of vmap: with an axis of their own, convolutions would become grouped and slow.
            cost = method.how.cost({"pixels": pixels[None]}, {}, kept._replace(encoder=encoder), batch, key)
            return cost.value, dict(cost.metrics)

        return jax.vmap(alone)(pixels, constants.methods[method.name])

    def _evaluated(self, data: OpenedGrid, params: PyTree) -> list[Work]:
        painted = [
            (method.name, cell, alone, pixels)
            for method in self.methods
            for cell, alone, pixels in zip(self.cells, data.alone[method.name], np.asarray(params[method.name]), strict=True)
        ]
        works, (contents, styles) = [], self._titles
        for method, cell, alone, pixels in tracked("comparing painted images", painted):
            image = alone.how.image({"pixels": pixels[None]})
            metrics = self._metrics(data, cell, alone, image)
            works.append(Work(method, contents[cell.content], styles[cell.style], self.seeds[cell.seed], image, metrics))
        return works

    def _unpainted(self, data: OpenedGrid) -> list[Work]:
        """The contents as they came, each beside each style as the first method sees it."""
        works, (contents, styles) = [], self._titles
        first = zip(self.cells, data.alone[self.methods[0].name], strict=True)
        for cell, alone in tracked("comparing unpainted images", [each for each in first if each[0].seed == 0]):
            image = data.contents[cell.content]
            metrics = self._metrics(data, cell, alone, image)
            # What is left out is about the content, or depends on the method.
            metrics = {name: metrics[name] for name in metrics if "style/" in name and name != "style/relative"}
            works.append(Work(UNPAINTED, contents[cell.content], styles[cell.style], self.seeds[0], image, metrics))
        return works

    def _metrics(self, data: OpenedGrid, cell: Cell, alone: Alone, image: np.ndarray) -> dict[str, float]:
        how = alone.how
        read = (layers(how.objective.content_terms), layers(how.styles[0].terms or how.objective.style_terms))
        weights = data.constants.encoders[self._encoders.index(how.encoder)]
        seen = how.colors.compared(image)
        found = self.evaluator.metrics(data.evaluator, how.encoder, weights, read, seen, alone.content, alone.styles)
        return {**found, "content/color_distance": own_colors(image, data.contents[cell.content], self.evaluator.size)}


def _stacked(method: str, kept: list[StylizationConstants]) -> StylizationConstants:
    """What the cost reads of each image beside the encoder, one row an image."""
    rows = [one._replace(encoder=None) for one in kept]
    try:
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)
    except (ValueError, TypeError) as error:
        raise UserError(
            f"What the losses or the start of method {method} keep has not one shape for all images, so they cannot be "
            f"painted at once: {error}"
        ) from error


def _distinct(titles: list[str]) -> list[str]:
    """Those that occur before get a number."""
    seen: dict[str, int] = {}
    found = []
    for title in titles:
        seen[title] = seen.get(title, 0) + 1
        found.append(title if seen[title] == 1 else f"{title}-{seen[title]}")
    return found
