"""Fréchet distance of two sets of features, its limit for many, and ArtFID, which joins it with that from the contents."""

import numpy as np

from likeness.research.checks import UncheckedNumbers

__all__ = ["art_fid", "extrapolated_frechet_distance", "frechet_distance"]


def frechet_distance(first: UncheckedNumbers, second: UncheckedNumbers) -> float:
    """``|μ - μ'|² + tr (Σ + Σ' - 2 (Σ Σ')^½)`` of the Gaussians that two sets of features are taken for; float64.

    With the 2,048 features of the last pooling of Inception-v3 in TensorFlow's own weights it is FID (Heusel et al. 2017).
    Features of another encoder are another distance, whose values do not compare. Covariances are divided by n - 1, as FID's
    are. It is in squared units of the features, and 0 for sets of one mean and covariance. It is biased: of fewer images it is
    larger, so compare sets of one size (Chong and Forsyth 2020).

    The trace of the root of ``Σ Σ'`` is the sum of the singular values of ``X Y^T / √((n-1)(m-1))``, of the centered features X
    and Y: that is what is computed where n·m ≤ d². Else the root is taken of the symmetric ``Σ^½ Σ' Σ^½``, which has the
    eigenvalues of ``Σ Σ'`` and none that is complex.

    Args:
        first: (n, d), a row an image, such as what was painted.
        second: (m, d), of others, such as the style images.

    Raises:
        ValueError: fewer than two rows, other numbers of features, or features that are not finite.
    """
    sets = [np.asarray(each, np.float64) for each in (first, second)]
    for each in sets:
        if each.ndim != 2 or len(each) < 2 or each.shape[1] != sets[0].shape[1]:
            raise ValueError(
                f"frechet_distance: features of the shapes {sets[0].shape} and {sets[1].shape}; give a row for each image, at "
                "least two in either set, and one number of features."
            )
        if not np.isfinite(each).all():
            raise ValueError("frechet_distance: some features are not finite.")
    means = [each.mean(axis=0) for each in sets]
    centered = [(each - mean) / np.sqrt(len(each) - 1) for each, mean in zip(sets, means, strict=True)]
    shared = _shared(*centered)
    spread = sum(float(np.sum(each * each)) for each in centered)
    return float(np.sum((means[0] - means[1]) ** 2) + spread - 2.0 * shared)


def _shared(first: np.ndarray, second: np.ndarray) -> float:
    """``tr (Σ Σ')^½`` of ``Σ = X^T X`` and ``Σ' = Y^T Y``."""
    if len(first) * len(second) <= first.shape[1] ** 2:
        return float(np.linalg.svd(first @ second.T, compute_uv=False).sum())
    values, vectors = np.linalg.eigh(first.T @ first)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return float(np.sqrt(np.maximum(np.linalg.eigvalsh(root @ (second.T @ second) @ root), 0.0)).sum())


def extrapolated_frechet_distance(
    first: UncheckedNumbers, second: UncheckedNumbers, *, smallest: int = 5000, points: int = 15, seed: int = 0
) -> float:
    """FID∞: what :func:`frechet_distance` would be of sets without end, so far as a line over 1/N tells.

    ``FID_N = FID∞ + b/N`` is fitted by least squares to the distances at ``points`` sizes N, evenly from ``smallest`` to n. At
    each size N rows are drawn without replacement, the same of both sets. FID is biased by an amount that falls as 1/N and is
    another for each generator. Without it, sets of other sizes compare.

    Chong and Forsyth, "Effectively unbiased FID and inception score and where to find them", CVPR 2020, of whose code the
    sizes are. They hold the second set fixed; the same rows of both are drawn by ArtFID's authors.

    Args:
        first: (n, d), a row an image.
        second: (n, d), as many.
        smallest: the fewest images of a distance. The line is as certain as the sizes are far apart: n should be several times
            as many.
        points: how many distances the line is fitted to.
        seed: of the draws; they are independent of one another.

    Returns:
        A number in the unit of the distance. It may lie below 0 where two sets are nearly the same.

    Raises:
        ValueError: sets of other sizes, fewer than two points, or no more than ``smallest`` rows: of these FID∞ says nothing.
    """
    sets = [np.asarray(each, np.float64) for each in (first, second)]
    count = len(sets[0])
    if len(sets[1]) != count or not 2 <= smallest < count or points < 2:
        raise ValueError(
            f"extrapolated_frechet_distance: {count} and {len(sets[1])} rows, {points} sizes from {smallest} on; give as many "
            "rows of either, more than `smallest`, which is at least 2, and at least two points."
        )
    sizes = np.linspace(smallest, count, points).astype(int)
    draw = np.random.default_rng(seed)
    distances = []
    for size in sizes:
        rows = draw.permutation(count)[:size]
        distances.append(frechet_distance(*(each[rows] for each in sets)))
    return float(np.polynomial.Polynomial.fit(1.0 / sizes, distances, 1)(0.0))


def art_fid(content_distance: float, style_distance: float) -> float:
    """``(1 + LPIPS) (1 + FID)``: low only for paintings that keep their contents and look like paintings of the style.

    Wright and Ommer, "ArtFID: quantitative evaluation of neural style transfer", GCPR 2022. They average LPIPS (alex) of each
    painting from its content, and take FID∞ of all paintings from all style images, by an Inception-v3 that has learned from
    paintings. 1 is best, and there is no upper end. :class:`~likeness.experiments.style.art_fid.ArtFID` computes both.

    Args:
        content_distance: the mean LPIPS of the paintings from their contents.
        style_distance: FID of the paintings from the styles. Of another encoder than ArtFID's it is :func:`frechet_distance` of
            that encoder, and the result is no published ArtFID: name the encoder beside it.

    Raises:
        ValueError: a distance below 0 or not finite.
    """
    for name, distance in (("content_distance", content_distance), ("style_distance", style_distance)):
        if not 0 <= distance < float("inf"):
            raise ValueError(f"art_fid: {name} is {distance}; distances are finite numbers, 0 or more.")
    return (1.0 + content_distance) * (1.0 + style_distance)
