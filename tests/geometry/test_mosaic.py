"""Four images in one, with what is seen of their boxes."""

import numpy as np
from boxes_in_images import boxes_in

from likeness.research.geometry import Mosaic, Rotation, place_image


def test_a_mosaic_shows_each_image_in_its_tile_and_clips_boxes_to_it():
    """yolov5#8673."""
    rng = np.random.default_rng(5)
    for trial in range(50):
        sizes = [tuple(rng.integers(1, 300, 2).tolist()) for _ in range(4)]
        center = tuple(rng.integers(1, 96, 2).tolist())
        canvas = np.full((96, 96, 1), 255, np.uint8)
        covered = np.zeros((96, 96), int)
        for number, (size, placement) in enumerate(
            zip(sizes, Mosaic(size=(96, 96), center=center).placements(sizes), strict=True)
        ):
            place_image(np.full((*size, 1), number, np.uint8), placement, canvas=canvas)
            left, top, right, bottom = (round(edge) for edge in placement.frame)
            covered[top:bottom, left:right] += 1
            assert (canvas[top:bottom, left:right] == number).all(), trial
            seen, share = placement.show(boxes_in(*size, rng))
            there = share > 0
            assert (seen[there] >= np.array([left, top] * 2) - 1e-9).all()
            assert (seen[there] <= np.array([right, bottom] * 2) + 1e-9).all()
            assert (seen[there, 2:] > seen[there, :2]).all()
        assert (covered == 1).all()
        assert (canvas < 4).all()


def test_no_image_is_mixed_with_another():
    """MultimediaTechLab/YOLO#105 scaled the boxes of images that are mixed by transparency; there is no such augmentation here,
    and a tile of a mosaic scales both alike."""
    sizes = [(50, 40)] * 4
    for placement in Mosaic(size=(64, 64), center=(30, 20)).placements(sizes):
        whole = placement.boxes(np.array([0.0, 0.0, 40.0, 50.0]))
        np.testing.assert_allclose(whole[2:] - whole[:2], [40 * placement.matrix[0], 50 * placement.matrix[3]])


def test_a_move_after_a_mosaic_shows_no_more_than_the_tile():
    placement = Mosaic(size=(64, 64), center=(32, 32)).placements([(64, 32)] * 4)[0]
    after = placement.then(Rotation(degrees=30.0).placement((64, 64)))
    image = np.full((64, 32, 1), 200, np.uint8)
    drawn = place_image(image, after, fill=0)
    seen, share = after.show(np.array([[0.0, 0.0, 32.0, 64.0]]))
    assert 0.3 < share[0] < 0.5
    assert abs((drawn > 0).sum() - share[0] * 32 * 64) < 60
    rows, columns = np.nonzero(drawn[:, :, 0])
    np.testing.assert_allclose([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], seen[0], atol=1.01)
