"""A network with its weights and images, signals or volumes, to see what its units see."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from likeness.experiments.frozen import FrozenEncoder, LearnedEncoder, are_drawn
from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.training.evaluation import read_run
from likeness.experiments.visualization.examples import ExampleRows, LookedAt, photographs
from likeness.research.data import Examples, Images, Preprocessing, to_unit
from likeness.research.errors import UserError
from likeness.research.geometry import ReceptiveField, receptive_fields
from likeness.research.geometry.receptive_field import NetworkGeometry
from likeness.research.types import Activations, AnyArray, Array, Float, PRNGKey, PyTree
from likeness.research.visualization import (
    Patches,
    Rule,
    TopPatches,
    UnitCounts,
    UnitStatistics,
    count_units,
    reconstruct,
)
from likeness.research.weights import named


@dataclasses.dataclass(frozen=True)
class Seen:
    """What was found of one layer."""

    patches: Patches
    """For each unit the images that excite it most, as NumPy arrays."""
    statistics: UnitStatistics
    field: ReceptiveField

    @property
    def sees(self) -> str:
        """What a unit sees: ``38 samples``, ``10 x 10 pixels``, ``8 x 8 x 8 voxels``."""
        axes = self.patches.place.shape[-1]
        return f"{' x '.join([str(self.field.size)] * axes)} {('samples', 'pixels', 'voxels')[axes - 1]}"

    def to_json(self, images: LookedAt) -> dict[str, Any]:
        """Every unit: its numbers and, of each patch, the image's name, the activation and the window along each axis."""
        numbers, units = self.statistics, []
        for unit in range(len(numbers.mean)):
            patches = [
                {
                    "image": images.names[int(image)],
                    "value": float(value),
                    "window": [list(self.field.window(int(index))) for index in place],
                }
                for value, image, place in zip(*(part[unit] for part in self.patches[1:]), strict=True)
                if image >= 0
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
        seen = scope.look(scope.own_images(), ("relu1", "relu4"))
        seen["relu4"].patches.image[3]  # the nine images that excite unit 3 most
    """

    name: str
    encoder: nn.Module
    variables: PyTree
    inputs: ModelInputs
    """What it takes, and how image files become that."""
    own: Callable[[], Images | ExampleRows] | None = None
    """The examples it was trained on, where they are known."""
    notes: tuple[str, ...] = ()
    """What a person who looks at its units should know, in sentences."""

    @classmethod
    def load(cls, name: str, size: int | None = None) -> "Microscope":
        """Opens a working directory, or published weights by name, such as ``squeezenet11``.

        Args:
            name: which: a run that has learned an encoder, such as one of recognition or classification; a run with a frozen
                one, such as of stylization, that it paints by; or weights.
            size: side of the square images for published weights and frozen encoders; 128 unless given. The others have learned
                from examples of one size.

        Raises:
            UserError: there is neither, or the run has no encoder of images, signals or volumes.
        """
        if not Path(name).is_dir():
            if len(Path(name).parts) > 1:
                raise UserError(f"There is no working directory {name}: train a config first, with `likeness train`.")
            published = named(name)
            if published.encoder is None:
                raise UserError(f"The weights {name} are those of a style network: give an encoder's.")
            variables, _ = published.load()
            return cls._of_photographs(name, published.encoder, variables, size)
        experiment: Any = read_run(name).experiment
        if isinstance(frozen := getattr(experiment, "encoder", None), FrozenEncoder):
            return cls._of_frozen(name, frozen, size)
        if size is not None:
            raise UserError(f"{name} was trained on examples of one size: leave out --size.")
        learned = LearnedEncoder.load(name)
        return cls(name, learned.encoder, learned.variables, learned.inputs, lambda: _rows(experiment.training_examples()))

    @classmethod
    def _of_frozen(cls, name: str, frozen: FrozenEncoder, size: int | None) -> "Microscope":
        trained = frozen.preprocessing
        if trained is None:
            scope = cls._of_photographs(name, frozen.encoder, frozen.variables(), size)
        elif size is None:
            inputs = ModelInputs(shape=trained.shape, preprocessing=trained, source="a run")
            scope = cls(name, frozen.encoder, frozen.variables(), inputs)
        else:
            raise UserError(f"The encoder of {name} was trained on examples of one size: leave out --size.")
        random = "random: its encoder's filters were drawn and never trained, so its units look for nothing in particular"
        return dataclasses.replace(scope, notes=(random,)) if are_drawn(frozen.weights) else scope

    @classmethod
    def _of_photographs(cls, name: str, encoder: nn.Module, variables: PyTree, size: int | None) -> "Microscope":
        side = 128 if size is None else size
        if side < 16:
            raise UserError(f"The size of the images is {side}: give --size of 16 pixels or more.")
        files = Preprocessing(size=(side, side))
        inputs = ModelInputs(shape=files.shape, preprocessing=files, source="photographs")
        return cls(name, encoder, variables, inputs, lambda: photographs(side))

    def own_examples(self) -> Images | ExampleRows:
        """What it was trained on; for published weights and stylization's encoders cutouts of two photographs.

        Raises:
            UserError: nobody knows them.
        """
        if self.own is None:
            raise UserError(f"{self.name} comes without its images: give a folder of some with --data.")
        return self.own()

    def own_images(self) -> Images:
        """The same, where they are images.

        Raises:
            UserError: nobody knows them, or they are examples of a classification.
        """
        examples = self.own_examples()
        if isinstance(examples, ExampleRows):
            raise UserError(f"{self.name} has learned from examples of {examples.shape}, not from images of a recognizer.")
        return examples

    def images_in(self, folder: str) -> Images:
        """The images in the folders of a folder, made into what it was trained on.

        Raises:
            UserError: it is an encoder of signals or volumes, nobody said how files become its images, or there are none.
        """
        axes = getattr(self.encoder, "spatial_dims", 2)
        if axes != 2:
            raise UserError(f"{self.name} has learned from examples of {axes} axes, and --data takes images: leave it out.")
        return self.inputs.open_folder(folder)

    @functools.cached_property
    def fields(self) -> dict[str, ReceptiveField]:
        """The receptive fields of the layers, by name.

        Raises:
            UserError: the encoder does not say how its layers lie.
        """
        encoder: Any = self.encoder
        if not isinstance(encoder, NetworkGeometry):
            raise UserError(
                f"{type(self.encoder).__name__} does not say what its units see of an image (it has no `geometry`), so their "
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

    def activations(self, variables: PyTree, images: Float[Array, "b *space c"]) -> Activations:
        """All named activations of examples in [0, 1]."""
        return self.encoder.apply(variables, images)  # pyright: ignore[reportReturnType]

    def look(
        self,
        images: LookedAt,
        layers: tuple[str, ...],
        top: TopPatches = TopPatches(),  # noqa: B008
        *,
        batch: int = 32,
        seed: int = 0,
        tell: Callable[[int], None] | None = None,
    ) -> dict[str, Seen]:
        """Goes once through the examples, on all devices of this process.

        Each device looks at its part of every batch and keeps its own best, which are brought together at the end: they are
        those of one device alone, ties included.

        Args:
            images: which.
            layers: of which layers.
            top: what to keep of each unit.
            batch: examples at a time; rounded up to a multiple of the devices.
            seed: of the draw, for ``random``.
            tell: called with how many examples are done.
        """
        devices = jax.local_devices()
        mesh = jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)
        split, whole = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (("data",), ()))
        batch = -(-batch // len(devices)) * len(devices)
        found: Any = jax.eval_shape(self.activations, self.variables, jax.ShapeDtypeStruct((1, *images.shape), jnp.float32))
        axes, classes = len(images.shape) - 1, len(images.people)
        units = {name: found[name].shape[-1] for name in layers}
        empty = {name: (top.init(count, axes), UnitCounts.init(classes, count)) for name, count in units.items()}
        state = jax.device_put(jax.tree.map(lambda part: np.stack([part] * len(devices)), empty), split)
        variables, key = jax.device_put((self.variables, jax.random.key(seed)), whole)
        for start in range(0, len(images), batch):
            rows = np.arange(start, min(start + batch, len(images)))
            examples, numbers, labels = images.read(rows), rows, images.labels[rows]
            if missing := batch - len(rows):
                examples = np.concatenate([examples, np.zeros((missing, *images.shape), examples.dtype)])
                numbers, labels = (np.concatenate([each, np.full(missing, -1)]) for each in (numbers, labels))
            shares = jax.device_put((examples, numbers.astype(np.int32), np.asarray(labels, np.int32)), split)
            state = _take(self, top, mesh, variables, state, *shares, key)
            if tell is not None:
                tell(int(rows[-1]) + 1)
        return {name: self._seen(name, top, *parts) for name, parts in jax.device_get(state).items()}

    def _seen(self, layer: str, top: TopPatches, patches: Patches, counts: UnitCounts) -> Seen:
        together = UnitCounts(*(np.asarray(np.sum(part, axis=0, dtype=np.float64)) for part in counts))
        return Seen(top.merge(patches), UnitStatistics.of(together), self.fields[layer])

    def back(
        self, layer: str, images: AnyArray, units: AnyArray, places: AnyArray, rule: Rule, batch: int = 16
    ) -> Float[np.ndarray, "n *space c"]:
        """What of each example excites a unit at a place: :func:`~likeness.research.visualization.reconstruct`.

        Raises:
            UserError: the rule is for ReLUs, and the encoder has none.
        """
        parts = []
        for start in range(0, len(images), batch):
            rows = np.arange(start, start + batch).clip(max=len(images) - 1)
            try:
                parts.append(_back(self, layer, rule, self.variables, *(each[rows] for each in (images, units, places))))
            except ValueError as error:
                raise UserError(f"{self.name} cannot be gone back through by --rule {rule}: {error}.") from error
        return np.concatenate([np.asarray(part) for part in parts])[: len(images)]


def _rows(examples: Any) -> Any:
    return ExampleRows.of(examples) if isinstance(examples, Examples) else examples


@functools.partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=4)
def _take(
    scope: Microscope,
    top: TopPatches,
    mesh: jax.sharding.Mesh,
    variables: PyTree,
    state: PyTree,
    examples: Array,
    numbers: Array,
    labels: Array,
    key: PRNGKey,
) -> PyTree:
    def share(variables: PyTree, state: PyTree, examples: Array, numbers: Array, labels: Array, key: PRNGKey) -> PyTree:
        activations = scope.activations(variables, to_unit(examples))
        taken = {}
        for name, parts in state.items():
            patches, counts = jax.tree.map(lambda part: part[0], parts)
            taken[name] = (top(patches, activations[name], numbers, key), count_units(counts, activations[name], labels))
        return jax.tree.map(lambda part: part[None], taken)

    over, same = PartitionSpec("data"), PartitionSpec()
    # Nothing passes between devices, which JAX cannot see of a loop whose length each decides for itself.
    looked = jax.shard_map(share, mesh=mesh, in_specs=(same, over, over, over, over, same), out_specs=over, check_vma=False)
    return looked(variables, state, examples, numbers, labels, key)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _back(scope: Microscope, layer: str, rule: Rule, variables: PyTree, images: Array, units: Array, places: Array) -> Array:
    def read(pixels: Array) -> Array:
        return scope.activations(variables, pixels)[layer]

    return reconstruct(read, to_unit(images), units, places, rule)
