"""What an evaluation leaves behind to be looked at: embeddings with small images, and curves with their bands, as arrays."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from likeness.experiments.recognition.protocols import EvaluatedSet
from likeness.research.data import to_unit
from likeness.research.metrics.pairs import Pairs, hardest
from likeness.research.metrics.verification import RocBand

_PEOPLE_IMAGES, _SIDE, _POINTS = 20, 64, 300


def embedding_sample(evaluated: EvaluatedSet, most: int = 400, seed: int = 0) -> dict[str, np.ndarray]:
    """Embeddings of some of the images that were evaluated, with what is needed to draw a map of them.

    People are drawn at random, those with one image last, and up to 20 images of each, until there are ``most``.

    Returns:
        ``embeddings`` (n, …) float32; ``people`` (n,) and ``names`` (n,), whom each shows and what it is called; ``images``
        (n, h, w, c) uint8, made smaller where a side is above 64; ``of`` (), how many images were evaluated.
    """
    rng, images = np.random.default_rng(seed), evaluated.images
    order = rng.permutation(len(images.people))
    order = order[np.argsort(images.counts()[order] < 2, kind="stable")]
    rows: list[int] = []
    for person in order:
        if len(rows) >= most:
            break
        own = np.flatnonzero(images.labels == person)
        rows += np.sort(rng.permutation(own)[: min(_PEOPLE_IMAGES, most - len(rows))]).tolist()
    chosen = np.array(rows, np.int64)
    return {
        "embeddings": np.asarray(evaluated.embeddings[chosen], np.float32),
        "people": np.array([images.people[label] for label in images.labels[chosen]]),
        "names": np.array([images.names[row] for row in rows]),
        "images": _small(images.read(chosen)),
        "of": np.array(len(images)),
    }


def _small(images: np.ndarray) -> np.ndarray:
    high, wide = images.shape[1:3]
    if max(high, wide) <= _SIDE:
        return images
    size = max(1, round(wide * _SIDE / max(high, wide))), max(1, round(high * _SIDE / max(high, wide)))
    plain = [image[..., 0] if image.shape[-1] == 1 else image for image in images]
    smaller = [np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)) for image in plain]
    return np.stack(smaller).reshape(len(images), size[1], size[0], images.shape[-1])


class HardPairs(NamedTuple):
    """Pairs that are hardest to tell: those of one person by falling distance, then those of two by rising distance."""

    first: UInt8[np.ndarray, "n h w c"]
    second: UInt8[np.ndarray, "n h w c"]
    distances: Float[np.ndarray, "n"]
    same: Bool[np.ndarray, "n"]


def hardest_pairs(evaluated: EvaluatedSet, pairs: Pairs, most: int = 6) -> HardPairs:
    """So many of each kind, with their images."""
    shown = np.concatenate(hardest(pairs.distances, pairs.same, most, pairs.rows))
    first, second = (evaluated.images.read(rows) for rows in pairs.rows[shown].T)
    return HardPairs(first, second, pairs.distances[shown], pairs.same[shown])


def pair_images(hard: HardPairs, most: int = 3) -> dict[str, np.ndarray]:
    """Images of the pairs that are hardest to tell, (h, w, 3) in [0, 1]: ``mistakes/different_1_a``, ``…_b``, ``same_1_a`` …

    ``different`` are the pairs of two people that are closest, ``same`` those of one person that are farthest apart.
    """
    found = {}
    for kind, places in (("same", np.flatnonzero(hard.same)), ("different", np.flatnonzero(~hard.same))):
        for number, place in enumerate(places[:most], 1):
            for letter, image in (("a", hard.first[place]), ("b", hard.second[place])):
                colored = np.broadcast_to(image, (*image.shape[:2], 3))
                found[f"mistakes/{kind}_{number}_{letter}"] = to_unit(colored)
    return found


def roc_points(bands: Mapping[str, RocBand]) -> dict[str, np.ndarray]:
    """True-accept rates over false-accept rates by subject, ``NAME/far``, ``tar``, ``low``, ``high``; at most 300 points."""
    points = {}
    for name, band in bands.items():
        kept = np.unique(np.linspace(0, len(band.far) - 1, min(_POINTS, len(band.far))).round().astype(int))
        for part in ("far", "tar", "low", "high"):
            points[f"{name}/{part}"] = np.asarray(getattr(band, part), np.float64)[kept]
    return points
