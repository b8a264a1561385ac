import dataclasses

import numpy as np
import pytest

from likeness.experiments.style.image import StyleImage
from likeness.research.images.sources import Photograph

CONTENT = np.zeros((48, 40, 3), np.float32)
STYLE = StyleImage(image=Photograph(name="flower"))


def fitted(**fields):
    return dataclasses.replace(STYLE, **fields).open(CONTENT)


def test_by_itself_it_keeps_its_proportions():
    assert fitted().shape == (32, 48, 3)
    assert fitted(scale=2.0).shape == (64, 96, 3)


def test_stretched_it_has_the_content_s_size_and_its_own_colors():
    stretched = fitted(fit="stretch")
    assert stretched.shape == CONTENT.shape
    np.testing.assert_allclose(stretched.mean((0, 1)), fitted().mean((0, 1)), atol=0.01)


def test_cropped_it_is_the_middle_of_the_image_that_covers_the_content():
    whole = STYLE.image.open(72)
    assert whole.shape == (48, 72, 3)
    np.testing.assert_array_equal(fitted(fit="crop"), whole[:, 16:56])
    np.testing.assert_array_equal(fitted(fit="crop", scale=2.0), STYLE.image.open(144)[24:72, 52:92])


@pytest.mark.parametrize("shape", [(61, 33), (33, 61), (17, 64), (40, 40)])
@pytest.mark.parametrize("scale", [1.0, 1.3])
def test_cropped_it_covers_every_content(shape, scale):
    style = dataclasses.replace(STYLE, fit="crop", scale=scale)
    assert style.open(np.zeros((*shape, 3), np.float32)).shape == (*shape, 3)


@pytest.mark.parametrize(("fit", "scale"), [("stretch", 2.0), ("stretch", 0.5), ("crop", 0.5)])
def test_a_size_that_cannot_be_had_is_refused(fit, scale):
    with pytest.raises(ValueError, match="leave scale at 1"):
        dataclasses.replace(STYLE, fit=fit, scale=scale)
