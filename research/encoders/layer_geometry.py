"""How the layers of a convolutional encoder lie over the image: kernels, strides, paddings."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from likeness.research.types import AnyArray

__all__ = ["LayerGeometry", "check_image", "composite", "map_sides", "smallest_side"]


class LayerGeometry(NamedTuple):
    """One layer, square in both directions. Layers are listed in the order in which they are computed.

    A layer that only changes values (a ReLU) or joins channels has a kernel and a stride of 1.
    """

    name: str
    """As in the activations."""
    inputs: tuple[str, ...]
    """The layers it reads; ``input`` is the image."""
    kernel: int = 1
    """Side of the window."""
    stride: int = 1
    """Step between windows."""
    padding: int = 0
    """Pixels added on each side, whatever they are filled with."""
    ceil: bool = False
    """Whether a last window that reaches over the right or lower edge is kept."""
    needs: int = 1
    """Side of the smallest map that the layer can take."""


def map_sides(layers: Sequence[LayerGeometry], side: int) -> dict[str, int]:
    """The side of every layer's map for an image of ``side`` pixels; 0 or less where none is left.

    Example:
        >>> map_sides([LayerGeometry("pool1", ("input",), kernel=2, stride=2)], 7)
        {'input': 7, 'pool1': 3}
    """
    sides = {"input": side}
    for layer in layers:
        over = sides[layer.inputs[0]] + 2 * layer.padding - layer.kernel
        sides[layer.name] = (over + (layer.stride - 1 if layer.ceil else 0)) // layer.stride + 1
    return sides


def smallest_side(layers: Sequence[LayerGeometry]) -> int:
    """The smallest image side that passes all layers.

    Example:
        >>> smallest_side([LayerGeometry("pool1", ("input",), kernel=2, stride=2, needs=2)])
        2
    """
    side = 1
    while _stuck(layers, side):
        side += 1
    return side


def check_image(encoder: str, layers: Sequence[LayerGeometry], images: AnyArray) -> None:
    """Refuses images (b, h, w, c) that a layer would shrink to nothing.

    Raises:
        ValueError: naming the first layer that cannot be computed, the map it gets, and the size needed.
    """
    height, width = images.shape[1:3]
    stuck = _stuck(layers, min(height, width))
    if not stuck:
        return
    rows, columns = (map_sides(layers, side)[stuck.inputs[0]] for side in (height, width))
    smallest = smallest_side(layers)
    raise ValueError(
        f"{encoder}: images of {height}×{width} pixels are too small: {stuck.name} gets a map of {rows}×{columns} and "
        f"needs {stuck.needs}×{stuck.needs}. Use images of at least {smallest}×{smallest} pixels, or an encoder that "
        f"stops before {layers[-1].name}."
    )


def _stuck(layers: Sequence[LayerGeometry], side: int) -> LayerGeometry | None:
    """The first layer that an image of ``side`` pixels does not reach."""
    sides = map_sides(layers, side)
    return next((layer for layer in layers if any(sides[name] < layer.needs for name in layer.inputs)), None)


def composite(name: str, inputs: tuple[str, ...], windows: Iterable[tuple[int, int, int]], needs: int = 1) -> LayerGeometry:
    """The one layer that has the field and the map of a chain of them.

    A window of side l, stride t and padding q on one of side k, stride s and padding p is one of side ``k + (l - 1) s``, stride
    ``s t`` and padding ``p + q s``. The map has the same side exactly: rounding down twice rounds down once.

    Args:
        name: of the last of them, as in the activations.
        inputs: what the first of them reads.
        windows: side, stride and padding of each. Of branches that are added, such as a residual block's, the widest.
        needs: side of the smallest map that the first of them can take.

    Example:
        >>> composite("block", ("conv1",), [(3, 1, 1), (3, 2, 1)])
        LayerGeometry(name='block', inputs=('conv1',), kernel=5, stride=2, padding=2, ceil=False, needs=1)
    """
    kernel, stride, padding = 1, 1, 0
    for side, step, border in windows:
        kernel, padding, stride = kernel + (side - 1) * stride, padding + border * stride, stride * step
    return LayerGeometry(name, inputs, kernel, stride, padding, needs=needs)
