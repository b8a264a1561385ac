"""A classifier slid over images as a detector."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from likeness.research.detectors import CanvasPlaces, DetectionModel, WindowDetector, detect
from likeness.research.encoders import WindowNetwork
from likeness.research.geometry import Suppression

NETWORK = WindowNetwork(window=8, widths=(1,), sides=(1,), pools=(2,), hidden=(1,))
DETECTOR = WindowDetector(network=NETWORK, size=(32, 32), class_names=("bright", "never"), margin=1, border=4)


def brightness():
    """Bright where all pixels of a window are, else background."""
    params = {
        "conv1": {"kernel": np.full((1, 1, 3, 1), 1 / 3, np.float32), "bias": np.zeros(1, np.float32)},
        "dense1": {"kernel": np.full((16, 1), 1 / 16, np.float32), "bias": np.zeros(1, np.float32)},
    }
    head = {"kernel": np.float32([[40.0, 0.0, 0.0]]), "bias": np.float32([0.0, -60.0, 30.0])}
    return {"encoder": {"params": params}, "head": head}


@pytest.mark.parametrize("form", ["convolutional", "crops"])
def test_a_bright_square_is_found_where_it_is(form):
    detector = dataclasses.replace(DETECTOR, form=form, fill=0, suppression=Suppression(iou_threshold=0.1, score_threshold=0.5))
    assert isinstance(detector, DetectionModel)
    image = np.zeros((32, 32, 3), np.uint8)
    # One in the corner, whose window reaches into the border, and one within.
    image[0:8, 0:8], image[16:24, 8:16] = 255, 255
    placement = detector.placement((32, 32))
    canvas = np.zeros((1, 40, 40, 3), np.uint8)
    canvas[0, 4:36, 4:36] = image
    found = jax.jit(lambda v, c: detect(detector, v, c, CanvasPlaces.of([placement])))(brightness(), canvas).exact_each(
        detector.class_names
    )[0]
    assert sorted(found.xyxy.tolist()) == [[1.0, 1.0, 7.0, 7.0], [9.0, 17.0, 15.0, 23.0]]
    assert set(found.class_id.tolist()) == {0}


@pytest.mark.slow
def test_both_forms_say_the_same():
    network = WindowNetwork(window=20, widths=(6, 8), sides=(3, 3), pools=(2, 2), hidden=(8,))
    detector = WindowDetector(network=network, size=(40, 56), class_names=("a", "b"), border=6)
    rng = np.random.default_rng(0)
    variables = {
        "encoder": network.init(jax.random.key(0), jnp.zeros((1, 20, 20, 3))),
        "head": {"kernel": rng.normal(size=(8, 3)).astype(np.float32), "bias": rng.normal(size=3).astype(np.float32)},
    }
    images = rng.uniform(size=(2, 52, 68, 3)).astype(np.float32)
    said = [jax.jit(dataclasses.replace(detector, form=form).logits)(variables, images) for form in ("crops", "convolutional")]
    assert said[0].shape == (2, 9, 13, 3)
    np.testing.assert_allclose(*said, atol=1e-5)
    rows, columns = detector.windows.grid(52, 68)
    per_crop = sum(network.multiplications(20, 20).values()) + 8 * 3
    assert detector.crop_multiplications == rows * columns * per_crop
    assert detector.pass_multiplications == sum(network.multiplications(52, 68).values()) + rows * columns * 8 * 3


def test_what_leaves_no_window_is_refused():
    with pytest.raises(ValueError, match="a margin that leaves something of 8"):
        dataclasses.replace(DETECTOR, margin=4)
    with pytest.raises(ValueError, match="smaller than a window of 8×8"):
        dataclasses.replace(DETECTOR, size=(7, 32), border=0)


@pytest.mark.slow
def test_who_has_learned_from_gray_images_looks_at_color_in_gray():
    """To the bit as Pillow makes gray of color, by which training images were read."""
    network = WindowNetwork(window=8, widths=(4,), sides=(3,), pools=(2,), hidden=(8,))
    detector = WindowDetector(network=network, size=(24, 24), class_names=("a",), channels=1)
    rng = np.random.default_rng(0)
    head = {"kernel": rng.normal(size=(8, 2)).astype(np.float32), "bias": np.zeros(2, np.float32)}
    variables = {"encoder": network.init(jax.random.key(0), jnp.zeros((1, 8, 8, 1))), "head": head}
    color = rng.integers(0, 256, (2, 24, 24, 3)).astype(np.uint8)
    gray = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in color])[..., None]
    scores = [np.asarray(detector.candidates(variables, each).scores) for each in (color, gray, np.repeat(gray, 3, -1))]
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])
