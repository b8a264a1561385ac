"""Why two pictures are taken for the same person, or not: what happens to their distance when parts of a face are covered."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.figures import INK
from experiments.recognition.recognizer import Recognizer
from research.gallery import Verification
from research.types import Float
from research.visualization import occlusion

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Why:
    """What each part of two pictures adds to their likeness."""

    answer: Verification
    pictures: tuple[np.ndarray, np.ndarray]
    """As the encoder sees them, (h, w, c) in [0, 1]."""
    likeness: tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]
    """How far the distance grows when a place of either picture is covered: above 0 speaks for the same person."""

    def figure(self) -> "Figure":
        """Both pictures, and over them in green what speaks for the same person and in purple what speaks against it."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9.6, 2.9), layout="constrained")
        axes = figure.subplots(1, 4)
        largest = max(float(np.abs(each).max()) for each in self.likeness) or 1.0
        drawn: list[Any] = []
        for number, (picture, likeness) in enumerate(zip(self.pictures, self.likeness, strict=True)):
            gray = picture.mean(axis=-1)
            axes[2 * number].imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=1)
            axes[2 * number].set_title("AB"[number], fontsize=12, color=INK, loc="left", fontweight="bold")
            axes[2 * number + 1].imshow(gray, cmap="gray", vmin=0, vmax=1, alpha=0.6)
            over = axes[2 * number + 1].imshow(likeness, cmap="PRGn", vmin=-largest, vmax=largest, alpha=0.65)
            drawn.append(over)
        for each in axes:
            each.set_axis_off()
        bar = figure.colorbar(drawn[0], ax=list(axes), shrink=0.85)
        bar.set_label("distance gained when covered", color=INK, fontsize=9)
        bar.ax.tick_params(labelsize=8, colors=INK)
        answer, relation = ("same", "≤") if self.answer.same else ("different", ">")
        title = f"{answer}: distance {self.answer.distance:.3g} {relation} {self.answer.threshold.tau:.3g}"
        figure.suptitle(title, fontsize=12, color=INK, fontweight="bold")
        return figure


def why(recognizer: Recognizer, first: str | Path, second: str | Path, *, parts: int = 6) -> Why:
    """Covers each part of one picture after the other with gray and looks how the distance to the other picture changes.

    Args:
        recognizer: whose answer it is.
        first: a picture file.
        second: another.
        parts: the covered square's side is the picture's shorter one divided by this.

    Raises:
        UserError: as :meth:`~experiments.recognition.recognizer.Recognizer.verify` does.
    """
    pixels = [recognizer.decode(path).astype(np.float32) / 255 for path in (first, second)]
    codes = recognizer.embed(np.stack([_bytes(one) for one in pixels]))
    answer = recognizer.threshold.verify(float(recognizer.subject.distance(codes[:1], codes[1:])[0, 0]))
    maps = []
    for number, picture in enumerate(pixels):
        other = codes[1 - number : 2 - number]

        def alike(pictures: np.ndarray, other: np.ndarray = other) -> np.ndarray:
            return -recognizer.subject.distance(recognizer.embed(_bytes(pictures)), other)[:, 0]

        window = max(2, min(picture.shape[:2]) // parts)
        maps.append(occlusion(alike, picture, window=window, stride=max(1, window // 3)))
    return Why(answer, (pixels[0], pixels[1]), (maps[0], maps[1]))


def _bytes(pictures: np.ndarray) -> np.ndarray:
    return np.round(255 * np.clip(pictures, 0, 1)).astype(np.uint8)
