"""Faces of Labeled Faces in the Wild (Huang et al. 2007), embedded, and the threshold at which they are told apart."""

import dataclasses
import functools
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.recognition.face_crops import Landmarks
from likeness.experiments.style.portrait import Portrait
from likeness.research.errors import UserError
from likeness.research.files import write_atomically
from likeness.research.geometry import Similarity, crop
from likeness.research.images import read_image
from likeness.research.metrics.calibration import Calibration, threshold_at_far
from likeness.research.types import Array, PyTree

_BATCH = 32
_SAVE_EVERY = 16


@dataclasses.dataclass(frozen=True)
class Sitter:
    """A person with two photographs: the one that is painted, and another."""

    name: str
    image: str
    other: str


class Faces:
    """The images below a folder, where the face is in each, and the official pairs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.landmarks: dict[str, Landmarks] = {}
        file = root / "landmarks5_center160.txt"
        if not file.is_file():
            raise UserError(
                f"There is no {file}: --lfw must be the folder of Labeled Faces in the Wild with pairs.txt and, in this file, "
                "a line for each image: its path, and x and y of five landmarks, separated by tabs."
            )
        for line in file.read_text().splitlines():
            path, *numbers = line.split("\t")
            x, y = (tuple(map(float, numbers[axis:10:2])) for axis in (0, 1))
            self.landmarks[path] = Landmarks(points=tuple(zip(x, y, strict=True)), size=(160, 160))

    def sitters(self, count: int) -> list[Sitter]:
        """People with several images, in the order of their names' checksums: nobody's choice, and the same every time."""
        names = sorted({path.split("/")[0] for path in self.landmarks}, key=lambda name: hashlib.sha256(name.encode()).digest())
        pairs = ((name, *(_path(name, number) for number in (1, 2))) for name in names)
        return [Sitter(*pair) for pair in pairs if {pair[1], pair[2]} <= self.landmarks.keys()][:count]

    def pairs(self, without: Iterable[str]) -> tuple[list[tuple[str, str]], np.ndarray]:
        """The pairs of images of the benchmark's second view but for those of some people, and which are of one person."""
        left_out, pairs, same = set(without), [], []
        for line in (self.root / "pairs.txt").read_text().splitlines()[1:]:
            first, number, *second = line.split("\t")
            other, another = (first, second[0]) if len(second) == 1 else second
            if left_out.isdisjoint((first, other)):
                pairs.append((_path(first, int(number)), _path(other, int(another))))
                same.append(first == other)
        return pairs, np.array(same)


class Embedder:
    """Embeds faces as verification does: one crop and its mirror image."""

    def __init__(self, portrait: Portrait) -> None:
        self.portrait = portrait
        self.variables = jax.tree.map(jnp.asarray, portrait.encoder.variables())

    def __call__(self, images: Sequence[np.ndarray], faces: Sequence[Landmarks], move: Similarity | None = None) -> np.ndarray:
        """Unit vectors (n, d) of images (h, w, 3), RGB in [0, 1]; with the crop moved, if asked for."""
        crops = np.stack([self._crop(*each, move) for each in zip(images, faces, strict=True)])
        whole = -(-len(crops) // _BATCH) * _BATCH
        padded = np.concatenate([crops, np.zeros((whole - len(crops), *crops.shape[1:]), np.float32)])
        batches = [_embed(self.portrait.encoder, self.variables, padded[i : i + _BATCH]) for i in range(0, whole, _BATCH)]
        embeddings = np.concatenate([np.asarray(batch, np.float64) for batch in batches])[: len(crops)]
        return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)

    def _crop(self, image: np.ndarray, face: Landmarks, move: Similarity | None) -> np.ndarray:
        template, (height, width, _) = self.portrait.template, image.shape
        to_image = face.to_template(template, (height, width), None).inverse()
        cut = crop(to_image if move is None else to_image.after(move), (height, width), template.size)
        return np.einsum("hwkc,hwk->hwc", image.reshape(-1, 3)[cut.index], cut.weight)


def embed_files(faces: Faces, embedder: Embedder, paths: Sequence[str], cache: Path) -> Mapping[str, np.ndarray]:
    """The embeddings of images by path, kept in a file from one time to the next."""
    known: dict[str, np.ndarray] = {}
    if cache.is_file():
        with np.load(cache) as stored:
            known = dict(zip(stored["paths"].tolist(), stored["embeddings"], strict=True))
    missing = [path for path in dict.fromkeys(paths) if path not in known]
    for i in range(0, len(missing), _BATCH):
        some = missing[i : i + _BATCH]
        pixels = [read_image(faces.root / path).pixels for path in some]
        known |= zip(some, embedder(pixels, [faces.landmarks[path] for path in some]), strict=True)
        if (i // _BATCH + 1) % _SAVE_EVERY == 0 or i + _BATCH >= len(missing):
            stored = io.BytesIO()
            np.savez(stored, paths=np.array(list(known)), embeddings=np.stack(list(known.values())))
            write_atomically(cache, stored.getvalue())
            print(f"embedded {len(known):,} faces", flush=True)
    return known


def calibrate(faces: Faces, embedder: Embedder, without: Sequence[str], far: float, cache: Path) -> Calibration:
    """The threshold of the cosine distance for a false-accept rate, on the pairs of other people than those measured."""
    pairs, same = faces.pairs(without)
    embeddings = embed_files(faces, embedder, [path for pair in pairs for path in pair], cache)
    distances = np.array([1.0 - embeddings[first] @ embeddings[second] for first, second in pairs])
    return threshold_at_far(distances, same, far)


def _path(name: str, number: int) -> str:
    return f"{name}/{name}_{number:04d}.jpg"


@functools.partial(jax.jit, static_argnums=0)
def _embed(encoder: FrozenEncoder, variables: PyTree, crops: Array) -> Array:
    return sum(encoder(variables, each)["embedding"] for each in (crops, crops[:, :, ::-1]))  # pyright: ignore
