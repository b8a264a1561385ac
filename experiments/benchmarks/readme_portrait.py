"""Draws the README's portraits: one photograph in several styles, without and with the identity loss.

    likeness weights fetch mobilefacenet
    python -m likeness.experiments.benchmarks.readme_portrait

The shipped stylization/portrait with other paintings; below each image is the distance by which it is verified. Goes on
where it was stopped.
"""

from pathlib import Path

import jax
import numpy as np
from PIL import Image

from likeness.experiments.benchmarks.portraits import KINDS, paint, shipped, without_and_with
from likeness.experiments.display.contact_sheet import Tile, draw
from likeness.experiments.style import StyleImage
from likeness.research.images.sources import Painting
from likeness.research.synthetic.styles import CurlStrokes, Pointillism, VoronoiMosaic

OUT, IMAGE = Path("runs/readme_portrait"), Path("docs/portrait.png")
STYLES = (CurlStrokes(), Pointillism(), VoronoiMosaic())


def main() -> None:
    jax.config.update("jax_compilation_cache_dir", str((OUT / "compiled").absolute()))
    _, experiment, portrait = shipped()
    photograph = experiment.content.open(experiment.size)
    constants = portrait.constants(photograph, experiment.content)
    rows = []
    for style in STYLES:
        painting = Painting(style=style)
        (look,) = experiment.styles
        styles = (StyleImage(image=painting, scale=look.scale),)
        made = without_and_with(portrait, styles=styles)
        painted = {kind: paint(run, OUT / painting.title / kind) for kind, run in made.items()}
        distances = {kind: portrait.distance(constants, painted[kind][None]) for kind in KINDS}
        print(painting.title, {kind: round(distance, 3) for kind, distance in distances.items()}, flush=True)
        swatch = _cut(painting.open(2 * photograph.shape[0]), photograph.shape)
        rows.append([Tile(photograph), Tile(swatch), *(Tile(painted[kind], f"{distances[kind]:.2f}") for kind in KINDS)])
    draw(rows, IMAGE, heads=("photograph", "painting", "plain", "with identity"))
    Image.open(IMAGE).quantize(256, dither=Image.Dither.NONE).save(IMAGE, optimize=True)
    print(f"{IMAGE}, {IMAGE.stat().st_size // 1024} KiB")


def _cut(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The middle of an image, as large as another."""
    top, left = ((side - kept) // 2 for side, kept in zip(image.shape[:2], shape[:2], strict=True))
    return image[top : top + shape[0], left : left + shape[1]]


if __name__ == "__main__":
    main()
