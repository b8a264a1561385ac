"""A cost on activations of an image too large for the device: tile by tile, and exactly.

The losses that a style is made of read sums over places (``AddsStatistics``), and the content loss is itself such a sum
(``AddsPlaces``). So the sums are collected window by window, each place counted by the one tile that owns it, and the losses
see what they would of the whole image. The gradient goes back through the same windows, each computed again: memory for
activations is that of one window.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.readers import Asked
from likeness.experiments.style.terms import Term, layers
from likeness.research.geometry.receptive_field import NetworkGeometry
from likeness.research.geometry.tiles import Tiles, cut
from likeness.research.losses import AddsPlaces, AddsStatistics, ChecksTiles
from likeness.research.losses.style.layers import ActivationLoss, averaged_mask
from likeness.research.types import Activations, AnyArray, Array, Float, Int, PRNGKey, PyTree, Scalar

Places = Int[AnyArray, "n 6"]
"""Of each window: its upper and its left pixel; its tile's first row, the row after its last, and the same of the columns."""


@dataclasses.dataclass(frozen=True)
class TiledReader:
    """Reads an image window by window."""

    encoder: FrozenEncoder
    tiles: Tiles
    together: int
    """Windows at once: as many as there are devices."""

    @property
    def strides(self) -> tuple[tuple[str, int], ...]:
        """Pixels from one place of a layer to the next, of all that are read and of the image itself."""
        return (("input", 1), *self.tiles.strides)

    @property
    def places(self) -> np.ndarray:
        """The windows, and empty ones until ``together`` divides them: (n, 6) int32, see :data:`Places`."""
        rows = [(y.start, x.start, y.begin, y.end, x.begin, x.end) for y, x in self.tiles.spans]
        rows += [(0,) * 6] * (-len(rows) % self.together)
        return np.asarray(rows, np.int32)

    def targets(
        self,
        variables: PyTree,
        image: Float[np.ndarray, "h w 3"],
        terms: tuple[Term, ...],
        mask: Float[np.ndarray, "h w"] | None = None,
    ) -> list[PyTree]:
        """What each term keeps of a reference image, on the device."""
        masks = self.region(variables, image, mask)
        pixels = jnp.asarray(image)[None]

        @jax.jit
        def take(variables: PyTree, pixels: Array, masks: PyTree, places: Array) -> list[PyTree]:
            styles = [term.loss for term in terms if isinstance(term.loss, AddsStatistics)]
            wanted = layers(tuple(term for term in terms if isinstance(term.loss, AddsPlaces)))
            _, sums = self.sums(variables, pixels, places, [], [(loss, masks) for loss in styles])
            features = self.features(variables, pixels, places, wanted)
            found = iter(sums)
            kept = []
            for term in terms:
                if isinstance(term.loss, AddsStatistics):
                    kept.append(term.loss.keep(next(found)))
                else:
                    kept.append(term.loss.target({"input": pixels, **features}))
            return kept

        return take(variables, pixels, masks, jnp.asarray(self.places))

    def region(self, variables: PyTree, image: Float[np.ndarray, "h w 3"], region: Float[np.ndarray, "h w"] | None) -> PyTree:
        """A region of the image at every layer, or None."""
        if region is None:
            return None
        pixels = jax.ShapeDtypeStruct((1, *image.shape), jnp.float32)
        whole = jax.eval_shape(self.encoder, variables, pixels)
        return {layer: averaged_mask(jnp.asarray(region), whole[layer].shape[1:3]) for layer, _ in self.strides}

    def totals(
        self,
        variables: PyTree,
        pixels: Float[Array, "1 h w 3"],
        places: AnyArray,
        asked: list[Asked],
        key: PRNGKey | None = None,
    ) -> list[Scalar]:
        """``Σ w J`` of an image for each that is asked: what reads the image itself at once, the rest from the tiles."""
        del key
        single = [(each, term, target) for each in asked for term, target in zip(each.terms, each.targets, strict=True)]
        contents = [(term.loss, target) for _, term, target in single if _reads_places(term.loss)]
        styles = [(term.loss, each.region) for each, term, _ in single if isinstance(term.loss, AddsStatistics)]
        found_contents, found_sums = self.sums(variables, pixels, places, contents, styles)
        values, sums = iter(found_contents), iter(found_sums)
        totals = []
        for each in asked:
            value = jnp.zeros((), jnp.float32)
            for term, target in zip(each.terms, each.targets, strict=True):
                if _reads_places(term.loss):
                    found = next(values)
                elif isinstance(term.loss, AddsStatistics):
                    found = term.loss.from_statistics(next(sums), target)
                else:
                    found = term.loss({"input": pixels}, target)
                value = value + term.weight * found
            totals.append(value)
        return totals

    def sums(
        self,
        variables: PyTree,
        pixels: Float[Array, "1 h w c"],
        places: Places,
        contents: Sequence[tuple[Any, PyTree]],
        styles: Sequence[tuple[AddsStatistics, Mapping[str, Array] | None]],
    ) -> tuple[list[Scalar], list[Any]]:
        """Content losses, and the sums that styles are made of, of the whole image.

        Args:
            variables: the encoder's.
            pixels: the image.
            places: :attr:`places`.
            contents: losses and their targets for the whole image.
            styles: losses, each with the mask of the whole image at each of its layers, or None.
        """

        def of_window(place: Array) -> tuple[list[Scalar], list[Any]]:
            activations, owned = self._window(variables, pixels, place)
            corner = functools.partial(self._corner, place=place)
            kept = [loss(activations, loss.cut_target(target, activations, corner), owned) for loss, target in contents]
            taken = [loss.statistics(activations, self._masked(owned, mask, place)) for loss, mask in styles]
            return kept, taken

        return self._accumulate(of_window, places)

    def features(
        self, variables: PyTree, pixels: Float[Array, "1 h w c"], places: Places, layers: tuple[str, ...]
    ) -> Activations:
        """Whole activations of an image, put together from the tiles."""
        whole = jax.eval_shape(self.encoder, variables, pixels)

        def of_window(place: Array) -> Activations:
            activations, owned = self._window(variables, pixels, place)
            parts = {}
            for layer in layers:
                seen = activations[layer] * owned[layer][None, :, :, None]
                empty = jnp.zeros(whole[layer].shape, whole[layer].dtype)
                parts[layer] = jax.lax.dynamic_update_slice(empty, seen, (0, *self._corner(layer, place), 0))
            return parts

        return self._accumulate(of_window, places)

    def _accumulate(self, of_window: Any, places: Places) -> Any:
        """The sum of a function of a window over all windows, ``together`` at once."""

        together = jax.checkpoint(jax.vmap(of_window))

        def add(total: PyTree, group: Array) -> tuple[PyTree, None]:
            return jax.tree.map(lambda a, b: a + jnp.sum(b, axis=0), total, together(group)), None

        # Each device takes its own rows in turn.
        groups = jnp.swapaxes(jnp.reshape(places, (self.together, -1, places.shape[1])), 0, 1)
        shapes = jax.eval_shape(of_window, groups[0, 0])
        zero = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return jax.lax.scan(add, zero, groups)[0]

    def _window(self, variables: PyTree, pixels: Array, place: Array) -> tuple[Activations, dict[str, Array]]:
        """The activations of a window, and at each layer which units belong to its tile."""
        size = (1, self.tiles.height, self.tiles.width, pixels.shape[3])
        activations = self.encoder(variables, jax.lax.dynamic_slice(pixels, (0, place[0], place[1], 0), size))
        owned = {}
        for layer, stride in self.strides:
            _, height, width, _ = activations[layer].shape
            rows = place[0] // stride + jnp.arange(height)
            columns = place[1] // stride + jnp.arange(width)
            inside = (rows >= place[2] // stride) & (rows < _after(place[3], stride, pixels.shape[1]))
            across = (columns >= place[4] // stride) & (columns < _after(place[5], stride, pixels.shape[2]))
            owned[layer] = (inside[:, None] & across[None, :]).astype(jnp.float32)
        return activations, owned

    def _masked(self, owned: dict[str, Array], mask: Mapping[str, Array] | None, place: Array) -> Mapping[str, Array]:
        if mask is None:
            return owned
        return {
            layer: owned[layer] * jax.lax.dynamic_slice(whole, self._corner(layer, place), owned[layer].shape)
            for layer, whole in mask.items()
        }

    def _corner(self, layer: str, place: Array) -> tuple[Array, Array]:
        stride = dict(self.strides)[layer]
        return place[0] // stride, place[1] // stride


def _after(end: Array, stride: int, side: int) -> Array:
    """The unit after a tile's last; the last tile has all that there are, also where the stride does not divide the image."""
    return jnp.where(end == side, side, end // stride)


def _reads_places(loss: ActivationLoss) -> bool:
    return isinstance(loss, AddsPlaces) and loss.layers != ("input",)


def check_tiled(loss: ActivationLoss) -> None:
    """Refuses a loss that cannot be had exactly from tiles.

    Raises:
        ValueError: naming the loss, and those that can.
    """
    if isinstance(loss, ChecksTiles):
        try:
            loss.check_tiles()
        except ValueError as error:
            raise ValueError(f"Stylization.tile is set, but {error}, or leave tile out.") from error
    if loss.layers != ("input",) and not isinstance(loss, AddsStatistics | AddsPlaces):
        raise ValueError(
            f"Stylization.tile is set, but {type(loss).__name__} compares places of the whole image with one another: use "
            "Gram, MeanStd, Covariance or Wasserstein, or a loss that is an AddsStatistics or AddsPlaces of "
            "likeness.research.losses, or leave tile out."
        )


def tiled_reader(encoder: FrozenEncoder, names: tuple[str, ...], height: int, width: int, tile: int) -> TiledReader:
    """Reads the named layers of images of one size; as many tiles at once as there are devices.

    Raises:
        ValueError: an encoder that does not say how its layers lie, a tile too small, a layer that does not exist.
    """
    module = encoder.encoder
    if not isinstance(module, NetworkGeometry):
        raise ValueError(
            f"Stylization.tile is set, but {type(module).__name__} does not say how its layers lie over the image (no "
            "`geometry`): use Vgg or SqueezeNet, or leave tile out."
        )
    wanted = [name for name in names if name != "input"]
    return TiledReader(encoder, cut(module, wanted, height, width, tile), jax.device_count())
