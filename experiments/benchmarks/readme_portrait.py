"""Draws the README's portraits: one photograph in several styles, without and with the identity loss.

    likeness weights fetch mobilefacenet
    python -m likeness.experiments.benchmarks.readme_portrait

The shipped stylization/portrait with other paintings; below each picture is the distance by which it is verified. Goes on
where it was stopped.
"""

from pathlib import Path

import jax
import numpy as np
from PIL import Image

from likeness.experiments.benchmarks.portraits import KINDS, paint, shipped, without_and_with
from likeness.experiments.display.contact_sheet import Tile, draw
from likeness.experiments.style import StylePicture
from likeness.research.images.sources import Painting
from likeness.research.synthetic.styles import InkWash, Pointillism, VoronoiMosaic

OUT, PICTURE = Path("runs/readme_portrait"), Path("docs/portrait.png")
STYLES = (InkWash(), Pointillism(), VoronoiMosaic())


def main() -> None:
    jax.config.update("jax_compilation_cache_dir", str((OUT / "compiled").absolute()))
    _, experiment, portrait = shipped()
    photograph = experiment.content.open(experiment.size)
    fixed = portrait.fixed(photograph, experiment.content)
    rows = []
    for style in STYLES:
        painting = Painting(style=style)
        (look,) = experiment.styles
        styles = (StylePicture(picture=painting, scale=look.scale),)
        made = without_and_with(portrait, styles=styles)
        painted = {kind: paint(run, OUT / painting.title / kind) for kind, run in made.items()}
        distances = {kind: portrait.distance(fixed, painted[kind][None]) for kind in KINDS}
        print(painting.title, {kind: round(distance, 3) for kind, distance in distances.items()}, flush=True)
        swatch = _cut(painting.open(2 * photograph.shape[0]), photograph.shape)
        rows.append([Tile(photograph), Tile(swatch), *(Tile(painted[kind], f"{distances[kind]:.2f}") for kind in KINDS)])
    draw(rows, PICTURE, heads=("photograph", "painting", "plain", "with identity"))
    Image.open(PICTURE).quantize(256, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    print(f"{PICTURE}, {PICTURE.stat().st_size // 1024} KiB")


def _cut(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The middle of a picture, as large as another."""
    top, left = ((side - kept) // 2 for side, kept in zip(picture.shape[:2], shape[:2], strict=True))
    return picture[top : top + shape[0], left : left + shape[1]]


if __name__ == "__main__":
    main()
