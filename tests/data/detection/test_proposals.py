"""Proposals that stand beside the objects of a table: moved as the image is, padded, and searched for once."""

import dataclasses

import numpy as np

from likeness.research.data.detection import (
    DetectionAugmentation,
    detection_examples,
    sample_of,
    stream_detection,
    with_proposals,
)
from likeness.research.geometry import Letterbox


@dataclasses.dataclass(frozen=True, eq=False)
class Marked:
    """Proposes what is bright, and then the whole image; counts how often it was asked."""

    limit: int = 3
    asked: list[int] = dataclasses.field(default_factory=list)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        self.asked.append(1)
        y, x = np.nonzero(image[..., 0] > 127)
        own = (x.min(), y.min(), x.max() + 1, y.max() + 1)
        return np.array([own, (0, 0, image.shape[1], image.shape[0])], np.float32)


def examples(count: int = 6):
    rng = np.random.default_rng(0)
    images, boxes = [], []
    for _ in range(count):
        left, top = rng.integers(0, 20, 2).tolist()
        image = np.zeros((40, 60, 3), np.uint8)
        image[top : top + 12, left : left + 25] = 255
        images.append(image)
        boxes.append(np.array([[left, top, left + 25, top + 12]], np.float32))
    return detection_examples(images, boxes, [np.zeros(1, int)] * count, ("bright",))


def test_proposals_are_moved_as_the_objects_are():
    table = with_proposals(examples(), Marked())
    augmentation = DetectionAugmentation(
        mirror=0.5, up_down=0.5, quarter_turns=0.5, rotate=10.0, scale=(0.7, 1.5), translate=0.1, min_visible=0.3
    )
    for seed in range(40):
        sample = augmentation(table, seed % 6, (64, 64), np.random.default_rng(seed))
        assert sample.proposals is not None and sample.proposals.dtype == np.float32
        if len(sample.boxes):
            np.testing.assert_array_equal(sample.proposals[0], sample.boxes[0])
    letterboxed = sample_of(table, 0, Letterbox(size=(60, 60)))
    np.testing.assert_array_equal(letterboxed.proposals, [letterboxed.boxes[0], [0, 10, 60, 50]])


def test_the_rest_of_a_sample_is_as_without_proposals():
    plain, table = examples(), with_proposals(examples(), Marked())
    augmentation = DetectionAugmentation(mirror=0.5, scale=(0.5, 2.0), mosaic=0.5, hue=90.0)
    for seed in range(10):
        one, other = (augmentation(each, 1, (64, 64), np.random.default_rng(seed)) for each in (plain, table))
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.boxes, other.boxes)
        assert one.proposals is None


def test_the_best_of_every_tile_of_a_mosaic_come_first():
    sample = DetectionAugmentation(mosaic=1.0, mirror=0.0)(
        with_proposals(examples(), Marked()), 0, (64, 64), np.random.default_rng(1)
    )
    assert sample.proposals is not None and len(sample.proposals) > 4
    for box in sample.boxes:
        assert (sample.proposals[:4] == box).all(axis=1).any()


def test_batches_hold_proposals_in_rows_and_every_image_is_searched_once():
    search = Marked()
    table = with_proposals(examples().select([4, 2, 0, 1]), search)
    stream = stream_detection(table, 4, (64, 64), 0, threads=0)
    for _ in range(3):
        batch = next(stream)
        assert batch["proposals"].shape == (4, 3, 4) and batch["proposals"].dtype == np.float32
        assert batch["proposed"].tolist() == [[True, True, False]] * 4
        np.testing.assert_array_equal(batch["proposals"][:, 0], batch["boxes"][:, 0])
        assert not batch["proposals"][:, 2].any()
    assert len(search.asked) == 4
    assert "proposals" not in next(stream_detection(examples(), 4, (64, 64), 0, threads=0))


def test_more_proposals_than_rows_are_the_first_ones():
    batch = next(stream_detection(with_proposals(examples(), Marked(limit=1)), 2, (64, 64), 0, threads=0))
    np.testing.assert_array_equal(batch["proposals"], batch["boxes"])


def test_a_choice_of_images_keeps_their_own_proposals():
    table = with_proposals(examples(), Marked())
    chosen = table.select([3, 1])
    assert chosen.proposals is not None and table.proposals is not None
    np.testing.assert_array_equal(chosen.proposals(0), table.proposals(3))
    assert chosen.proposals.limit == 3
