"""Puts painted images side by side for the README.

likeness stylize TUBINGEN STARRY_NIGHT --size 480 -o runs/readme/1.png
likeness stylize TUBINGEN GREAT_WAVE --size 480 -o runs/readme/2.png
likeness stylize --size 480 -o runs/readme/3.png
python -m likeness.experiments.benchmarks.readme_styles runs/readme/1.png runs/readme/2.png runs/readme/3.png
"""

import io
import sys
from pathlib import Path

from PIL import Image

from likeness.research.files import write_atomically

IMAGE, HEIGHT, GAP = Path("docs/styles.jpg"), 360, 8


def main() -> None:
    """Writes docs/styles.jpg."""
    images = []
    for path in sys.argv[1:]:
        with Image.open(path) as opened:
            size = (opened.width * HEIGHT // opened.height, HEIGHT)
            images.append(opened.convert("RGB").resize(size, Image.Resampling.LANCZOS))
    width = sum(image.width for image in images) + GAP * (len(images) - 1)
    row, left = Image.new("RGB", (width, HEIGHT), "white"), 0
    for image in images:
        row.paste(image, (left, 0))
        left += image.width + GAP
    encoded = io.BytesIO()
    row.save(encoded, "JPEG", quality=88)
    write_atomically(IMAGE, encoded.getvalue())
    print(f"{IMAGE}, {IMAGE.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
