"""Which cell and which anchor answers: said and drawn."""

import dataclasses

import jax
import numpy as np
import pytest
from small_detection import SMALL, started

from likeness.experiments.detection.grid import Answer, answers, grid_and_anchors
from likeness.research.detectors import CourseYoloHead, YoloHead
from likeness.research.detectors.course_yolo import HasCells
from likeness.research.geometry import AnchorGrid, MidpointCell

CELLS = MidpointCell(levels=(AnchorGrid(shapes=((10.0, 30.0), (30.0, 10.0)), stride=30),))


@pytest.mark.slow
def test_the_notes_grid_of_three_by_three():
    """A pedestrian and a car in the middle cell: each has the anchor of its shape."""
    boxes = np.array([[40.0, 30.0, 50.0, 60.0], [30.0, 40.0, 60.0, 50.0], [0.0, 62.0, 28.0, 72.0]])
    found = answers(CELLS, (90, 90), boxes)
    assert found[:2] == [Answer(0, 1, 1, 0, 1.0), Answer(0, 1, 1, 1, 1.0)]
    assert found[2] == Answer(0, 2, 0, 1, round(280 / 300, 4))


@pytest.mark.slow
def test_an_object_whose_place_is_taken_has_none():
    boxes = np.array([[40.0, 30.0, 50.0, 60.0], [41.0, 30.0, 51.0, 60.0]])
    assert answers(CELLS, (90, 90), boxes) == [Answer(0, 1, 1, 0, 1.0), None]


def test_each_level_has_its_own_cells():
    cells = MidpointCell(levels=(AnchorGrid(shapes=((8.0, 8.0),), stride=8), AnchorGrid(shapes=((32.0, 32.0),), stride=16)))
    boxes = np.array([[8.0, 0.0, 17.0, 9.0], [16.0, 32.0, 48.0, 64.0]])
    small, large = answers(cells, (64, 64), boxes)
    assert small is not None and small[:4] == (0, 0, 1, 0)
    assert large is not None and large[:4] == (1, 3, 2, 0)


def test_a_head_of_several_maps_has_the_cells_of_all():
    shapes = ((8.0, 8.0), (12.0, 8.0)), ((20.0, 20.0), (30.0, 20.0))
    head = YoloHead(maps=("stage8", "stage16"), anchors=shapes)
    assert isinstance(head, HasCells)
    cells = head.cells((8, 16))
    assert [(level.stride, level.shapes) for level in cells.levels] == list(zip((8, 16), shapes, strict=True))


@pytest.mark.slow
def test_what_is_drawn_stays_within_the_figure():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (90, 90, channels)).astype(np.uint8) for channels in (3, 1)]
    boxes = [np.array([[40.0, 30.0, 50.0, 60.0], [41.0, 30.0, 51.0, 60.0]]), np.zeros((0, 4))]
    many = MidpointCell(levels=(CELLS.levels[0], AnchorGrid(shapes=((20.0, 20.0),) * 9, stride=15)))
    for cells, count in ((CELLS, 2), (many, 1)):
        figure = grid_and_anchors(
            images[:count], boxes[:count], [np.array([0, 1]), np.zeros(0, int)][:count], ("a", "b"), cells
        )
        figure.canvas.draw()
        whole = figure.bbox
        for text in [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]:
            drawn = text.get_window_extent()
            assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= whole.x1 and drawn.y1 <= whole.y1, text.get_text()


@pytest.mark.slow
def test_a_finished_run_with_a_grid_draws_it():
    head = CourseYoloHead(map="stage8", anchors=((8.0, 8.0), (14.0, 10.0)), width=4)
    assert isinstance(head, HasCells)
    experiment = dataclasses.replace(SMALL, head=head)
    data, _, _, (params, state) = started(experiment)
    said = experiment.evaluate(data, jax.device_get(params), jax.device_get(state), "test")
    assert "grid" in said.figures
    _, _, _, (params, state) = started(SMALL)
    assert "grid" not in SMALL.evaluate(data, params, state, "test").figures
