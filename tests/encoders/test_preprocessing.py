import numpy as np
import pytest

from likeness.research.encoders.preprocessing import SQUEEZENET_MEANS, preprocess, rgb

IMAGE = np.random.default_rng(0).uniform(size=(2, 3, 4, 3)).astype(np.float32)


def test_unit_leaves_the_image():
    np.testing.assert_array_equal(preprocess(IMAGE, "unit"), IMAGE)


def test_caffe_is_bgr_of_255_without_the_mean():
    exact = 255.0 * IMAGE[..., ::-1].astype(np.float64)
    np.testing.assert_allclose(preprocess(IMAGE, "caffe"), exact - (103.939, 116.779, 123.68), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(preprocess(IMAGE, "caffe", SQUEEZENET_MEANS), exact - (104, 117, 123), rtol=1e-5, atol=1e-4)


def test_torchvision_is_standardized_rgb():
    exact = (IMAGE.astype(np.float64) - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    np.testing.assert_allclose(preprocess(IMAGE, "torchvision"), exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 4])
def test_gray_and_alpha_are_refused(channels):
    with pytest.raises(ValueError, match=rf"RGB images .* 4, {channels}\)"):
        rgb(np.zeros((1, 4, 4, channels), np.float32))


def test_bytes_are_refused():
    with pytest.raises(ValueError, match="divide 8-bit images by 255"):
        rgb(np.zeros((1, 4, 4, 3), np.uint8))
