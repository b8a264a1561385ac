import dataclasses

import numpy as np
import pytest

from likeness.research.data.detection import (
    DetectionExamples,
    OfficialParts,
    Part,
    Problem,
    ShareSplit,
    detection_examples,
    parted,
)
from likeness.research.errors import UserError


def examples(count: int, parts: tuple[Part, ...] = (), copies: int = 1) -> DetectionExamples:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (8, 8, 1)).astype(np.uint8) for _ in range(count)]
    boxes = [np.array([[0, 0, 1 + row % 7, 4]], np.float32) for row in range(count)]
    made = detection_examples(images * copies, boxes * copies, [np.array([0])] * count * copies, ("disk",))
    content = np.tile(np.arange(count, dtype=np.uint64), copies)
    object.__setattr__(made, "parts", parts)
    object.__setattr__(made, "content", content)
    return made


def test_copies_are_on_one_side():
    parts = ShareSplit(validation=0.3, test=0.3)(examples(60, copies=3))
    sets = [set(part.content.tolist()) for part in parts if part.content is not None]
    assert len(sets) == 3 and all(sets) and not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])
    assert sum(map(len, parts)) == 180


@pytest.mark.parametrize("count", [50, 51, 58])
def test_an_image_that_comes_moves_at_most_one_across_each_border(count: int):
    few, many = (ShareSplit(validation=0.2, test=0.3)(examples(number)) for number in (count, count + 1))
    for part, larger in zip(few, many, strict=True):
        assert part.content is not None and larger.content is not None
        assert len(set(part.content.tolist()) - set(larger.content.tolist())) <= 1


@pytest.mark.parametrize("count, sizes", [(1000, [500, 200, 300]), (20, [10, 4, 6]), (3, [1, 1, 1])])
def test_shares_are_exact(count: int, sizes: list[int]):
    """Of few images too: by chance alone, a part of 20 or 60 would sometimes be empty."""
    for seed in range(5):
        assert [len(part) for part in ShareSplit(validation=0.2, test=0.3, seed=seed)(examples(count))] == sizes


def test_another_seed_parts_otherwise():
    first, second = (ShareSplit(seed=seed)(examples(100)).test.content for seed in (0, 1))
    assert first is not None and second is not None and set(first.tolist()) != set(second.tolist())


def test_official_parts_come_first_and_what_they_lack_from_the_training_images():
    said: tuple[Part, ...] = ("train",) * 80 + ("test",) * 10 + ("",) * 10
    parts = OfficialParts(validation=0.25)(examples(100, said))
    assert parts.test.content is not None and parts.test.content.tolist() == list(range(80, 90))
    assert len(parts.train) == 60 and len(parts.validation) == 20
    all_three: tuple[Part, ...] = ("train",) * 50 + ("validation",) * 30 + ("test",) * 20
    assert [len(part) for part in OfficialParts()(examples(100, all_three))] == [50, 30, 20]
    assert [len(part) for part in OfficialParts(test=0.0)(examples(100, ("train",) * 50 + ("validation",) * 50))] == [50, 50, 0]
    assert sum(map(len, OfficialParts()(examples(100)))) == 100


def test_a_part_without_images_is_refused():
    with pytest.raises(UserError, match="leaves none for train"):
        ShareSplit(validation=0.1, test=0.1)(examples(2))
    with pytest.raises(UserError, match="leaves none for train"):
        OfficialParts()(examples(3, ("test", "test", "validation")))


@pytest.mark.parametrize("shares", [(-0.1, 0.2), (0.5, 0.5), (0.9, 0.2)])
@pytest.mark.parametrize("split", [ShareSplit, OfficialParts])
def test_shares_are_shares(split, shares: tuple[float, float]):
    with pytest.raises(ValueError, match="shares of the images"):
        split(validation=shares[0], test=shares[1])


def test_a_selection_is_a_table():
    table = examples(9)
    some = table.select([4, 2, 2]).select(np.array([2, 0]))
    assert some.names == ("image 2", "image 4") and some.boxes.tolist() == [[0, 0, 3, 4], [0, 0, 5, 4]]
    np.testing.assert_array_equal(some.read(1), table.read(4))
    assert some.image_numbers.tolist() == [3, 5] and table.select([]).boxes.shape == (0, 4)
    assert table.select([]).counts().tolist() == [0] and table.select([]).most_boxes == 0


def test_what_was_wrong_stays_with_the_training_part_and_no_class_at_all_is_refused():
    known = dataclasses.replace(examples(20), problems=(Problem("malformed", "a.jpg"),), notes=("a note",))
    parts = parted(known, ShareSplit())
    assert [len(part.problems) for part in parts] == [1, 0, 0] and parts.train.notes == ("a note",)
    none = np.zeros((0, 4), np.float32)
    nothing = detection_examples([np.zeros((8, 8, 1), np.uint8)] * 9, [none] * 9, [np.zeros(0, int)] * 9, ())
    with pytest.raises(UserError, match="none shows an object of any class"):
        parted(nothing, ShareSplit())


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_part_without_anything_to_find_is_refused(part: Part):
    """Before a step is trained, and not where its average precision is asked for."""
    said: tuple[Part, ...] = ("train", "validation", "test") * 3
    known = examples(9, said)
    crowds = np.array([one == part for one in said])
    with pytest.raises(UserError, match=f"Of 3 images for {part} none shows an object that is to be found"):
        parted(dataclasses.replace(known, crowd=crowds), OfficialParts())
    parted(dataclasses.replace(known, crowd=crowds & (np.arange(9) > 2)), OfficialParts())
