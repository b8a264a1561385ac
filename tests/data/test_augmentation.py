"""Augmentation: exact where it is switched off, NumPy's answer where it is on."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import jit

from likeness.research.data.augmentation import Augmentation

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 10, 12, 3), dtype=np.uint8)
KEY = jax.random.key(1)


maps = jit(Augmentation.maps, static_argnums=(0, 1))


def oracle(image: np.ndarray, matrix: np.ndarray, offset: np.ndarray, fill: float | None) -> np.ndarray:
    """Bilinear lookup of one image, pixel by pixel, in float64."""
    height, width, channels = image.shape
    out = np.zeros(image.shape)
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    for i in range(height):
        for j in range(width):
            u, v = matrix @ (np.array([j, i]) - center) + offset * [width, height] + center
            for dy in (0, 1):
                for dx in (0, 1):
                    x, y = int(np.floor(u)) + dx, int(np.floor(v)) + dy
                    weight = (1 - abs(u - x)) * (1 - abs(v - y))
                    inside = 0 <= x < width and 0 <= y < height
                    value = image[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)] / 255.0
                    out[i, j] += weight * (value if inside or fill is None else np.full(channels, fill))
    return out


def test_nothing_by_default() -> None:
    everything = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    expected = everything.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(Augmentation()(everything, KEY), expected)
    np.testing.assert_array_equal(jit(Augmentation())(everything, KEY), expected)
    # Nothing is drawn or looked up for what is off.
    program = str(jax.make_jaxpr(Augmentation())(everything, KEY))
    assert "gather" not in program
    assert "random_bits" not in program


@pytest.mark.parametrize("border", ["edge", "constant"])
def test_affine_map_agrees_with_numpy(border: str) -> None:
    augmentation = Augmentation(
        rotate=30.0, scale=(0.7, 1.4), shear=15.0, translate=0.2, crop=0.7, mirror=0.5, border=border, fill=0.25
    )
    geometry = jax.random.split(KEY, 3)[0]
    matrix, offset = (np.asarray(part, np.float64) for part in maps(augmentation, len(IMAGES), geometry))
    fill = 0.25 if border == "constant" else None
    expected = np.stack([oracle(*row, fill) for row in zip(IMAGES, matrix, offset, strict=True)])
    np.testing.assert_allclose(jit(augmentation)(IMAGES, KEY), expected, atol=2e-5)


def test_mirror_is_exact() -> None:
    result = np.asarray(jit(Augmentation(mirror=1.0))(IMAGES, KEY))
    np.testing.assert_allclose(result, IMAGES[:, :, ::-1] / 255.0, atol=1e-6)
    some = np.asarray(jit(Augmentation(mirror=0.5))(np.repeat(IMAGES[:1], 200, axis=0), KEY))
    flipped = np.isclose(some, IMAGES[0, :, ::-1] / 255.0, atol=1e-6).all((1, 2, 3))
    assert 70 < flipped.sum() < 130


def test_translation_moves_whole_pixels() -> None:
    augmentation = Augmentation(translate=0.5, border="constant")
    matrix, offset = maps(augmentation, 4, KEY)
    np.testing.assert_array_equal(matrix, np.broadcast_to(np.eye(2), (4, 2, 2)))
    assert float(jnp.abs(offset).max()) <= 0.5


def test_elastic_displacement_is_smooth_and_as_large_as_stated() -> None:
    ramp = np.broadcast_to(np.arange(0, 240, 6, dtype=np.uint8)[None, None, :, None], (300, 40, 40, 1))
    bent = np.asarray(jit(Augmentation(elastic=0.02, elastic_points=4))(ramp, KEY))[..., 0] * 255.0
    moved = (bent - ramp[..., 0]) / 6.0
    at_control_point = moved[:, 5, 5]  # the middle of the first of 4 x 4 cells
    assert at_control_point.std() == pytest.approx(0.02 * 40, rel=0.15)
    assert abs(at_control_point.mean()) < 0.15
    inside = moved[:, 4:-4, 4:-4]
    assert np.abs(np.diff(inside, axis=1)).max() < 0.6
    assert np.abs(np.diff(inside, axis=1)).mean() < 0.15


def test_without_elastic_the_other_draws_stay_as_they_are() -> None:
    affine = Augmentation(rotate=20.0, translate=0.1)
    bent = dataclasses.replace(affine, elastic=1e-6)
    np.testing.assert_allclose(jit(affine)(IMAGES, KEY), jit(bent)(IMAGES, KEY), atol=1e-3)


def test_crop_stays_inside_and_fills_the_result() -> None:
    matrix, offset = maps(Augmentation(crop=0.4), 500, KEY)
    side = np.asarray(matrix[:, 0, 0])
    assert 0.4 <= side.min() < 0.45
    assert 0.95 < side.max() <= 1.0
    np.testing.assert_array_equal(matrix[:, 0, 0], matrix[:, 1, 1])
    assert (np.abs(np.asarray(offset)) <= 0.5 * (1 - side[:, None]) + 1e-6).all()


def test_rotation_has_the_stated_range_and_preserves_lengths() -> None:
    matrix = np.asarray(maps(Augmentation(rotate=20.0), 2000, KEY)[0])
    angle = np.rad2deg(np.arctan2(matrix[:, 0, 1], matrix[:, 0, 0]))
    assert 19.0 < np.abs(angle).max() <= 20.0001
    assert abs(angle.mean()) < 1.0
    np.testing.assert_allclose(matrix @ matrix.transpose(0, 2, 1), np.eye(2)[None].repeat(2000, 0), atol=1e-5)


def test_brightness_and_contrast_ranges() -> None:
    images = np.full((400, 2, 2, 1), 128, np.uint8)
    images[:, 0] = 100
    tone = np.asarray(jit(Augmentation(brightness=0.2, contrast=0.3))(images, KEY))
    factor = (tone[:, 1, 0, 0] - tone[:, 0, 0, 0]) / (28 / 255)
    assert factor.min() + 1e-4 >= 0.70
    assert factor.max() <= 1.3 + 1e-4
    assert factor.max() - factor.min() > 0.5
    assert np.ptp(tone[:, 1]) > 0.3


def test_erasing_covers_the_stated_area() -> None:
    images = np.full((300, 40, 40, 1), 255, np.uint8)
    result = np.asarray(jit(Augmentation(erase=0.5, erase_area=(0.1, 0.2), fill=0.0))(images, KEY))
    area = (result == 0.0).mean((1, 2, 3))
    assert 100 < (area > 0).sum() < 200
    assert area.max() <= 0.23
    assert set(np.unique(result)) == {0.0, 1.0}


def test_every_image_is_changed_on_its_own_and_the_key_decides() -> None:
    augmentation = Augmentation(rotate=20.0, translate=0.1, brightness=0.1, erase=0.5)
    same = np.repeat(IMAGES[:1], 8, axis=0)
    result = np.asarray(jit(augmentation)(same, KEY))
    assert len(np.unique(result.reshape(8, -1), axis=0)) == 8
    np.testing.assert_array_equal(result, jit(augmentation)(same, KEY))
    assert not np.array_equal(result, jit(augmentation)(same, jax.random.key(2)))


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_results_stay_in_range(share: float) -> None:
    """With every change at its largest, and with some of each."""
    augment = jit(
        Augmentation(
            rotate=180 * share,
            shear=45 * share,
            translate=share,
            crop=1 - 0.9 * share,
            contrast=share,
            brightness=0.5,
            erase=share,
        )
    )
    for seed in range(30):
        result = np.asarray(augment(IMAGES[:2], jax.random.key(seed)))
        assert result.shape == IMAGES[:2].shape
        assert result.dtype == np.float32
        assert result.min() >= 0.0
        assert result.max() <= 1.0 + 1e-6


@pytest.mark.parametrize(
    "change",
    [
        {"rotate": -1.0},
        {"rotate": 181.0},
        {"scale": (1.2, 0.8)},
        {"scale": (0.0, 1.0)},
        {"shear": 80.0},
        {"translate": 1.5},
        {"elastic": -0.1},
        {"elastic_points": 1},
        {"crop": 0.0},
        {"crop": 1.1},
        {"mirror": 2.0},
        {"fill": 255.0},
        {"brightness": -0.1},
        {"contrast": float("nan")},
        {"erase": 1.1},
        {"erase_area": (0.3, 0.2)},
    ],
)
def test_illegal_ranges_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=f"Augmentation.{next(iter(change))}"):
        dataclasses.replace(Augmentation(), **change)
