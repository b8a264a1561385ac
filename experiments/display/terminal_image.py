"""An image in a terminal: two pixels a character."""

import numpy as np
from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.text import Text

_UPPER_HALF = "\N{UPPER HALF BLOCK}"


def terminal_image(image: np.ndarray, columns: int, lines: int) -> Text:
    """The image as large as it fits: a character's foreground is the upper pixel, its background the lower one.

    Args:
        image: (h, w, 3), RGB in [0, 1].
        columns: of the terminal.
        lines: of the terminal that it may take.

    Returns:
        Text of at most ``lines`` lines.
    """
    height, width, _ = image.shape
    share = min(max(1, columns) / width, 2 * max(1, lines) / height)
    size = (max(1, round(width * share)), max(2, 2 * round(height * share / 2)))
    pixels = np.asarray(Image.fromarray(np.uint8(np.clip(image, 0, 1) * 255 + 0.5)).resize(size, Image.Resampling.BOX))
    text = Text(no_wrap=True, end="")
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        for above, below in zip(upper.tolist(), lower.tolist(), strict=True):
            text.append(_UPPER_HALF, Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below)))
        text.append("\n")
    return text
