import numpy as np
import pytest

from likeness.research.synthetic.moving_scene import MovingScene


def test_flows_there_and_back_are_opposite_where_a_thing_is_seen_twice():
    film = MovingScene(frames=3, size=40, seed=5)()
    rows, columns = np.mgrid[:40, :40]
    for number in range(2):
        seen, back = film.seen_before[number], film.to_earlier[number].astype(int)
        forth = film.to_later[number][(rows + back[..., 1])[seen], (columns + back[..., 0])[seen]]
        np.testing.assert_array_equal(forth, -back[seen])


def test_the_same_seed_draws_the_same_film_and_another_another():
    first, again, other = MovingScene(size=32)(), MovingScene(size=32)(), MovingScene(size=32, seed=1)()
    assert np.array_equal(first.frames, again.frames)
    assert not np.array_equal(first.frames, other.frames)


def test_without_things_the_ground_alone_moves():
    film = MovingScene(frames=2, size=32, things=0, seed=2)()
    assert len(np.unique(film.to_earlier.reshape(-1, 2), axis=0)) == 1


@pytest.mark.parametrize("changes", [{"frames": 1}, {"size": 8}, {"things": -1}, {"speed": 0}])
def test_bad_fields_are_named(changes):
    with pytest.raises(ValueError, match=f"MovingScene.{next(iter(changes))}"):
        MovingScene(**changes)
