"""Random squares: where they come from, and that batch i is a function of the seed and i."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from likeness.research.data.image_sets import Crops, ImageFolder, RandomCrops, crop_stream
from likeness.research.data.image_sets.image_set import ImageSet

# An image in which every pixel says where it is: red along x, green along y.
PLACES = np.full((40, 60, 3), 7, np.uint8)
PLACES[..., 0] = np.arange(60, dtype=np.uint8) * 4
PLACES[..., 1] = (np.arange(40, dtype=np.uint8) * 6)[:, None]


def image_set(*images):
    names = tuple(map(str, range(len(images))))
    return ImageSet(names=names, read=lambda number: images[number], fingerprint=hashlib.sha256(b"".join(images)).hexdigest())


def crops(*image_sets, **fields):
    sources = tuple(ImageFolder(path=str(number)) for number in range(len(image_sets)))
    return Crops(RandomCrops(sources=sources, **fields), image_sets)


def test_a_square_at_scale_one_is_a_piece_of_the_image():
    squares = crops(image_set(PLACES), size=16, zoom=(1.0, 1.0), mirror=0.0)
    lefts, tops = [], []
    for number in range(40):
        cut = squares.draw(0, number).astype(float)
        # Lanczos over a fraction of a pixel keeps a ramp but for its ends.
        inner = cut[3:-3, 3:-3]
        np.testing.assert_allclose(np.diff(inner[..., 0], axis=1), 4.0, atol=1.1)
        np.testing.assert_allclose(np.diff(inner[..., 1], axis=0), 6.0, atol=1.1)
        lefts.append(inner[0, 0, 0] / 4 - 3)
        tops.append(inner[0, 0, 1] / 6 - 3)
    assert min(lefts) < 6
    assert max(lefts) > 38
    assert min(tops) < 4
    assert max(tops) > 20


def test_zoom_shrinks_and_never_reaches_beyond_the_image():
    squares = crops(image_set(PLACES), size=10, zoom=(0.01, 0.5), mirror=0.0)
    spans = [np.ptp(squares.draw(1, number)[..., 0].astype(float)) / 4 for number in range(60)]
    # Of the 40 pixels of the shorter side, which is what the smaller zooms are cut to, or 20 and more.
    assert 15 < min(spans) < 25
    assert 34 < max(spans) <= 40


def test_half_are_mirrored():
    squares = crops(image_set(PLACES), size=16, zoom=(1.0, 1.0))
    rising = [np.diff(squares.draw(2, number)[8, :, 0].astype(float)).mean() > 0 for number in range(200)]
    assert 0.35 < np.mean(rising) < 0.65


def test_sources_are_drawn_by_their_weights_whatever_their_size():
    dark, light = np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 255, np.uint8)
    squares = crops(image_set(dark), image_set(light, light, light), size=8, weights=(3.0, 1.0))
    assert np.mean([squares.draw(number)[0, 0, 0] == 0 for number in range(400)]) == pytest.approx(0.75, abs=0.08)


def test_the_stream_is_a_function_of_the_seed_and_the_number():
    pair = {"contents": crops(image_set(PLACES), size=8), "styles": crops(image_set(PLACES), size=12)}

    def taken(count, seed=0, state=None, **fields):
        iterator = crop_stream(pair, 3, seed, **fields)
        if state is not None:
            iterator.set_state(state)
        batches = [next(iterator) for _ in range(count)]
        state = iterator.get_state()
        iterator.close()
        return batches, state

    whole, _ = taken(5)
    assert whole[0]["contents"].shape == (3, 8, 8, 3)
    assert whole[0]["styles"].shape == (3, 12, 12, 3)
    assert whole[0]["styles"].dtype == np.uint8
    first, state = taken(2)
    rest, _ = taken(3, state=state, threads=0)
    for one, other in zip(whole, [*first, *rest], strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    assert not np.array_equal(taken(1, seed=1)[0][0]["contents"], whole[0]["contents"])
    assert not np.array_equal(whole[0]["contents"], whole[1]["contents"])


def test_what_there_is_and_what_was_left_out_is_said(tmp_path):
    Image.fromarray(PLACES).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("")
    opened = RandomCrops(sources=(ImageFolder(path=str(tmp_path)),), size=32).open()
    first, second = opened.description
    assert first == "32 × 32 pixels out of 1 image: 1 of ImageFolder"
    assert second.startswith("1 file was skipped (b.png: ")
    assert len(opened.fingerprint) == 64


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sources": ()}, "sources is empty"),
        ({"weights": (1.0,)}, "for 3 sources: give one finite number above 0"),
        ({"size": 4}, "size is 4"),
        ({"zoom": (1.0, 0.5)}, "the smaller first"),
        ({"mirror": 1.5}, "mirror is 1.5"),
    ],
)
def test_illegal_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        RandomCrops(**fields)
