"""Does a painted film flicker? Drawn scenes whose flow is known, painted as films and frame by frame.

    pip install 'likeness-jax[film]'
    python -m likeness.experiments.benchmarks.film

Each scene is painted by stylization/quickstart: as a film, whose flow is estimated from its frames, and each frame alone. The
warped error is the mean squared difference of consecutive paintings, the earlier one moved along the true flow, where the frame
before shows the same thing, too. Writes film.png, the frames of the first scene, and film.json below ``--out``.
"""

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tyro

from likeness.experiments.config import load
from likeness.experiments.display.contact_sheet import Tile, draw
from likeness.experiments.run import Run
from likeness.experiments.style import Stylization
from likeness.experiments.style.film import Film
from likeness.research.files import write_atomically
from likeness.research.geometry import flowed
from likeness.research.images import write_image
from likeness.research.images.sources import ImageFile
from likeness.research.losses import Temporal
from likeness.research.synthetic.moving_scene import KnownFilm, MovingScene


@dataclasses.dataclass(frozen=True, kw_only=True)
class Benchmark:
    """How many scenes, how large, and where the results go."""

    scenes: int = 3
    """Scenes to paint."""
    frames: int = 5
    """Frames of each."""
    size: int = 128
    """Side of the frames."""
    steps: int = 100
    """Steps of a painting; a frame after the first of a film takes half of them."""
    out: Path = Path("runs/film")
    """Where images and numbers go."""


def main() -> None:
    """Paints, prints a line for each scene, and writes the sheet."""
    options = tyro.cli(Benchmark, description=__doc__)
    rows, found = [], []
    for seed in range(options.scenes):
        scene = MovingScene(frames=options.frames, size=options.size, seed=seed)()
        folder = options.out / f"scene{seed}"
        files = [folder / f"{number}.png" for number in range(options.frames)]
        for path, frame in zip(files, scene.frames, strict=True):
            write_image(path, frame)
        sources = [ImageFile(path=str(path)) for path in files]
        run = _run(options, sources[0])
        began = time.perf_counter()
        film = list(Film()(run, sources))
        seconds = time.perf_counter() - began
        alone = list(_alone(run, sources))
        numbers = {"film": _warped_error(scene, film), "alone": _warped_error(scene, alone)}
        found.append({**numbers, "ratio": numbers["film"] / numbers["alone"], "seconds": seconds})
        print(f"scene {seed}: " + ", ".join(f"{name} {value:.5f}" for name, value in found[-1].items()), flush=True)
        if not rows:
            rows = [[Tile(image) for image in images] for images in (list(scene.frames), film, alone)]
    ratios = [each["ratio"] for each in found]
    print(f"warped error of the film over that of frames painted alone: {min(ratios):.2f} to {max(ratios):.2f}")
    write_atomically(options.out / "film.json", json.dumps(found, indent=1))
    draw(rows, options.out / "film.png", heads=tuple(f"frame {number}" for number in range(1, options.frames + 1)))
    print(f"{options.out / 'film.png'}: the frames, the film, and each frame painted alone")


def _run(options: Benchmark, first: ImageFile) -> Run:
    run = load("stylization/quickstart")
    assert isinstance(run.experiment, Stylization)
    experiment = dataclasses.replace(run.experiment, content=first, size=options.size)
    return dataclasses.replace(run, experiment=experiment, steps=options.steps)


def _alone(run: Run, sources: list[ImageFile]) -> Iterator[np.ndarray]:
    for source in sources:
        yield next(iter(Film()(run, [source])))


def _warped_error(scene: KnownFilm, paintings: list[np.ndarray]) -> float:
    errors = []
    for number in range(1, len(paintings)):
        moved = flowed(paintings[number - 1], scene.to_earlier[number - 1])
        seen = scene.seen_before[number - 1].astype(np.float32)
        errors.append(float(Temporal()(paintings[number][None], moved[None], seen)))
    return float(np.mean(errors))


if __name__ == "__main__":
    main()
