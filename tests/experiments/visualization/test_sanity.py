"""What is said of maps of saliency: from how much stays of them, and how sure that is."""

import jax
import numpy as np
import pytest

from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.visualization.microscope import Microscope
from likeness.experiments.visualization.sanity import Kept, _partners, check
from likeness.research.data.images import ArrayReader, Images
from likeness.research.encoders import Conv4
from likeness.research.errors import UserError
from likeness.research.visualization import occlusion


@pytest.mark.parametrize(
    ("mean", "error", "stays"),
    [
        (0.0, 0.1, "little"),
        (-0.3, 0.1, "little"),
        (0.2, 0.1, "little or some"),
        (0.4, 0.02, "some"),
        (0.5, 0.02, "some or much"),
        (0.9, 0.01, "much"),
        (0.4, 0.2, "unclear: ask more images"),
    ],
)
def test_words_are_those_that_two_standard_errors_allow(mean, error, stays):
    assert Kept(mean, error).stays == stays


@pytest.mark.slow
def test_occlusion_covers_squares_side_by_side():
    """Of images whose sides a sixth divides it is what the general function finds with windows side by side."""
    images = np.random.default_rng(0).integers(0, 256, (4, 24, 24, 1), np.uint8)
    table = Images(
        labels=np.array([0, 0, 1, 1], np.int32),
        people=("ada", "bob"),
        shape=(24, 24, 1),
        read=ArrayReader(images),
        names=tuple("abcd"),
        fingerprint="noise",
    )
    encoder = Conv4(width=4, dimension=8)
    variables = encoder.init(jax.random.key(0), images[:1].astype(np.float32) / 255)
    scope = Microscope("small", encoder, variables, ModelInputs(shape=(24, 24, 1), preprocessing=None))
    found = check(scope, table, ("occlusion",))
    codes = np.asarray(encoder.apply(variables, images.astype(np.float32) / 255)["embedding"])

    def score(some):
        return -np.sum((np.asarray(encoder.apply(variables, some)["embedding"]) - codes[1]) ** 2, axis=-1)

    expected = occlusion(score, images[0].astype(np.float32) / 255, window=4, stride=4, batch=4)
    np.testing.assert_allclose(found.maps["occlusion"][0], np.abs(expected), atol=1e-5)
    assert found.kept("occlusion").mean < 0.9


def test_a_copy_is_no_partner():
    """The squared distance to it has no slope."""
    labels = np.array([0, 0, 0, 1])
    images = np.zeros((4, 11, 11, 1), np.float32)
    images[2:] += np.array([0.5, 1.0])[:, None, None, None]
    assert _partners(labels, images).tolist() == [2, 2, 0, 0]
    with pytest.raises(UserError, match="copies of one"):
        _partners(labels, np.zeros((4, 11, 11, 1), np.float32))
