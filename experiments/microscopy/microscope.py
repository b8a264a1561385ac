"""A trained network with its weights and pictures, to see what its units see."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments.evaluation import read_run
from experiments.recognition.recognition import Recognition, decode_of
from experiments.recognition.recognizer import Recognizer
from research.data import Decode, Images
from research.errors import UserError
from research.geometry import ReceptiveField, receptive_fields
from research.geometry.receptive_field import Network
from research.types import Activations, AnyArray, Array, Float, PRNGKey, PyTree
from research.visualization import (
    Patches,
    Rule,
    TopPatches,
    UnitCounts,
    UnitStatistics,
    count_units,
    reconstruct,
)
from research.weights import named


@dataclasses.dataclass(frozen=True)
class Seen:
    """What was found of one layer."""

    patches: Patches
    """For each unit the pictures that excite it most, as NumPy arrays."""
    statistics: UnitStatistics
    field: ReceptiveField

    def to_json(self, images: Images) -> dict[str, Any]:
        """Every unit: its numbers and, of each patch, the picture's name, the activation and the window in pixels."""
        numbers, units = self.statistics, []
        for unit in range(len(numbers.mean)):
            patches = [
                {
                    "picture": images.names[int(picture)],
                    "value": float(value),
                    "window": [list(self.field.window(int(index))) for index in place],
                }
                for value, picture, place in zip(*(part[unit] for part in self.patches[1:]), strict=True)
                if picture >= 0
            ]
            selective = float(numbers.selectivity[unit])
            units.append(
                {
                    "unit": unit,
                    "active": float(numbers.active[unit]),
                    "mean": float(numbers.mean[unit]),
                    "selectivity": None if np.isnan(selective) else selective,
                    "favorite": images.people[int(numbers.favorite[unit])],
                    "histogram": [float(share) for share in numbers.histogram[:, unit]],
                    "patches": patches,
                }
            )
        return {"field": dataclasses.asdict(self.field), "dead": [int(unit) for unit in numbers.dead], "units": units}


@dataclasses.dataclass(frozen=True, eq=False)
class Microscope:
    """An encoder with its weights.

    Example::

        scope = Microscope.load("runs/recognition/quickstart")
        seen = scope.look(scope.own_pictures(), ("relu1", "relu4"))
        seen["relu4"].patches.picture[3]  # the nine pictures that excite unit 3 most
    """

    name: str
    encoder: nn.Module
    variables: PyTree
    decode: Decode
    """How picture files become its pictures."""
    own: Callable[[], Images] | None = None
    """The pictures it was trained on, where they are known."""

    @classmethod
    def load(cls, name: str, size: int | None = None) -> "Microscope":
        """Opens a working directory of recognition, or published weights by name, such as ``squeezenet``.

        Args:
            name: which.
            size: side of the square pictures for published weights; 128 unless given. A working directory has its own.

        Raises:
            UserError: there is neither, or the directory was not made by a recognizer.
        """
        if not Path(name).is_dir():
            published = named(name)
            if published.encoder is None:
                raise UserError(f"The weights {name} are those of a painter: give an encoder's.")
            variables, _ = published.load()
            return cls(name, published.encoder, variables, Decode(size=size or 128, channels=3))
        run = read_run(name)
        if not isinstance(run.experiment, Recognition):
            raise UserError(
                f"{name} holds a {type(run.experiment).__name__}: give the working directory of a recognizer, or published "
                "weights by name (`likeness weights list`)."
            )
        if size is not None:
            raise UserError(f"{name} was trained on pictures of one size: leave out --size.")
        recognizer = Recognizer.load(name)
        variables = {"params": recognizer.variables.params["encoder"], **recognizer.variables.state}
        experiment = run.experiment
        decode = decode_of(experiment.data) or recognizer.decode
        return cls(name, experiment.encoder, variables, decode, lambda: experiment.open().train)

    def own_pictures(self) -> Images:
        """The pictures that it was trained on.

        Raises:
            UserError: nobody knows them.
        """
        if self.own is None:
            raise UserError(f"{self.name} comes without its pictures: give a folder of some with --data.")
        return self.own()

    @functools.cached_property
    def fields(self) -> dict[str, ReceptiveField]:
        """The receptive fields of the layers, by name.

        Raises:
            UserError: the encoder does not say how its layers lie.
        """
        encoder: Any = self.encoder
        if not isinstance(encoder, Network):
            raise UserError(
                f"{type(self.encoder).__name__} does not say what its units see of a picture (it has no `geometry`), so their "
                "patches cannot be cut out."
            )
        return receptive_fields(encoder)

    def layers(self, shape: tuple[int, ...], asked: Sequence[str] = ()) -> tuple[str, ...]:
        """Those asked for, or up to five spread over the depth, ReLUs where there are some.

        Raises:
            UserError: there is no such layer.
        """
        found: Any = jax.eval_shape(self.activations, self.variables, jax.ShapeDtypeStruct((1, *shape), jnp.float32))
        maps = [name for name in self.fields if name in found and len(found[name].shape) == len(shape) + 1]
        if unknown := [name for name in asked if name not in maps]:
            raise UserError(f"{self.name} has no layer {unknown[0]!r} with maps: choose of {', '.join(maps)}.")
        if asked:
            return tuple(asked)
        of = [name for name in maps if "relu" in name] or maps
        chosen = sorted({round(place) for place in np.linspace(0, len(of) - 1, min(5, len(of)))})
        return tuple(of[number] for number in chosen)

    def activations(self, variables: PyTree, pictures: Float[Array, "b h w c"]) -> Activations:
        """All named activations of pictures in [0, 1]."""
        return self.encoder.apply(variables, pictures)  # pyright: ignore[reportReturnType]

    def look(
        self,
        images: Images,
        layers: tuple[str, ...],
        top: TopPatches = TopPatches(),  # noqa: B008
        *,
        batch: int = 64,
        seed: int = 0,
        tell: Callable[[int], None] | None = None,
    ) -> dict[str, Seen]:
        """Goes once through the pictures.

        Args:
            images: which.
            layers: of which layers.
            top: what to keep of each unit.
            batch: pictures at a time, on however many devices there are.
            seed: of the draw, for ``random``.
            tell: called with how many pictures are done.
        """
        found: Any = jax.eval_shape(self.activations, self.variables, jax.ShapeDtypeStruct((1, *images.shape), jnp.float32))
        state = {
            name: (top.init(found[name].shape[-1]), UnitCounts.init(len(images.people), found[name].shape[-1]))
            for name in layers
        }
        key = jax.random.key(seed)
        for start in range(0, len(images), batch):
            rows = np.arange(start, min(start + batch, len(images)))
            missing = batch - len(rows)
            pictures = images.read(rows)
            padded = np.concatenate([pictures, np.zeros((missing, *images.shape), np.uint8)])
            numbers, labels = (
                np.concatenate([each, np.full(missing, -1)]).astype(np.int32) for each in (rows, images.labels[rows])
            )
            state = _take(self, top, self.variables, state, padded, numbers, labels, key)
            if tell is not None:
                tell(int(rows[-1]) + 1)
        state = jax.device_get(state)
        return {name: Seen(patches, UnitStatistics.of(counts), self.fields[name]) for name, (patches, counts) in state.items()}

    def back(
        self, layer: str, pictures: AnyArray, units: AnyArray, places: AnyArray, rule: Rule, batch: int = 16
    ) -> Float[np.ndarray, "n h w c"]:
        """What of each uint8 picture excites a unit at a place: :func:`~research.visualization.reconstruct`.

        Raises:
            UserError: the rule is for ReLUs, and the encoder has none.
        """
        parts = []
        for start in range(0, len(pictures), batch):
            rows = np.arange(start, start + batch).clip(max=len(pictures) - 1)
            try:
                parts.append(_back(self, layer, rule, self.variables, *(each[rows] for each in (pictures, units, places))))
            except ValueError as error:
                raise UserError(f"{self.name} cannot be gone back through by --rule {rule}: {error}.") from error
        return np.concatenate([np.asarray(part) for part in parts])[: len(pictures)]


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=3)
def _take(
    scope: Microscope,
    top: TopPatches,
    variables: PyTree,
    state: PyTree,
    pictures: Array,
    numbers: Array,
    labels: Array,
    key: PRNGKey,
) -> PyTree:
    activations = scope.activations(variables, pictures.astype(jnp.float32) / 255)
    return {
        name: (top(patches, activations[name], numbers, key), count_units(counts, activations[name], labels))
        for name, (patches, counts) in state.items()
    }


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _back(scope: Microscope, layer: str, rule: Rule, variables: PyTree, pictures: Array, units: Array, places: Array) -> Array:
    def read(pixels: Array) -> Array:
        return scope.activations(variables, pixels)[layer]

    return reconstruct(read, pictures.astype(jnp.float32) / 255, units, places, rule)
