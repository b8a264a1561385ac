"""What every loss on activations shares: which layers it reads, how much each counts, and where a mask is at a layer."""

import abc
import dataclasses
import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.checks import check_array
from likeness.research.types import Activations, AnyArray, Array, Float, PyTree, Scalar, Shaped

Mask: TypeAlias = Shaped[AnyArray, "..."]
"""Where in an image a loss looks: 0 nowhere, 1 fully, at the image's own resolution (h, w). What is no such mask is refused
in a sentence."""

PlaceMask: TypeAlias = Mask | Mapping[str, Shaped[AnyArray, "..."]]
"""The same, or at each layer's own resolution, by name."""


_ROUNDING = 1e-5
"""By so much averages of a mask may leave [0, 1]."""


class ActivationLoss(abc.ABC):
    """A loss that compares the activations of images with what it kept of a reference image.

    A base class, for the command line reaches no fields through a protocol.
    """

    follows: ClassVar[bool] = False
    """Whether it asks each place for what is nearest to what is there already: an image that begins as the content then keeps
    its forms without a loss of content."""

    layers: tuple[str, ...]
    """The activations that it reads."""

    neighbors: ClassVar[bool] = False
    """Whether it compares neighboring places, so that the border of the image matters to it."""

    @abc.abstractmethod
    def target(self, reference: Activations, mask: Mask | None = None) -> PyTree:
        """What it keeps of the reference image: a pytree of arrays."""

    @abc.abstractmethod
    def __call__(self, activations: Activations, target: PyTree, mask: Mask | None = None) -> Scalar:
        """The float32 mean over the images of their losses; a target of one image is that of all of them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layers(ActivationLoss):
    """The layers that a loss reads and their weights: ``J = Σ_l λ_l J_l``."""

    layers: tuple[str, ...]
    """Names of the activations."""

    weights: tuple[float, ...] = ()
    """λ_l, one a layer; () for 1/len(layers) each."""

    def __post_init__(self) -> None:
        owner = type(self).__name__
        if not self.layers or len(set(self.layers)) != len(self.layers):
            raise ValueError(f"{owner}(layers={self.layers}): name at least one layer, and each only once.")
        if self.weights and len(self.weights) != len(self.layers):
            raise ValueError(
                f"{owner}(weights={self.weights}): {len(self.weights)} weights for {len(self.layers)} layers. "
                "Give one weight a layer, or () to weigh them alike."
            )
        if not all(0.0 <= weight < float("inf") for weight in self.weights):
            raise ValueError(f"{owner}(weights={self.weights}): every weight must be a finite number, at least 0.")
        if self.weights and not any(self.weights):
            raise ValueError(f"{owner}(weights={self.weights}): all are 0, and nothing is compared. Give one above 0.")

    @property
    def lambdas(self) -> tuple[float, ...]:
        """λ_l of every layer."""
        return self.weights or (1.0 / len(self.layers),) * len(self.layers)

    def read(self, activations: Activations) -> Iterator[tuple[str, Array]]:
        """The layers by name, each (b, h, w, c) or (b, d).

        Raises:
            ValueError: a layer that the activations do not have; names the nearest that they do have.
        """
        for layer in self.layers:
            if layer not in activations:
                raise ValueError(f"{type(self).__name__}: no layer {layer!r}; {_nearest(layer, activations)}.")
            yield layer, activations[layer]

    def read_maps(self, activations: Activations) -> Iterator[tuple[str, Array]]:
        """As :meth:`read`, for a loss on maps: raises ValueError unless a layer is (b, h, w, c)."""
        for layer, features in self.read(activations):
            if features.ndim != 4:
                raise ValueError(
                    f"{type(self).__name__}: {layer!r} is {features.shape}, but this loss reads maps (b, h, w, c). "
                    "Name a layer that comes before the encoder's pooling to a vector."
                )
            yield layer, features

    def check_shape(self, layer: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
        """Raises ValueError unless the target's shape is the expected one, its first axis 1 or the number of images."""
        if shape[1:] != expected[1:] or shape[0] not in (1, expected[0]):
            raise ValueError(
                f"{type(self).__name__}: at {layer!r} the target is {shape} and the images are {expected}. "
                "Take the target with the same encoder, of one reference or of one for each image, and, for a loss "
                "that compares place by place, at the same size."
            )

    def check_extent(self, layer: str, found: "Extent", expected: "Extent", reason: str) -> None:
        """Raises ValueError, naming both sizes and the reason, unless they are equal."""
        if found != expected:
            raise ValueError(
                f"{type(self).__name__}: at {layer!r} the image is {found} and the reference is {expected}, but {reason}."
            )

    def total(self, terms: Mapping[str, Float[Array, "b"]]) -> Scalar:
        """``Σ_l λ_l mean_b J_l``; no image costs 0."""
        total = jnp.zeros((), jnp.float32)
        for layer, weight in zip(self.layers, self.lambdas, strict=True):
            total = total + weight * jnp.sum(terms[layer]) / max(len(terms[layer]), 1)
        return total


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Extent:
    """Height and width of a layer's map, carried in a target so that a formula that demands equal sizes can refuse others."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.height}×{self.width}"


def extent(features: Array) -> Extent:
    """Of features (b, h, w, c)."""
    return Extent(features.shape[1], features.shape[2])


def mask_at(mask: Mask, features: Array, activations: Activations) -> Float[Array, "h w"]:
    """The mask at a layer's resolution, by area averaging: what share of each cell's image is in the mask.

    The image is cut into the layer's h × w equal cells; a layer that a convolution without padding has made
    smaller sees slightly less of the image than that, at its borders.

    Raises:
        ValueError: the mask is no (h, w) of floats or booleans; the activations hold the image, and it is not of the mask's
            size.
    """
    _check_mask(mask, ("h", "w"))
    if "input" in activations and activations["input"].shape[1:3] != mask.shape:
        height, width = activations["input"].shape[1:3]
        raise ValueError(
            f"The mask is {mask.shape[0]}×{mask.shape[1]} and the image {height}×{width}: resize the mask to the image."
        )
    return averaged_mask(mask, (features.shape[1], features.shape[2]))


def averaged_mask(mask: Mask, size: tuple[int, int]) -> Float[Array, "h w"]:
    """The mask at another resolution (h, w): what share of each cell's image is in the mask."""
    rows, columns = _shares(size[0], mask.shape[0]), _shares(size[1], mask.shape[1])
    averaged = jnp.asarray(mask, jnp.float32)
    if rows is not None:
        averaged = jnp.matmul(rows, averaged, precision=jax.lax.Precision.HIGHEST)
    if columns is not None:
        averaged = jnp.matmul(averaged, columns.T, precision=jax.lax.Precision.HIGHEST)
    return averaged


def mask_of(mask: PlaceMask, layer: str, activations: Activations) -> Float[Array, "_ _"]:
    """The mask at a layer: as given for it, or averaged down to it, see :func:`mask_at`.

    Raises:
        ValueError: there is none for the layer, or it is of another size.
    """
    if not isinstance(mask, Mapping):
        return mask_at(mask, activations[layer], activations)
    if layer not in mask:
        raise ValueError(f"There is no mask for the layer {layer!r}, only for {', '.join(mask) or 'none'}.")
    _check_mask(mask[layer], activations[layer].shape[1:3], f" at {layer!r}")
    return jnp.asarray(mask[layer], jnp.float32)


def flatten_places(features: Float[Array, "b h w c"]) -> Float[Array, "b p c"]:
    """One row a place, float32."""
    images, height, width, channels = features.shape
    return features.reshape(images, height * width, channels).astype(jnp.float32)


def each_image(
    function: Callable[..., Array], images: tuple[Array, ...], references: tuple[Array, ...]
) -> Shaped[Array, "b ..."]:
    """The function of every image and its reference: arrays with the first axis b, which that of the first array is, or 1
    for all images alike."""
    arrays = (*images, *references)
    count = len(images[0])
    shared = [array[0] if len(array) == 1 != count else array for array in arrays]
    axes = tuple(None if len(array) == 1 != count else 0 for array in arrays)
    return jax.vmap(function, in_axes=axes)(*shared)


def safe_divide(numerator: Array, denominator: Array) -> Array:
    """Quotient of a denominator that is not negative; where it is 0, nothing is divided."""
    return numerator / jnp.where(denominator > 0, denominator, 1.0)


def absolute(x: Array) -> Array:
    """``|x|`` whose derivative at 0 is 0; that of ``jnp.abs`` is 1 there."""
    return x * jax.lax.stop_gradient(jnp.sign(x))


def _check_mask(mask: AnyArray, shape: tuple[int | str, ...], where: str = "") -> None:
    """A mask (h, w, 1) would be stretched over the images, and one of 0…255 would weigh by 255."""
    if mask.dtype != bool:
        check_array("A loss under a mask", f"the mask's numbers{where}", mask, shape, "floats", "They are shares, from 0 to 1.")
        # Under `jit` the numbers are not known.
        if isinstance(mask, np.ndarray) and not np.all((mask >= -_ROUNDING) & (mask <= 1 + _ROUNDING)):
            raise ValueError(
                f"A loss under a mask: the mask's numbers{where} must be shares from 0 to 1. Divide by the largest."
            )
    else:
        check_array("A loss under a mask", f"the mask's pixels{where}", mask, shape, "booleans")


def _shares(cells: int, pixels: int) -> np.ndarray | None:
    """Row i: the share of each pixel in the i-th of so many equal cells, summing to 1. None if a cell is a pixel."""
    if cells == pixels:
        return None
    edges = np.arange(cells + 1) * (pixels / cells)
    starts = np.arange(pixels)
    overlap = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    return (np.maximum(overlap, 0.0) * (cells / pixels)).astype(np.float32)


def _nearest(layer: str, activations: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(layer, activations, n=4, cutoff=0.7)
    if close:
        return "nearest: " + ", ".join(name for name in activations if name in close)
    return "there are: " + ", ".join(activations)
