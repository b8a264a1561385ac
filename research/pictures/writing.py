"""Writing a picture, whole or not at all."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from research.files import write_atomically
from research.types import Float


def write_picture(path: Path, pixels: Float[np.ndarray, "h w 3"]) -> None:
    """Writes RGB in [0, 1] as an 8-bit PNG, rounded to the nearest of the 256 levels."""
    data = io.BytesIO()
    Image.fromarray(np.rint(np.clip(pixels, 0.0, 1.0) * 255.0).astype(np.uint8)).save(data, format="PNG")
    write_atomically(path, data.getvalue())
