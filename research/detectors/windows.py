"""A classifier of crops as a detector: it looks at every window of an image, one by one or all in one pass."""

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp

from likeness.research.checks import check_choice
from likeness.research.detectors.protocol import Candidates, with_channels
from likeness.research.encoders.window_network import WindowForm, WindowNetwork
from likeness.research.geometry.placement import Placement, Size
from likeness.research.geometry.suppression import Suppression
from likeness.research.geometry.transforms import Letterbox
from likeness.research.geometry.windows import SlidingWindows
from likeness.research.types import Array, Float, ImagesFloat, ImagesUint8, PyTree

__all__ = ["WindowDetector"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class WindowDetector:
    """Slides a classifier over an image: a :class:`~likeness.research.detectors.DetectionModel` as before there were others.

    A candidate is a window with the likeliest class that is not background, and its score that class's probability. Its box is
    the window without a margin, the same size everywhere: a window says what is in it, and not where its sides are.

    Its variables are ``{"encoder": …, "head": {"kernel": (n, k + 1), "bias": (k + 1,)}}`` for k classes; the last class is the
    background.
    """

    network: WindowNetwork
    """Classifies crops."""
    size: Size
    """Height and width that images are scaled to, by a letterbox."""
    class_names: tuple[str, ...]
    """The name of each class but the background."""
    margin: int = 0
    """Pixels of a window, on each side, that belong to what is around an object."""
    border: int = 0
    """Pixels around an image, so that windows may have objects in their middle that lie at its border."""
    form: WindowForm = "convolutional"
    """Whether windows are cut out and classified, or answered for in one pass."""
    suppression: Suppression = Suppression(iou_threshold=0.2, score_threshold=0.7)
    """What is left out of the candidates. Windows of neighboring places overlap more than objects do."""
    fill: int = 114
    """The value of those pixels of the canvas that show no image."""
    channels: Literal[1, 3] = 3
    """What the network sees of a canvas: 1 for gray, 3 for RGB."""

    def __post_init__(self) -> None:
        check_choice("WindowDetector", "form", self.form, WindowForm)
        if self.margin < 0 or self.border < 0 or 2 * self.margin >= self.network.window:
            raise ValueError(
                f"WindowDetector: margin is {self.margin} and border {self.border}: give 0 or more pixels of each, and a "
                f"margin that leaves something of {self.network.window}."
            )
        # Refused here where an image is smaller than a window.
        self.windows.grid(*self.canvas)

    @property
    def canvas(self) -> Size:
        """Height and width of what is looked at."""
        return self.size[0] + 2 * self.border, self.size[1] + 2 * self.border

    @property
    def windows(self) -> SlidingWindows:
        """Where it looks."""
        return SlidingWindows(size=self.network.window, stride=self.network.stride)

    @property
    def crop_multiplications(self) -> int:
        """Multiplications for a canvas whose windows are classified one by one."""
        rows, columns = self.windows.grid(*self.canvas)
        return rows * columns * self._multiplications((self.network.window, self.network.window), 1)

    @property
    def pass_multiplications(self) -> int:
        """Multiplications for a canvas that is answered for in one pass."""
        rows, columns = self.windows.grid(*self.canvas)
        return self._multiplications(self.canvas, rows * columns)

    def placement(self, size: Size) -> Placement:
        """In the middle of the canvas, scaled to what the border leaves."""
        return Letterbox(size=self.canvas, within=self.size).placement(size)

    def logits(self, variables: PyTree, images: ImagesFloat) -> Float[Array, "b rows columns k1"]:
        """The scores of the classes, the background last, for each window, before the softmax.

        Args:
            variables: of network and head.
            images: canvases in [0, 1].
        """
        windows, head = self.windows, variables["head"]
        network, last = self.network.clone(form=self.form), f"dense{len(self.network.hidden)}"
        if self.form == "crops":
            crops = windows.crops(images)
            said: Any = network.apply(variables["encoder"], crops.reshape(-1, *crops.shape[3:]))
            features = said[last].reshape(*crops.shape[:3], -1)
        else:
            said = network.apply(variables["encoder"], images)
            features = jnp.asarray(windows.of_map(said[last], images.shape[1], images.shape[2], network.stride))
        return features @ head["kernel"] + head["bias"]

    def candidates(self, variables: PyTree, canvases: ImagesUint8) -> Candidates:
        """One for each window."""
        images = with_channels(canvases, self.channels).astype(jnp.float32) / 255
        chances = jax.nn.softmax(self.logits(variables, images))[..., :-1]
        boxes = jnp.asarray(self.windows.boxes(images.shape[1], images.shape[2]))
        boxes += self.margin * jnp.array([1.0, 1.0, -1.0, -1.0])
        flat = chances.reshape(len(images), -1, chances.shape[-1])
        boxes = jnp.broadcast_to(boxes.reshape(-1, 4), (*flat.shape[:2], 4))
        return Candidates(boxes, jnp.max(flat, axis=-1), jnp.argmax(flat, axis=-1).astype(jnp.int32))

    def _multiplications(self, size: Size, windows: int) -> int:
        """Of the network, and of the head for so many windows."""
        own = sum(self.network.multiplications(*size).values())
        return own + windows * self.network.hidden[-1] * (len(self.class_names) + 1)
