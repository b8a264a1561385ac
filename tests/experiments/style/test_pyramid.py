"""The sizes in which an image is painted."""

import math

import pytest

from likeness.experiments.style import Pyramid


def test_crowsons_sizes_and_iterations():
    crowson = Pyramid(smallest=128, factor=math.sqrt(2), steps=(2, 1))
    assert crowson.sizes(512) == (128, 181, 256, 362, 512)
    parts = crowson.parts(512)
    assert [3000 * part / sum(parts) for part in parts] == [1000, 500, 500, 500, 500]


@pytest.mark.parametrize(
    ("pyramid", "size", "sizes", "parts"),
    [
        (Pyramid(), 512, (512,), (1,)),
        (Pyramid(smallest=64), 512, (64, 128, 256, 512), (1, 1, 1, 1)),
        (Pyramid(smallest=65), 512, (128, 256, 512), (1, 1, 1)),
        (Pyramid(smallest=512, steps=(2, 1)), 512, (512,), (2,)),
        (Pyramid(smallest=513, steps=(2, 1)), 512, (512,), (2,)),
        (Pyramid(smallest=16, steps=(3, 2, 1)), 128, (16, 32, 64, 128), (3, 2, 1, 1)),
        (Pyramid(smallest=16, steps=(4, 3, 2, 1)), 32, (16, 32), (4, 3)),
        # A factor so small that two sizes would be rounded to one.
        (Pyramid(smallest=16, factor=1.05), 18, (16, 17, 18), (1, 1, 1)),
    ],
)
def test_sizes_go_down_by_the_factor_and_not_below_the_smallest(pyramid, size, sizes, parts):
    assert pyramid.sizes(size) == sizes
    assert pyramid.parts(size) == parts


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"smallest": 3}, "Pyramid.smallest is 3: give 16 to 16384"),
        ({"factor": 1.0}, "Pyramid.factor is 1.0"),
        ({"factor": math.nan}, "Pyramid.factor is nan"),
        ({"steps": ()}, "Pyramid.steps is"),
        ({"steps": (1.0, 0.0)}, "Pyramid.steps is"),
    ],
)
def test_what_is_none_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Pyramid(**fields)
