"""Open-set identification as the gallery grows: the more are enrolled, the nearer comes somebody who looks alike."""

from collections.abc import Sequence

import numpy as np

from likeness.research.checks import UncheckedEmbeddings, UncheckedLabels, as_numpy
from likeness.research.distances import Cosine, Distance
from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.bootstrap import clustered_rate
from likeness.research.metrics.intervals import Estimate, wilson_interval
from likeness.research.metrics.pair_stream import SIDE, Compare, compare_blocks
from likeness.research.metrics.verification import rate_name
from likeness.research.tracking import Track, untracked

SIZES = (100, 1_000, 10_000, 100_000)
"""People in a gallery."""

_COLUMNS = 8192


def by_gallery_size(
    embeddings: UncheckedEmbeddings,
    labels: UncheckedLabels,
    distance: Distance | Compare | None = None,
    *,
    sizes: Sequence[int] = SIZES,
    fpir: float = 1e-2,
    strangers: float = 0.2,
    max_probes: int = 10_000,
    seed: int = 0,
    track: Track = untracked,
) -> dict[str, float | Estimate]:
    """Returns what identification does with galleries of several sizes, each with the threshold T(N) of its size N.

    Some people are strangers, with one image each, of whom one half sets the thresholds and the other is counted; the others
    are enrolled with one image each, in an order in which a smaller gallery is part of a larger one, and their other images are
    probes. T(N) is the largest threshold at which at most a share ``fpir`` of the first half finds anybody in the gallery of N:
    a stranger's chance grows with every comparison, FPIR(N) ≈ 1 - (1 - FMR)^N, so that one threshold cannot serve all sizes.

    - ``gallery_size/threshold@n=…``: T(N), left out where there are too few people.
    - ``gallery_size/fpir@n=…``: of the second half, how many find anybody. Its interval holds what both halves leave open.
    - ``gallery_size/fnir@n=…``: of the probes, how many are not given their own name: too far, or nearer to another.
    - ``gallery_size/rank1@n=…``: of the probes, how many are nearest to their own image, at any distance.

    Args:
        embeddings: (n, d).
        labels: The person in each.
        distance: How they are compared; the cosine distance by default.
        sizes: People in the gallery. One that there are too few people for is unresolvable, and all are where the strangers are
            too few for ``fpir`` or nobody who is enrolled has a second image.
        fpir: The false-positive identification rate aimed at.
        strangers: The share of the people who are never enrolled.
        max_probes: Of more, so many are drawn.
        seed: Of the choice of people, images and probes.
        track: Is told of blocks of the gallery.

    Raises:
        UserError: The strangers are too few for ``fpir``, nobody has two images, a distance is NaN, or an argument is out of
            range.

    Grother et al., "Face Recognition Vendor Test, part 2: identification", NISTIR 8271.
    """
    if not 0 < fpir < 1 or not 0 < strangers < 1 or not sizes or min(sizes) < 1 or max_probes < 1:
        raise UserError(
            f"Galleries of {tuple(sizes)}, FPIR {fpir}, a share {strangers} of strangers and {max_probes} probes cannot "
            "be measured: "
            "give sizes and probes from 1 on, and shares between 0 and 1."
        )
    by = Cosine() if distance is None else distance
    table = as_numpy("by_gallery_size", "embeddings", embeddings, ("n", "d"), help="Give one row for each image.")
    table = table.astype(np.float32)
    names = as_numpy("by_gallery_size", "labels", labels, (len(table),), "integers", "Give the person in each image.")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(names))
    people, firsts, who = np.unique(names[order], return_index=True, return_inverse=True)
    shuffled = rng.permutation(len(people))
    outside = shuffled[: round(strangers * len(people))]
    inside = shuffled[len(outside) :]
    half = len(outside) // 2
    needed = int(np.ceil(1 / fpir - 1e-9))
    if half < needed:
        return _nothing(
            sizes,
            f"FPIR {rate_name(fpir)} needs {2 * needed} strangers, half of whom set the threshold, and a share "
            f"{strangers:g} of "
            f"{len(people)} people are {len(outside)}",
        )
    # The place of each enrolled person's image in the gallery; what is left of their images are probes.
    place = np.full(len(people), len(people))
    place[inside] = np.arange(len(inside))
    gallery = order[firsts[inside]]
    spare = np.setdiff1d(np.arange(len(order)), firsts)
    spare = spare[place[who[spare]] < len(inside)]
    if not len(spare):
        return _nothing(sizes, "nobody who is enrolled has another image to be found by")
    probes = np.sort(rng.permutation(spare)[:max_probes])
    own = place[who[probes]]
    rows = np.concatenate([order[firsts[outside]], order[probes]])
    columns = np.concatenate([np.full(len(outside), -1), own])
    asked = sorted({size for size in sizes if size <= len(inside)})
    nearest_other, to_own = _nearest(table[rows], table[gallery[: max(asked, default=0)]], columns, asked, by, track)
    found: dict[str, float | Estimate] = {}
    for size in sizes:
        path = [f"gallery_size/{name}@n={size}" for name in ("fpir", "fnir", "rank1")]
        if size not in asked:
            why = f"a gallery of {size} needs so many people beside the strangers, and there are {len(inside)}"
            found |= dict.fromkeys(path, Estimate.unresolvable(0, why))
            continue
        nearest = nearest_other[asked.index(size)]
        threshold, counted = _threshold(nearest[:half], fpir), nearest[half : len(outside)]
        rate = float((counted <= threshold).mean())
        # What sets the threshold is as uncertain as what is counted.
        worth = 1 / (1 / half + 1 / len(counted))
        mated = np.flatnonzero(own < size)
        other, mine = nearest[len(outside) :][mated], to_own[len(outside) :][mated]
        shown = names[order[probes[mated]]]
        right = mine < other
        found[f"gallery_size/threshold@n={size}"] = threshold
        found[path[0]] = Estimate.around(rate, wilson_interval(rate, worth), len(counted))
        found[path[1]] = clustered_rate(~(right & (mine <= threshold)), shown, seed=seed)
        found[path[2]] = clustered_rate(right, shown, seed=seed)
    return found


def _nothing(sizes: Sequence[int], why: str) -> dict[str, float | Estimate]:
    none = Estimate.unresolvable(0, why)
    return {f"gallery_size/{name}@n={size}": none for size in sizes for name in ("fpir", "fnir", "rank1")}


def _threshold(nearest: np.ndarray, fpir: float) -> float:
    curve = curves.roc(nearest.astype(np.float64), np.zeros(len(nearest), bool))
    return float(curve.thresholds[curves.indices_at_far(curve, [fpir])[0]])


def _nearest(
    probes: np.ndarray, gallery: np.ndarray, own: np.ndarray, sizes: Sequence[int], by: Distance | Compare, track: Track
) -> tuple[np.ndarray, np.ndarray]:
    """The distance of each probe to the nearest of the first N that is not its own, for each N; and to its own."""
    nearest = np.full((len(sizes), len(probes)), np.inf)
    to_own = np.full(len(probes), np.inf)
    ends = sorted({*sizes, *range(_COLUMNS, len(gallery), _COLUMNS)})
    for start, end in track("comparing with the gallery", list(zip([0, *ends], ends, strict=False))):
        for row in range(0, len(probes), SIDE):
            distances = compare_blocks(probes[row : row + SIDE], gallery[start:end], by)
            curves.refuse_nan(distances)
            places = own[row : row + SIDE] - start
            mine = np.flatnonzero((places >= 0) & (places < end - start))
            to_own[row + mine] = distances[mine, places[mine]]
            distances[mine, places[mine]] = np.inf
            least = distances.min(axis=1)
            for number, size in enumerate(sizes):
                if end <= size:
                    part = nearest[number, row : row + SIDE]
                    np.minimum(part, least, out=part)
    return nearest, to_own
