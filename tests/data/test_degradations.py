"""Images made worse: by as much as is said, the same for the same seed."""

import numpy as np
import pytest

from likeness.research.data.degradations import (
    Blur,
    Darkness,
    Degradation,
    JpegCompression,
    LowResolution,
    Occlusion,
    PixelNoise,
)

ALL = (LowResolution(side=8), Blur(sigma=2.0), JpegCompression(quality=10), Occlusion(share=0.25), PixelNoise(sigma=20.0))
EVERY = (*ALL, Darkness(factor=0.25))


def image(channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 32, channels)).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.title)
def test_shape_and_seed(one: Degradation, channels: int) -> None:
    given = image(channels)
    before = given.copy()
    made, again = (one(given, np.random.default_rng(3)) for _ in range(2))
    assert made.shape == given.shape and made.dtype == np.uint8
    np.testing.assert_array_equal(made, again)
    np.testing.assert_array_equal(given, before)
    assert (made != given).any()


def test_by_how_much() -> None:
    draw = np.random.default_rng(0)
    gray = np.full((200, 200, 1), 128, np.uint8)
    assert PixelNoise(sigma=20.0)(gray, draw).std() == pytest.approx(20, rel=0.03)
    white = np.full((100, 100, 3), 255, np.uint8)
    assert (Occlusion(share=0.25)(white, draw) == 128).mean() == 0.25
    np.testing.assert_array_equal(Darkness(factor=0.5)(white, draw), 128)
    # A box of 5 pixels to one, whose mean is kept.
    board = (np.indices((40, 40)).sum(axis=0) % 2 * 200)[..., None].astype(np.uint8)
    assert LowResolution(side=8)(board, draw).mean() == pytest.approx(board.mean(), abs=4)
    assert LowResolution(side=400)(board, draw) is board
    spike = np.zeros((41, 41, 1), np.uint8)
    spike[20, 20] = 255
    blurred = Blur(sigma=2.0)(np.repeat(spike, 3, axis=2), draw)[..., 0].astype(float)
    x = np.arange(41) - 20
    assert (blurred.sum(axis=0) * x**2).sum() / blurred.sum() == pytest.approx(4, rel=0.4)


def test_wrong_amounts_are_refused() -> None:
    for make, message in (
        (lambda: LowResolution(side=0), "LowResolution.side is 0"),
        (lambda: Blur(sigma=-1.0), "Blur.sigma is -1.0"),
        (lambda: JpegCompression(quality=100), "JpegCompression.quality is 100"),
        (lambda: Occlusion(share=1.5), "Occlusion.share is 1.5"),
        (lambda: PixelNoise(sigma=-1.0), "PixelNoise.sigma"),
        (lambda: Darkness(factor=2.0), "Darkness.factor"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
