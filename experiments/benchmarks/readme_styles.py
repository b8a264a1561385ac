"""Makes the images of the page on style transfer of painted ones.

likeness stylize TUBINGEN STARRY_NIGHT --size 480 -o runs/readme/1.png
likeness stylize TUBINGEN GREAT_WAVE --size 480 -o runs/readme/2.png
likeness stylize --size 480 -o runs/readme/3.png
python -m likeness.experiments.benchmarks.readme_styles docs/styles.jpg runs/readme/1.png runs/readme/2.png runs/readme/3.png

likeness stylize TUBINGEN --model pastiche26 --grid runs/readme/26.png
python -m likeness.experiments.benchmarks.readme_styles docs/pastiche.jpg runs/readme/26.png

likeness stylize TUBINGEN GREAT_WAVE --size 2048 --tile 512 -o runs/readme/large.png
python -m likeness.experiments.benchmarks.readme_styles docs/large.jpg runs/readme/large.png

Several images are set side by side, a single one is kept at its size.
"""

import io
import sys
from pathlib import Path

from PIL import Image

from likeness.research.files import write_atomically

HEIGHT, GAP = 360, 8


def side_by_side(images: list[Image.Image]) -> Image.Image:
    """A row of images of one height."""
    images = [image.resize((image.width * HEIGHT // image.height, HEIGHT), Image.Resampling.LANCZOS) for image in images]
    width = sum(image.width for image in images) + GAP * (len(images) - 1)
    row, left = Image.new("RGB", (width, HEIGHT), "white"), 0
    for image in images:
        row.paste(image, (left, 0))
        left += image.width + GAP
    return row


def main() -> None:
    """Writes a JPEG of the images that follow it."""
    out, paths = Path(sys.argv[1]), sys.argv[2:]
    images = [Image.open(path).convert("RGB") for path in paths]
    encoded = io.BytesIO()
    (side_by_side(images) if len(images) > 1 else images[0]).save(encoded, "JPEG", quality=88)
    write_atomically(out, encoded.getvalue())
    print(f"{out}, {out.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
