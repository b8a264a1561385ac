import numpy as np
import pytest

from likeness.research.errors import UserError
from likeness.research.metrics.gallery_size import by_gallery_size


def people(count: int, seed: int = 0, images: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(count), images)
    return (rng.normal(size=(count, 16))[labels] + 0.45 * rng.normal(size=(count * images, 16))).astype(np.float32), labels


def test_thresholds_tighten_and_misses_grow_with_the_gallery_while_false_names_stay():
    found = by_gallery_size(*people(1200), sizes=(10, 100, 900, 10_000), fpir=0.05)
    taus = [found[f"gallery_size/threshold@n={n}"] for n in (10, 100, 900)]
    assert taus == sorted(taus, reverse=True) and len(set(taus)) == 3
    for n in (10, 100, 900):
        assert found[f"gallery_size/fpir@n={n}"].low <= 0.05 <= found[f"gallery_size/fpir@n={n}"].high
        assert found[f"gallery_size/rank1@n={n}"].n == n
    misses = [found[f"gallery_size/fnir@n={n}"].value for n in (100, 900)]
    assert misses[0] < misses[1]
    assert "there are 960" in found["gallery_size/fnir@n=10000"].why


def test_it_is_what_a_whole_matrix_of_distances_says():
    """With every image at a known place on a line, nobody is confused: only strangers decide."""
    labels = np.repeat(np.arange(100), 2)
    starts = np.cumsum(10 + np.random.default_rng(0).random(100))
    places = (starts[labels] + np.tile([0.0, 1.0], 100))[:, None].astype(np.float32)

    def apart(first, second):
        return np.abs(first - second.T).astype(np.float32)

    found = by_gallery_size(places, labels, apart, sizes=(20, 60), fpir=0.1, strangers=0.4, seed=3)
    for n in (20, 60):
        assert found[f"gallery_size/rank1@n={n}"].value == 1
        # Own images are 1 apart, and no stranger is nearer than 9.
        assert found[f"gallery_size/fnir@n={n}"].value == 0
        assert found[f"gallery_size/threshold@n={n}"] >= 9
    again = by_gallery_size(places, labels, apart, sizes=(60,), fpir=0.1, strangers=0.4, seed=3)
    assert again == {name: each for name, each in found.items() if name.endswith("=60")}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"sizes": ()}, "cannot be measured"),
        ({"strangers": 1.0}, "cannot be measured"),
    ],
)
def test_shares_that_make_no_sense_are_refused(arguments, says):
    with pytest.raises(UserError, match=says):
        by_gallery_size(*people(300), **arguments)


def test_what_cannot_be_measured_is_said():
    few = by_gallery_size(*people(300), fpir=0.001, sizes=(10,))
    assert "needs 2000 strangers" in few["gallery_size/fpir@n=10"].why and len(few) == 3
    lone = by_gallery_size(*people(300, images=1), fpir=0.1, sizes=(10,))
    assert "has another image" in lone["gallery_size/rank1@n=10"].why
