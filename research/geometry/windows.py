"""Windows slid over an image, and the convolutional form that answers for all of them in one pass.

A classifier of crops becomes a detector by looking at every window. Where its layers are convolutions and poolings without
padding, a dense layer is a convolution as well: its kernel is as large as the map that it reads. The network is then applied to
the whole image, and its answer at (i, j) is the crop's at (i s, j s), s the total stride.
"""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.checks import check_array, check_count
from likeness.research.geometry.receptive_field import NetworkGeometry, receptive_fields
from likeness.research.types import AnyArray, Array, Float, Shaped

CropNetwork: TypeAlias = Callable[[Array], Array]
"""Images (n, h, w, c) of any size to maps of answers (n, rows, columns, f), with weights that do not change."""

__all__ = ["CropNetwork", "SlidingWindows", "as_convolution", "check_convolutional", "total_stride", "windows_of"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SlidingWindows:
    """All windows of one size in steps of one stride: row i, column j begins at pixel (i s, j s).

    An image of H × W pixels has ``⌊(H - h) / s⌋ + 1`` rows and ``⌊(W - w) / s⌋ + 1`` columns of them. What is left at the lower
    and right border is in no window. Every window is there once.

    Example:
        >>> windows = SlidingWindows(size=14, stride=2)
        >>> windows.grid(16, 28)
        (2, 8)
        >>> print(windows.boxes(16, 28)[1, 7])
        [14.  2. 28. 16.]
    """

    size: int | tuple[int, int]
    """Height and width in pixels; one number for both."""

    stride: int
    """s, in pixels along both axes."""

    def __post_init__(self) -> None:
        for side in self.sides:
            check_count("SlidingWindows", "size", side)
        check_count("SlidingWindows", "stride", self.stride)

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width."""
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of windows in an image of this size.

        Raises:
            ValueError: the image is smaller than a window.
        """
        rows, columns = ((side - own) // self.stride + 1 for side, own in zip((height, width), self.sides, strict=True))
        if height < self.sides[0] or width < self.sides[1]:
            raise ValueError(
                f"SlidingWindows: an image of {height}×{width} pixels is smaller than a window of {self.sides[0]}×"
                f"{self.sides[1]}. Enlarge the image, or take a smaller window."
            )
        return rows, columns

    def boxes(self, height: int, width: int) -> Float[np.ndarray, "rows columns 4"]:
        """Where they are, ``xyxy``, float32.

        Raises:
            ValueError: the image is smaller than a window.
        """
        rows, columns = self.grid(height, width)
        y, x = np.meshgrid(np.arange(rows) * self.stride, np.arange(columns) * self.stride, indexing="ij")
        return np.stack([x, y, x + self.sides[1], y + self.sides[0]], axis=-1).astype(np.float32)

    def crops(self, images: Shaped[AnyArray, "..."]) -> Shaped[Array, "b rows columns h w c"]:
        """The pixels of each window.

        Args:
            images: (b, H, W, c).

        Raises:
            ValueError: another shape; the images are smaller than a window.
        """
        check_array("SlidingWindows", "images", images, ("b", "H", "W", "c"))
        rows, columns = self.grid(*images.shape[1:3])
        down = np.arange(rows)[:, None] * self.stride + np.arange(self.sides[0])
        right = np.arange(columns)[:, None] * self.stride + np.arange(self.sides[1])
        return jnp.asarray(images)[:, down[:, None, :, None], right[None, :, None, :]]

    def of_map(
        self, answers: Shaped[AnyArray, "..."], height: int, width: int, total_stride: int
    ) -> Shaped[AnyArray, "b rows columns f"]:
        """The answers for these windows, out of those of a network that was applied to the whole image.

        Args:
            answers: (b, rows, columns, f), of a network whose own window is of this size.
            height: of the image.
            width: of the image.
            total_stride: pixels between neighboring answers, see :func:`total_stride`.

        Raises:
            ValueError: windows begin where the network gives no answer, because s is no multiple of its stride; there are fewer
                answers than windows, as after a network with another window.
        """
        check_array("SlidingWindows", "answers", answers, ("b", "rows", "columns", "f"))
        if self.stride % total_stride:
            above = -(-self.stride // total_stride) * total_stride
            raise ValueError(
                f"SlidingWindows(stride={self.stride}): a network of total stride {total_stride} answers for windows that "
                f"begin at multiples of {total_stride} pixels, and for none between them. Give stride={above}, or slide "
                "the crops themselves."
            )
        step = self.stride // total_stride
        rows, columns = self.grid(height, width)
        if (rows - 1) * step >= answers.shape[1] or (columns - 1) * step >= answers.shape[2]:
            raise ValueError(
                f"SlidingWindows: {height}×{width} pixels have {rows}×{columns} windows, {step} answers apart, and there are "
                f"{answers.shape[1]}×{answers.shape[2]} answers. The network's own window is another than {self.sides[0]}×"
                f"{self.sides[1]}, or its total stride another than {total_stride}."
            )
        return answers[:, : (rows - 1) * step + 1 : step, : (columns - 1) * step + 1 : step]


def as_convolution(kernel: Shaped[AnyArray, "..."], window: int | tuple[int, int]) -> Shaped[AnyArray, "h w c f"]:
    """The kernel of the convolution that a dense layer is, applied without padding and with stride 1.

    A dense layer on a map of h × w × c numbers, flattened row by row with channels last, has a kernel (h w c, f); the
    convolution has the same numbers as (h, w, c, f). A dense layer after that reads a map of 1 × 1. The bias stays as it is.

    Args:
        kernel: (h w c, f), of ``flax.linen.Dense``.
        window: h and w, of the map that the layer reads when the network sees one crop; one number for both.

    Raises:
        ValueError: the kernel's rows are no multiple of the window.

    Example:
        >>> as_convolution(np.zeros((400, 120)), 5).shape
        (5, 5, 16, 120)
    """
    height, width = window if isinstance(window, tuple) else (window, window)
    for side in (height, width):
        check_count("as_convolution", "window", side)
    check_array("as_convolution", "kernel", kernel, ("n", "f"), help="Give the kernel of a dense layer.")
    rows, features = kernel.shape
    if rows % (height * width):
        raise ValueError(
            f"as_convolution: a dense kernel of {rows} rows reads no map of {height}×{width}, whose numbers would be a "
            f"multiple of {height * width}. Give the height and width of the map that was flattened."
        )
    return kernel.reshape(height, width, rows // (height * width), features)


def total_stride(network: CropNetwork, size: int, channels: int = 3) -> int:
    """By how many pixels the window moves from one answer of a network to the next.

    Only shapes are computed: it is the number of pixels by which an image of two answers must grow for a third one.

    Args:
        network: from images to maps.
        size: side of its window.
        channels: of the images.

    Raises:
        ValueError: a crop has no answer or several, or a larger image has no more.
    """

    def rows(side: int) -> tuple[int, ...]:
        shape = jax.eval_shape(network, jax.ShapeDtypeStruct((1, side, side, channels), jnp.float32)).shape
        if len(shape) != 4:
            raise ValueError(
                f"A network that answers a crop with shape {shape} has no convolutional form: its answers must be maps "
                "(n, rows, columns, f). Make its dense layers convolutions (as_convolution), and flatten nothing."
            )
        return shape[1:3]

    if rows(size) != (1, 1):
        raise ValueError(
            f"A crop of {size}×{size} pixels has {rows(size)[0]}×{rows(size)[1]} answers, and one window must have one. The "
            "size is not the network's window, or a layer adds padding (SAME): build it with padding VALID."
        )
    # The least sides that have two and three answers are a stride apart; a crop may be larger than what its layers read.
    sides: list[int] = []
    for side in range(size + 1, 4 * size + 1):
        if rows(side)[0] == len(sides) + 2:
            sides.append(side)
        if len(sides) == 2:
            return sides[1] - sides[0]
    raise ValueError(
        f"The network gives a crop of {size} pixels and an image of {4 * size} no three answers in steps of one: it does not "
        "slide. A mean over the whole map, say, makes one answer of any image."
    )


def windows_of(network: NetworkGeometry, layer: str, stride: int | None = None) -> SlidingWindows:
    """The windows for which a layer of an encoder answers.

    Args:
        network: an encoder with a ``geometry``.
        layer: a layer by name.
        stride: pixels between windows; the layer's own if None.

    Raises:
        ValueError: there is no such layer; a layer below it adds padding, which lets the border of a crop look like none within
            an image; the stride is no multiple of the layer's own.
    """
    layers = {each.name: each for each in network.geometry}
    if layer not in layers:
        raise ValueError(f"There is no layer {layer!r}. There are {', '.join(layers)}.")
    below, wanted = [], [layer]
    while wanted:
        name = wanted.pop()
        if name in layers and name not in below:
            below.append(name)
            wanted.extend(layers[name].inputs)
    padded = [name for name in layers if name in below and layers[name].padding]
    if padded:
        raise ValueError(
            f"{layer!r} has no convolutional form: {', '.join(padded)} add{'s' if len(padded) == 1 else ''} padding (SAME), "
            "and a crop's border is padded where the same window within an image is not. Build the network with padding VALID."
        )
    field = receptive_fields(network)[layer]
    windows = SlidingWindows(size=field.size, stride=stride or field.stride)
    if windows.stride % field.stride:
        raise ValueError(
            f"{layer!r} answers for windows that begin at multiples of its total stride {field.stride}, and stride={stride} is "
            f"none. Give stride={-(-windows.stride // field.stride) * field.stride}."
        )
    return windows


def check_convolutional(
    network: CropNetwork, windows: SlidingWindows, channels: int = 3, crops: CropNetwork | None = None, tolerance: float = 1e-5
) -> int:
    """Raises ValueError unless a network answers for a window within an image as for the crop of its pixels.

    It is tried on noise, in an image that holds three windows along each axis. What breaks it is padding, statistics of the
    batch (batch normalization that is training), and statistics of the image (group or instance normalization).

    Args:
        network: from images of any size to maps, with weights that do not change.
        windows: square ones, whose size is that of the network's crops.
        channels: of the images.
        crops: the classifier of crops, to answers (n, f) or (n, 1, 1, f), where it is another function: dense layers on a
            flattened map, say. None for ``network`` itself.
        tolerance: how far answers may lie apart, in units of the largest one, at least 1.

    Returns:
        The total stride of the network.
    """
    height, width = windows.sides
    if height != width:
        raise ValueError(f"check_convolutional tries square windows, not {height}×{width}.")
    stride = total_stride(network, height, channels)
    side = height + 2 * windows.stride
    image = np.random.default_rng(0).normal(size=(1, side, side, channels)).astype(np.float32)
    cut = jnp.reshape(windows.crops(image), (-1, height, width, channels))
    classify = network if crops is None else crops
    alone = [np.asarray(classify(one[None])).ravel() for one in cut]
    together = np.asarray(classify(cut)).reshape(len(cut), -1)
    whole = np.asarray(windows.of_map(network(jnp.asarray(image)), side, side, stride)).reshape(len(cut), -1)
    apart = tolerance * max(1.0, float(np.abs(alone).max()))
    if not np.abs(together - alone).max() <= apart:
        raise ValueError(
            "The network answers otherwise for a crop alone than for the same crop in a batch: it reads statistics of the "
            "batch. Apply batch normalization with its running averages (use_running_average=True)."
        )
    if whole.shape[1] != together.shape[1]:
        raise ValueError(
            f"The network gives {whole.shape[1]} numbers for a window and the classifier of crops {together.shape[1]}."
        )
    difference = np.abs(whole - alone).max()
    if not difference <= apart:
        raise ValueError(
            f"The network answers otherwise for a window within an image than for its pixels alone, by {difference:.2g} where "
            f"{apart:.2g} would be rounding: it sees what is outside of the window. A layer adds padding (SAME) where it "
            "must be VALID, or takes statistics of the image (group or instance normalization, attention), or the weights are "
            "not the classifier's."
        )
    return stride
