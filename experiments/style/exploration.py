"""One stylization at sixteen strengths, and where in the style each place of the paintings came from."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.experiments.run import Run
from likeness.experiments.style.correspondence import CellGrid, Metric, Partners, partners
from likeness.experiments.style.image import StyleImage
from likeness.experiments.style.judged_paintings import Judged, judged
from likeness.experiments.style.layer_shares import layer_gradients, style_layers
from likeness.experiments.style.strengths import at_strengths, paint_at_strengths
from likeness.experiments.style.stylization import OpenedStylization, Stylization
from likeness.experiments.training.evaluation import restore
from likeness.research.errors import UserError
from likeness.research.geometry.receptive_field import ReceptiveField, receptive_fields
from likeness.research.losses.style.layers import averaged_mask
from likeness.research.types import Float, PyTree

__all__ = ["FACTORS", "Exploration", "Explored", "ExploredLayer", "ExploredPainting"]

FACTORS = tuple(2.0 ** ((number - 8) / 2) for number in range(16))
"""From a sixteenth to eleven times, each √2 times the one before; the ninth is 1."""


_FEW = 4
"""Channels of a layer that tell too little apart for a neighbor to be one."""


class ExploredLayer(NamedTuple):
    """A layer at which the style is compared."""

    name: str
    field: ReceptiveField
    """What a unit of it sees."""
    map: tuple[int, int]
    """Height and width of a painting's activations."""
    metric: Metric
    """How its activations were compared."""


class ExploredPainting(NamedTuple):
    """A painting at one strength."""

    factor: float
    """Of the preset's beta."""
    beta: float
    pixels: Float[np.ndarray, "h w 3"]
    partners: tuple[Partners, ...]
    """Of each cell, by layer."""
    gradients: Float[np.ndarray, "layers cells"]
    """How much the style's loss asks for at each cell through each layer: the root mean square of its gradient."""


@dataclasses.dataclass(frozen=True, eq=False)
class Explored:
    """What :class:`Exploration` found."""

    run: Run
    """At the strength 1."""
    grid: CellGrid
    layers: tuple[ExploredLayer, ...]
    paintings: tuple[ExploredPainting, ...]
    original: Float[np.ndarray, "h w 3"]
    """The content as it came."""
    styles: tuple[Float[np.ndarray, "_h _w 3"], ...]
    """As they were painted from."""
    judged: Judged
    notes: tuple[str, ...]
    """What else is to be said, as sentences."""

    @property
    def experiment(self) -> Stylization:
        """The run's."""
        return _stylization(self.run)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exploration:
    """Paints a stylization at several strengths of its style, geometrically spaced around the preset's own, and explains every
    place of every painting.

    For each cell of a grid over a painting and each layer l at which the style is compared:

    - its partner: the unit of the style's map whose activations are nearest to those of the painting's unit there, by the
      cosine distance of their differences from the style's mean (colors at the layer ``input`` by Euclidean distance). That is
      a likeness of features and no proof of descent: losses of statistics know no pairs.
    - how much l asks for: ``√mean |∂J_style/∂pixel|²`` over the cell, of the part of the gradient that comes through l. At the
      end of a painting it is what the style still wants there against the content.
    """

    factors: tuple[float, ...] = FACTORS
    """Of the objective's beta."""
    cells: int = 40
    """Cells along the longer side."""

    def __post_init__(self) -> None:
        if not self.factors or min(self.factors) <= 0 or list(self.factors) != sorted(set(self.factors)):
            raise ValueError(f"Exploration.factors is {self.factors}: give numbers above 0, each larger than the one before")
        if not 2 <= self.cells <= 128:
            raise ValueError(f"Exploration.cells is {self.cells}: give 2 to 128")

    def check(self, run: Run) -> Stylization:
        """The stylization of a run that can be explored.

        Raises:
            UserError: it is none, paints by no style, or is too large to be read at once.
        """
        experiment = _stylization(run)
        if experiment.objective.beta <= 0:
            raise UserError("The strength of the style is 0, and so are all multiples of it: give a strength above 0.")
        if experiment.tile is not None:
            raise UserError(
                f"An exploration reads whole paintings, and this one of {experiment.size} pixels is read in tiles of "
                f"{experiment.tile}: leave --tile out, or give a smaller --size where the memory asks for tiles, or leave "
                "--explore out."
            )
        return experiment

    def __call__(self, run: Run, place: Callable[[Run], Path] | str | Path) -> Explored:
        """Paints what is not painted yet, and explains all of it.

        Args:
            run: of a stylization; its beta is that of the factor 1.
            place: the directory of a run's files; or one in which each strength has its own.

        Raises:
            UserError: as :meth:`check` does, and what the stylization refuses.
            Interrupted: after SIGTERM or SIGINT; the same call goes on.
        """
        experiment = self.check(run)
        runs = at_strengths(run, self.factors)
        if callable(place):
            workdirs = [place(each) for each in runs]
        else:
            workdirs = [Path(place) / f"strength_{factor:.4g}" for factor in self.factors]
        paint_at_strengths(runs, workdirs)
        learned = [restore(workdir, each)[1] for each, workdir in zip(runs, workdirs, strict=True)]
        images = [_stylization(each).image(one.params) for each, one in zip(runs, learned, strict=True)]
        with jax.default_matmul_precision(run.matmul_precision):
            return self._explained(run, experiment, images, [one.state for one in learned])

    def _explained(self, run: Run, experiment: Stylization, images: Sequence[np.ndarray], states: Sequence[PyTree]) -> Explored:
        last = experiment.stages()[-1]
        data = last.open()
        key = jax.random.key(run.seed)
        batch = next(iter(last.stream(data, run.seed)))
        height, width, _ = data.content.shape
        grid = CellGrid.over(height, width, self.cells)
        names = style_layers(last)
        fields = receptive_fields(_geometry(last))
        seen = [last.colors.compared(image) for image in images]
        asked = layer_gradients(last, names, grid)
        gradients = [
            asked(data.constants, state, batch, key, each)
            for each, state in tracked(f"asking {len(names)} layers", list(zip(seen, states, strict=True)))
        ]
        found, alive = _matched(last, data, names, fields, grid, seen)
        maps = jax.eval_shape(last.encoder, data.constants.encoder, jax.ShapeDtypeStruct((1, height, width, 3), jnp.float32))
        start = last.colors.compared(_start(experiment, data, key))
        numbers = judged(last, data, start, images, states, batch, key)
        paintings = tuple(
            ExploredPainting(factor, factor * experiment.objective.beta, image, partner, gradient.reshape(len(names), -1))
            for factor, image, partner, gradient in zip(self.factors, images, found, gradients, strict=True)
        )
        layers = tuple(ExploredLayer(name, fields[name], _size(maps[name]), _metric(name)) for name in names)
        return Explored(run, grid, layers, paintings, data.original, data.styles, numbers, _notes(last, names, alive))


def _stylization(run: Run) -> Stylization:
    if not isinstance(run.experiment, Stylization):
        raise UserError(f"The run is one of a {type(run.experiment).__name__}, and a Stylization is explored: give one.")
    return run.experiment


def _geometry(experiment: Stylization) -> Any:
    return experiment.encoder.encoder


def _size(features: Any) -> tuple[int, int]:
    return features.shape[1], features.shape[2]


def _metric(layer: str) -> Metric:
    return "euclidean" if layer == "input" else "cosine"


def _start(experiment: Stylization, data: OpenedStylization, key: Any) -> np.ndarray:
    """The image to begin with, at the size of the last one."""
    begun = experiment.start(data.constants.content, experiment.start.open(data.content, data.styles), key)
    return np.clip(np.asarray(begun[0], np.float32), 0.0, 1.0)


def _matched(
    experiment: Stylization,
    data: OpenedStylization,
    names: tuple[str, ...],
    fields: dict[str, ReceptiveField],
    grid: CellGrid,
    images: Sequence[np.ndarray],
) -> tuple[list[tuple[Partners, ...]], dict[str, tuple[int, int]]]:
    """The partners of every painting's cells, at each layer; and how many of a layer's channels tell places of the styles
    apart, of how many."""

    @jax.jit
    def read(pixels: Any) -> dict[str, Any]:
        activations = experiment.encoder(data.constants.encoder, pixels)
        return {name: activations[name][0] for name in names}

    references = [{name: np.asarray(each) for name, each in read(jnp.asarray(style)[None]).items()} for style in data.styles]
    where = [_where(style, data, image, grid) for style, image in zip(experiment.styles, data.styles, strict=True)]
    work = [(number, name) for number in range(len(images)) for name in names]
    found: list[list[Partners]] = [[] for _ in images]
    maps: dict[str, Any] = {}
    for number, name in tracked("looking for pieces of the style", work):
        if name == names[0]:
            maps = read(jnp.asarray(images[number])[None])
        painted = maps[name]
        units = grid.units(fields[name], (painted.shape[0], painted.shape[1]))
        kept = {index: each[name] for index, each in enumerate(references) if experiment.styles[index].weight > 0}
        masks = {
            index: np.asarray(averaged_mask(mask, each.shape[:2])) > 0.5
            for index, each in kept.items()
            if (mask := where[index][0]) is not None
        }
        allowed = {index: where[index][1] for index in kept}
        found[number].append(_of_regions(painted, kept, units, _metric(name), masks, allowed))
    return [tuple(each) for each in found], {name: _alive([each[name] for each in references]) for name in names}


def _alive(maps: Sequence[np.ndarray]) -> tuple[int, int]:
    spread = np.max([each.reshape(-1, each.shape[-1]).std(axis=0) for each in maps], axis=0)
    return int(np.sum(spread > 1e-3 * spread.max())), len(spread)


def _where(
    style: StyleImage, data: OpenedStylization, image: np.ndarray, grid: CellGrid
) -> tuple[np.ndarray | None, np.ndarray]:
    """What counts of a style, and in which cells it applies."""
    region = style.region_in(data.content)
    cells = np.ones(grid.rows * grid.columns, bool)
    if region is not None:
        cells = np.asarray(averaged_mask(region, (grid.rows, grid.columns))).reshape(-1) > 0.02
    return style.mask_of(image), cells


def _of_regions(
    painted: Any,
    kept: dict[int, np.ndarray],
    units: np.ndarray,
    metric: Metric,
    masks: dict[int, np.ndarray],
    allowed: dict[int, np.ndarray],
) -> Partners:
    """The partners among the styles that apply in a cell; among all where none does."""
    if all(cells.all() for cells in allowed.values()):
        return partners(painted, kept, units, metric, masks)
    alone = {index: partners(painted, {index: each}, units, metric, masks) for index, each in kept.items()}
    nowhere = ~np.any(list(allowed.values()), axis=0)
    far = [np.where(allowed[index] | nowhere, one.distance, np.inf) for index, one in alone.items()]
    nearest = np.argmin(far, axis=0)
    return Partners(*(np.choose(nearest, columns) for columns in zip(*alone.values(), strict=True)))


def _notes(experiment: Stylization, names: tuple[str, ...], alive: dict[str, tuple[int, int]]) -> tuple[str, ...]:
    said = [
        "A piece is the nearest neighbor of the place's features: at each layer, the unit of the style's map whose activations "
        "have the least cosine distance from those of the painting, both without the style's mean"
        + ("; of the layer “input”, the pixel of the nearest color" if "input" in names else "")
        + ". It is a likeness and no proof of descent: the preset's losses "
        "may compare statistics, which know no pairs.",
        "The share of a layer is that of the gradient of the style's loss, pulled back to the pixels of the cell through this "
        "layer alone. Of a finished painting it is what the style still asks for there, against the content.",
    ]
    said += [
        f"At {name} only {count} of {every} channels tell places of the style apart: its pieces say little."
        for name, (count, every) in alive.items()
        if every > _FEW >= count
    ]
    if any(style.turned for style in experiment.styles):
        said.append("The turned copies of the style, which the preset's losses look at too, are not searched for pieces.")
    return tuple(said)
