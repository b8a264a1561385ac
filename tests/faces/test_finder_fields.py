"""What needs no weights: fields, canvases, templates."""

import pytest

from likeness.experiments.config import from_json, to_json
from likeness.research.faces import FaceCrop, FaceFinder
from likeness.research.geometry import Template


@pytest.mark.slow
def test_few_canvases_serve_all_sizes() -> None:
    finder = FaceFinder()
    sizes = {finder.placement((height, width)).target for height in range(20, 4000, 37) for width in range(20, 6000, 41)}
    assert len(sizes) < 200
    assert finder.placement((160, 160)).target == (160, 160)
    assert finder.placement((3000, 4000)).target == (1536, 2048)


def test_a_smaller_image_lies_on_the_same_canvas() -> None:
    finder = FaceFinder()
    whole, half = finder.placement((700, 500)), finder.placement((700, 500), 2.0)
    assert whole.target == half.target
    assert half.frame == (0.0, 0.0, 250.0, 350.0)


def test_a_face_crop_is_kept_with_a_model() -> None:
    crop = FaceCrop(finder=FaceFinder(choice="central", score_threshold=0.3))
    assert from_json(to_json(crop)) == crop
    assert crop.shape == (112, 112, 3) and not crop.keeps


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: FaceFinder(score_threshold=1.0), "score_threshold is 1.0"),
        (lambda: FaceFinder(faces=0), "at least 1"),
        (lambda: FaceCrop(size=(96, 112)), "give the template's size"),
        (lambda: FaceCrop(channels=1), "RGB crops"),
        (lambda: FaceCrop(size=(8, 8), finder=FaceFinder(template=Template(height=9, width=8))), "give the template's size"),
    ],
)
def test_wrong_fields_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
