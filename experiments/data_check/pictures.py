"""The suspects as images: what is meant is framed, with enough around it to see what it is."""

import numpy as np
from PIL import Image, ImageDraw

from likeness.experiments.data_check.findings import Suspect

_SIDE = 480
_AROUND = 0.6
"""What is shown around the boxes, as a share of their longer side."""
_FRAMES = ((230, 60, 0), (0, 150, 220))


def picture(image: np.ndarray, suspect: Suspect) -> np.ndarray:
    """The part of an image where its boxes are, framed; the whole where there are none, or where they are outside.

    Args:
        image: uint8 (h, w, 1 or 3).
        suspect: what is meant.

    Returns:
        RGB in [0, 1], its longer side 480 pixels at most.
    """
    height, width = image.shape[:2]
    boxes = [np.array(box) for box in suspect.boxes if np.isfinite(box).all()]
    left, top, right, bottom = _window(boxes, width, height)
    shown = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).convert("RGB").crop((left, top, right, bottom))
    scale = _SIDE / max(shown.size)
    if scale < 1 or max(shown.size) < 160:
        scale = min(scale, 4.0)
        size = (max(1, round(shown.width * scale)), max(1, round(shown.height * scale)))
        shown = shown.resize(size, Image.Resampling.BICUBIC if scale < 1 else Image.Resampling.NEAREST)
    else:
        scale = 1.0
    pen = ImageDraw.Draw(shown)
    for number, box in enumerate(boxes):
        x1, y1, x2, y2 = ((box - [left, top, left, top]) * scale).tolist()
        x1, x2, y1, y2 = *sorted((x1, x2)), *sorted((y1, y2))
        most = 4.0 * _SIDE
        # A box without area is a cross that can be seen.
        if x2 - x1 < 8 or y2 - y1 < 8:
            pen.line((x1 - 9, y1 - 9, x2 + 9, y2 + 9), fill=_FRAMES[0], width=2)
            pen.line((x1 - 9, y2 + 9, x2 + 9, y1 - 9), fill=_FRAMES[0], width=2)
        corners = tuple(float(np.clip(edge, -most, most)) for edge in (x1, y1, x2, y2))
        pen.rectangle(corners, outline=_FRAMES[number % len(_FRAMES)], width=2)
    return np.asarray(shown, np.float32) / 255


def _window(boxes: list[np.ndarray], width: int, height: int) -> tuple[int, int, int, int]:
    if not boxes:
        return 0, 0, width, height
    x, y = (np.concatenate([box[axis::2] for box in boxes]) for axis in (0, 1))
    if x.min() > width or y.min() > height or x.max() < 0 or y.max() < 0 or max(np.ptp(x), np.ptp(y)) > max(width, height):
        return 0, 0, width, height
    around = max(60.0, _AROUND * max(np.ptp(x), np.ptp(y)))
    return (
        int(max(0, x.min() - around)),
        int(max(0, y.min() - around)),
        int(min(width, x.max() + around)),
        int(min(height, y.max() + around)),
    )
