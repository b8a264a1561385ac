"""How small may a face be for its encoder? Pairs of Labeled Faces in the Wild, shrunk until their eyes are near each other.

    likeness weights fetch mobilefacenet
    python -m likeness.experiments.benchmarks.small_faces --lfw $LIKENESS_DATA/lfw

Both images of official pairs are shrunk so that a given number of pixels lies between the eyes, and verified at the threshold
that ``likeness verify`` answers by. Prints a table in Markdown.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import tyro

from likeness.experiments.benchmarks.lfw_faces import Embedder, Faces
from likeness.experiments.style.portrait import Portrait
from likeness.experiments.style.same_people import calibrated
from likeness.research.data.paths import expand_path
from likeness.research.images import read_image, resize


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmallFaces:
    """What is measured."""

    lfw: str = "$LIKENESS_DATA/lfw"
    """The folder of Labeled Faces in the Wild."""
    pairs: int = 500
    """Pairs, drawn at random from the official 6,000."""
    eyes: tuple[int, ...] = (5, 6, 8, 10, 12, 16, 20)
    """Pixels between the eyes."""


def main() -> None:
    options = tyro.cli(SmallFaces, description=__doc__)
    faces, portrait = Faces(expand_path(options.lfw, "lfw")), Portrait()
    threshold = calibrated(portrait)
    assert threshold is not None
    embedder = Embedder(portrait)
    pairs, same = faces.pairs(())
    drawn = np.random.default_rng(0).permutation(len(pairs))[: options.pairs]
    same = same[drawn]
    paths = list(dict.fromkeys(path for i in drawn for path in pairs[i]))
    rows = {path: row for row, path in enumerate(paths)}
    first, second = (np.array([rows[pairs[i][side]] for i in drawn]) for side in (0, 1))
    images, marks = [read_image(faces.root / path).pixels for path in paths], [faces.landmarks[path] for path in paths]
    apart = [float(np.hypot(*np.subtract(face.points[1], face.points[0]))) for face in marks]
    print("| pixels between the eyes | pairs of one person accepted | pairs of two people accepted |\n|---|---|---|")
    for eyes in options.eyes:
        shrunk = [_shrunk(image, eyes / own) for image, own in zip(images, apart, strict=True)]
        embeddings = embedder(shrunk, marks)
        near = 1 - np.sum(embeddings[first] * embeddings[second], axis=1) <= threshold.tau
        print(f"| {eyes} | {np.mean(near[same]):.1%} | {np.mean(near[~same]):.1%} |", flush=True)


def _shrunk(image: np.ndarray, share: float) -> np.ndarray:
    size = (round(share * image.shape[0]), round(share * image.shape[1]))
    return np.clip(np.asarray(resize(jnp.asarray(image), size)), 0.0, 1.0)


if __name__ == "__main__":
    main()
