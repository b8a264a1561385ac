import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from likeness.research.data import BadImage, Preprocessing, to_unit

SEEDED = np.random.default_rng(0)


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_integers_become_the_same_numbers_in_training_and_in_evaluation(kind):
    """To the bit: in NumPy, op by op, in a program, and in one that goes on with them."""
    largest = np.iinfo(kind).max
    values = np.arange(largest + 1).astype(kind)
    exact = (values.astype(np.float64) / largest).astype(np.float32)
    for found in (to_unit(values), to_unit(jnp.asarray(values)), jax.jit(to_unit)(values)):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(np.asarray(found), exact)
    ahead = jax.jit(lambda v: jnp.where(to_unit(v) == exact, 2.0 * to_unit(v), -1.0))(values)
    np.testing.assert_array_equal(np.asarray(ahead), 2 * exact)


def test_other_kinds_have_a_range_or_are_refused():
    assert to_unit(np.array([0, 2**32 - 1], np.uint32)).tolist() == [0.0, 1.0]
    assert to_unit(np.array([0.25], np.float64)).dtype == np.float32
    for kind in (np.int8, np.int64, np.uint64, bool):
        with pytest.raises(ValueError, match="no agreed range"):
            to_unit(np.zeros(2, kind))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_saved_result_comes_back_as_it_is(channels):
    pixels = SEEDED.integers(0, 256, (24, 16, channels), np.uint8)
    for fit in ("crop", "stretch", "exact"):
        for resample in ("box", "bilinear", "lanczos", "area"):
            preprocessing = Preprocessing(size=(24, 16), channels=channels, fit=fit, resample=resample)
            assert preprocessing.keeps
            np.testing.assert_array_equal(preprocessing.from_bytes(png(pixels), "x"), pixels)


def test_of_a_large_image_the_largest_part_of_the_proportions_is_kept():
    """A ramp from left to right and from top to bottom: what is left at the edges says what was cut off."""
    wide = np.stack(np.broadcast_arrays(np.arange(200.0)[None], np.arange(60.0)[:, None] * 4, 0.0), axis=-1).astype(np.uint8)
    found = Preprocessing(size=(30, 20), resample="box").from_bytes(png(wide), "x")
    # 40 of 200 columns around the center are kept, and all rows.
    assert found.shape == (30, 20, 3)
    np.testing.assert_allclose(found[0, [0, -1], 0], [80.5, 118.5], atol=1)
    np.testing.assert_allclose(found[[0, -1], 0, 1], [2, 234], atol=1)


def test_areas_take_parts_of_pixels():
    pixels = np.array([[0, 90, 180]], np.uint8).repeat(8, 0)[..., None]
    found = Preprocessing(size=(8, 2), channels=1, fit="stretch", resample="area", min_side=1).from_bytes(png(pixels), "x")
    assert found[0, :, 0].tolist() == [30, 150]
    larger = Preprocessing(size=(16, 6), channels=1, fit="stretch", resample="area", min_side=1).from_bytes(png(pixels), "x")
    np.testing.assert_array_equal(larger, pixels.repeat(2, 0).repeat(2, 1))


def test_tones_are_cut_and_the_polarity_is_said():
    pixels = np.array([[[0], [127], [128], [255]]], np.uint8).repeat(4, 0)
    cut = Preprocessing(size=(4, 4), channels=1, fit="exact", tones="two").from_bytes(png(pixels), "x")
    assert cut[0, :, 0].tolist() == [0, 0, 255, 255]
    turned = Preprocessing(size=(4, 4), channels=1, fit="exact", polarity="inverted")
    assert turned.from_bytes(png(pixels), "x")[0, :, 0].tolist() == [255, 128, 127, 0]
    assert not turned.keeps


def drawing(side: int, top: int, left: int, height: int, width: int) -> np.ndarray:
    paper = np.full((side, side, 1), 255, np.uint8)
    paper[top : top + height, left : left + width] = 0
    return paper


@pytest.mark.parametrize(("top", "left"), [(10, 10), (0, 0), (64, 12), (80, 85)])
def test_a_dark_frame_sees_a_drawing_wherever_it_lies(top, left):
    """Also where the square leaves the file: outside there is paper."""
    frame = Preprocessing(size=(29, 29), channels=1, frame="dark", resample="area", polarity="inverted")
    seen = frame.from_bytes(png(drawing(105, top, left, 25, 20)), "a")[..., 0]
    # Ceil of 2/7 · 105 · 1.16 is 35 pixels wide, with 25 × 20 of ink in the middle.
    assert seen.sum() / 255 == pytest.approx(25 * 20 * (29 / 35) ** 2, rel=0.01)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    assert abs(rows[0] + rows[-1] - 28) <= 1 and abs(columns[0] + columns[-1] - 28) <= 1


def test_a_dark_frame_magnifies_what_is_small_up_to_a_limit_and_keeps_proportions():
    frame = Preprocessing(size=(29, 29), channels=1, frame="dark", resample="area", polarity="inverted")
    extents = {}
    for side in (2, 60, 105):
        seen = frame.from_bytes(png(drawing(105, 0, 0, side, max(side // 2, 1))), "a")[..., 0] > 127
        extents[side] = seen.any(axis=1).sum(), seen.any(axis=0).sum()
    assert extents[60] == pytest.approx((25, 12.5), abs=1.5) and extents[105] == pytest.approx((25, 12.5), abs=1.5)
    assert extents[2][0] <= 3


def test_paper_without_ink_is_seen_as_a_whole():
    frame = Preprocessing(size=(15, 15), channels=1, frame="dark", polarity="as_is")
    assert (frame.from_bytes(png(np.full((30, 30, 1), 255, np.uint8)), "a") == 255).all()
    assert not frame.keeps and Preprocessing(size=(15, 15)).keeps


def test_another_size_is_refused_where_the_size_is_exact():
    exact = Preprocessing(size=(8, 16), fit="exact", file_size=(16, 32), resample="area")
    assert exact.from_bytes(png(np.zeros((16, 32, 3), np.uint8)), "x").shape == (8, 16, 3)
    for sides in ((8, 16), (32, 16), (17, 32)):
        with pytest.raises(BadImage, match=f"it is {sides[1]} x {sides[0]} pixels, and only files of 32 x 16 are taken"):
            exact.from_bytes(png(np.zeros((*sides, 3), np.uint8)), "x")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": (0, 8)}, "height and the width"),
        ({"size": (8, 8), "file_size": (9, 9)}, 'is for fit="exact"'),
        ({"size": (8, 8), "max_megapixels": 0.0}, "max_megapixels must be positive"),
    ],
)
def test_illegal_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing(**fields)


@pytest.mark.parametrize(
    ("field", "value"), [("channels", 2), ("fit", "pad"), ("frame", "light"), ("polarity", "white"), ("resample", "cubic")]
)
def test_illegal_words_are_refused(field, value):
    preprocessing = Preprocessing(size=(8, 8))
    # The tests' type checker would come first.
    object.__setattr__(preprocessing, field, value)
    with pytest.raises(ValueError, match=f"{field} is {value!r}: choose of"):
        preprocessing.__post_init__()
