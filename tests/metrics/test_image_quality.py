"""The measures of images, against their definitions written out in loops and against other libraries."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.research.metrics.image_quality import (
    color_distance,
    edge_correlation,
    patch_distance,
    psnr,
    sharpness,
    sliced_wasserstein,
    ssim,
)


def image(seed: int, height: int = 24, width: int = 30) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = np.sin(x[..., None] * rng.uniform(0.1, 0.5, 3) + y[..., None] * rng.uniform(0.1, 0.5, 3))
    return np.clip(0.5 + 0.35 * waves + 0.08 * rng.standard_normal((height, width, 3)), 0.0, 1.0).astype(np.float32)


FIRST, SECOND = image(0), image(1)


def luminance(pixels: np.ndarray) -> np.ndarray:
    return np.float64(pixels) @ [0.299, 0.587, 0.114]


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    pixels = luminance(FIRST)
    found = [
        pixels[y - 1, x] + pixels[y + 1, x] + pixels[y, x - 1] + pixels[y, x + 1] - 4 * pixels[y, x]
        for y in range(1, pixels.shape[0] - 1)
        for x in range(1, pixels.shape[1] - 1)
    ]
    assert sharpness(FIRST) == pytest.approx(np.var(found), rel=1e-9)
    assert sharpness(np.ones((5, 4))) == 0
    with pytest.raises(ValueError, match="sides of 3 or more"):
        sharpness(np.ones((2, 9)))


def ssim_in_loops(x: np.ndarray, y: np.ndarray) -> float:
    """Every window by itself."""
    d = np.arange(11) - 5.0
    window = np.exp(-(d[:, None] ** 2 + d**2) / (2.0 * 1.5**2))
    window /= window.sum()
    values = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            a, b = (plane[top : top + 11, left : left + 11] for plane in (x, y))
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            both = (window * (a - mean_a) * (b - mean_b)).sum()
            above = (2.0 * mean_a * mean_b + 1e-4) * (2.0 * both + 9e-4)
            values.append(above / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)))
    return float(np.mean(values))


def test_ssim_agrees_with_its_definition() -> None:
    assert ssim(FIRST, SECOND) == pytest.approx(ssim_in_loops(luminance(FIRST), luminance(SECOND)), rel=1e-9)
    noisy = np.clip(FIRST + 0.05 * np.random.default_rng(2).standard_normal(FIRST.shape), 0.0, 1.0)
    assert ssim(FIRST, noisy) == pytest.approx(ssim_in_loops(luminance(FIRST), luminance(noisy)), rel=1e-9)
    assert ssim(FIRST[..., 0], SECOND[..., 0]) == pytest.approx(
        ssim_in_loops(np.float64(FIRST[..., 0]), np.float64(SECOND[..., 0])), rel=1e-9
    )


@pytest.mark.peers
def test_ssim_agrees_with_scikit_image() -> None:
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    for other in (SECOND, np.clip(FIRST * 0.8 + 0.05, 0.0, 1.0)):
        _, values = metrics.structural_similarity(
            luminance(FIRST),
            luminance(other),
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        assert ssim(FIRST, other) == pytest.approx(values[5:-5, 5:-5].mean(), rel=1e-6)


def test_equal_images() -> None:
    assert ssim(FIRST, FIRST) == pytest.approx(1.0)
    assert edge_correlation(FIRST, FIRST) == pytest.approx(1.0)
    assert psnr(FIRST, FIRST) == math.inf
    assert color_distance(FIRST, FIRST) == 0.0
    assert patch_distance(FIRST, FIRST, scales=2, projections=8) == 0.0


def test_psnr_of_a_shift() -> None:
    assert psnr(np.full((4, 5, 3), 0.5), np.full((4, 5, 3), 0.6)) == pytest.approx(20.0)


def test_edge_correlation_agrees_with_its_definition() -> None:
    kernel = np.array([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]])
    edges = []
    for plane in (luminance(FIRST), luminance(SECOND)):
        windows = np.lib.stride_tricks.sliding_window_view(plane, (3, 3))
        edges.append(np.hypot((windows * kernel).sum((2, 3)), (windows * kernel.T).sum((2, 3))))
    expected = np.corrcoef(edges[0].ravel(), edges[1].ravel())[0, 1]
    assert edge_correlation(FIRST, SECOND) == pytest.approx(expected, rel=1e-9)


def test_edges_care_for_neither_contrast_nor_its_sign() -> None:
    assert edge_correlation(FIRST, 1.0 - 0.3 * FIRST) == pytest.approx(1.0)
    assert edge_correlation(FIRST, np.full_like(FIRST, 0.3)) == 0.0
    assert edge_correlation(np.full_like(FIRST, 0.3), np.full_like(FIRST, 0.3)) == 0.0


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 9), m=st.integers(1, 9), seed=st.integers(0, 1000))
def test_on_a_line_it_is_the_wasserstein_distance_of_any_two_sizes(n: int, m: int, seed: int) -> None:
    """Against the points repeated to one number, for which the sorted pairs are optimal."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal(n), rng.standard_normal(m)
    together = np.sort(np.repeat(x, m)) - np.sort(np.repeat(y, n))
    distance = sliced_wasserstein(x[:, None], y[:, None], np.ones((1, 1)))
    assert distance == pytest.approx(math.sqrt(np.mean(together**2)), rel=1e-9)
    assert distance >= scipy.stats.wasserstein_distance(x, y) - 1e-12


def test_more_directions_than_one_are_a_mean_square() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 3)), rng.standard_normal((70, 3))
    each = [sliced_wasserstein(x, y, np.eye(3)[c : c + 1]) for c in range(3)]
    assert sliced_wasserstein(x, y, np.eye(3)) == pytest.approx(math.sqrt(np.mean(np.square(each))))
    assert sliced_wasserstein(y, x, np.eye(3)) == pytest.approx(sliced_wasserstein(x, y, np.eye(3)))


def test_a_shift_of_color_costs_its_size() -> None:
    flat = 0.2 + 0.5 * np.float64(FIRST)
    assert color_distance(flat, flat + 0.1) == pytest.approx(0.1, rel=1e-9)
    assert color_distance(flat, flat + np.array([0.2, 0.0, 0.0])) == pytest.approx(0.2 / math.sqrt(3.0), rel=1e-9)
    assert patch_distance(flat, flat + 0.1, scales=2, projections=2000) == pytest.approx(0.1, rel=0.05)


def test_colors_do_not_care_where_they_stand_nor_how_often_the_whole_repeats() -> None:
    pixels = np.random.default_rng(0).permutation(FIRST.reshape(-1, 3)).reshape(FIRST.shape)
    assert color_distance(FIRST, pixels) == 0.0
    assert color_distance(FIRST, np.tile(FIRST, (2, 1, 1))) == pytest.approx(0.0, abs=1e-9)
    assert patch_distance(FIRST, pixels, scales=1) > 0.03


@pytest.mark.parametrize("axis", [0, 1])
def test_patches_have_a_height_and_a_width(axis: int) -> None:
    """Lines that change places along either axis leave every line as it was, and not the patches."""
    moved = np.random.default_rng(1).permutation(FIRST, axis=axis)
    assert patch_distance(FIRST, moved, side=2, scales=1) > 0.02
    assert patch_distance(FIRST, np.flip(FIRST, axis), side=1, scales=1) == pytest.approx(0.0, abs=1e-9)


def test_patches_know_a_texture() -> None:
    """Another piece of the same stripes is nearer than stripes that are turned, wider, or of another color."""
    y, x = np.mgrid[:96, :96]

    def stripes(angle: float = 0.3, period: float = 8.0, phase: float = 0.0, size: int = 96) -> np.ndarray:
        wave = np.sin(2.0 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period + phase)
        return (0.5 + 0.4 * wave[:size, :size, None] * [1.0, 0.6, 0.2]).astype(np.float32)

    same = patch_distance(stripes(), stripes(phase=2.0, size=80), scales=2)
    assert same < 0.02
    for other in (stripes(angle=1.5), stripes(period=16.0), stripes()[..., ::-1]):
        assert patch_distance(stripes(), other, scales=2) > 4.0 * same


def test_a_draw_of_patches_is_near_to_all_of_them_and_repeats() -> None:
    first, second = image(3, 64, 64), image(4, 70, 50)
    every = patch_distance(first, second, scales=1, projections=64)
    drawn = patch_distance(first, second, scales=1, projections=64, patches=1000)
    assert drawn == pytest.approx(every, rel=0.1)
    assert drawn == patch_distance(first, second, scales=1, projections=64, patches=1000)


def test_images_that_cannot_be_compared_are_refused() -> None:
    for measure in (psnr, ssim, edge_correlation):
        with pytest.raises(ValueError, match=r"\(24, 30, 3\) and \(30, 24, 3\)"):
            measure(FIRST, image(0, 30, 24))
    with pytest.raises(ValueError, match="30 x 10"):
        ssim(FIRST[:10], SECOND[:10])
    with pytest.raises(ValueError, match="30 x 3"):
        edge_correlation(FIRST[:3], SECOND[:3])
    with pytest.raises(ValueError, match="needs 28 pixels on a side; the images are 30 x 24 and 30 x 24"):
        patch_distance(FIRST, SECOND)
    with pytest.raises(ValueError, match=r"\(24, 30, 2\)"):
        ssim(FIRST[..., :2], SECOND[..., :2])


@pytest.mark.parametrize(("scales", "needed"), [(1, 3), (2, 6), (3, 12), (4, 24)])
def test_an_image_holds_a_patch_at_the_coarsest_scale(scales: int, needed: int) -> None:
    settings = {"side": 3, "scales": scales, "projections": 4}
    assert patch_distance(FIRST[:needed, :needed], SECOND[:needed, :needed], **settings) > 0
    for size in ((needed - 1, needed), (needed, needed - 1)):
        with pytest.raises(ValueError, match=f"needs {needed} pixels on a side; the images are .* {size[1]} x {size[0]}\\."):
            patch_distance(FIRST[:needed, :needed], SECOND[: size[0], : size[1]], **settings)


@pytest.mark.parametrize("measure", [psnr, ssim, edge_correlation, color_distance, patch_distance])
def test_values_of_another_scale_and_a_fourth_channel_are_refused(measure):
    """Of 0 to 255 each gives a number 255 times, or 48 dB, off; four channels read as three are other colors."""
    wide = np.tile(FIRST, (2, 2, 1))
    levels = (255 * wide).astype(np.uint8)
    opaque = np.concatenate([wide, np.ones_like(wide[..., :1])], axis=-1)
    for wrong in (levels, opaque, wide[None]):
        with pytest.raises(ValueError, match="the images' values must be floats of shape"):
            measure(wrong, wrong)
