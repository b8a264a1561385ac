"""Several layers, one after another, seen as one."""

from collections.abc import Iterable

from likeness.research.encoders.layer_geometry import LayerGeometry

__all__ = ["composite"]


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
