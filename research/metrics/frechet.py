"""Fréchet distance of two sets of features, and ArtFID, which joins it with the distance from the contents."""

import numpy as np

from likeness.research.checks import UncheckedNumbers

__all__ = ["art_fid", "frechet_distance"]


def frechet_distance(first: UncheckedNumbers, second: UncheckedNumbers) -> float:
    """``|μ - μ'|² + tr (Σ + Σ' - 2 (Σ Σ')^½)`` of the Gaussians that two sets of features are taken for; float64.

    With the 2,048 features of the last pooling of Inception-v3 in TensorFlow's own weights it is FID (Heusel et al. 2017).
    Features of another encoder are another distance, whose values do not compare. Covariances are divided by n - 1, as FID's
    are. It is in squared units of the features, and 0 for sets of one mean and covariance. It is biased: of fewer images it is
    larger, so compare sets of one size (Chong and Forsyth 2020).

    The root is taken of the symmetric ``Σ^½ Σ' Σ^½``, which has the eigenvalues of ``Σ Σ'`` and none that is complex.

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
    covariances = [np.cov(each, rowvar=False).reshape(each.shape[1], -1) for each in sets]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariances[1] @ root), 0.0)).sum()
    return float(np.sum((means[0] - means[1]) ** 2) + np.trace(covariances[0]) + np.trace(covariances[1]) - 2.0 * shared)


def art_fid(content_distance: float, style_distance: float) -> float:
    """``(1 + LPIPS) (1 + FID)``: low only for paintings that keep their contents and look like paintings of the style.

    Wright and Ommer, "ArtFID: quantitative evaluation of neural style transfer", 2022. They average LPIPS (alex) of each
    painting from its content, and take FID of all paintings from all style images. 1 is best, and there is no upper end.

    Args:
        content_distance: the mean LPIPS of the paintings from their contents.
        style_distance: FID of the paintings from the styles. Of another encoder than Inception-v3 it is
            :func:`frechet_distance` of that encoder, and the result is no published ArtFID: name the encoder beside it.

    Raises:
        ValueError: a distance below 0 or not finite.
    """
    for name, distance in (("content_distance", content_distance), ("style_distance", style_distance)):
        if not 0 <= distance < float("inf"):
            raise ValueError(f"art_fid: {name} is {distance}; distances are finite numbers, 0 or more.")
    return (1.0 + content_distance) * (1.0 + style_distance)
