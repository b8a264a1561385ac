import numpy as np
import pytest

from likeness.research.synthetic.textures import CHANGES, PATTERNS, Texture

SEEDS = range(12)


def drawn(seed, draw=0, change="none", size=32):
    rng = np.random.default_rng(seed)
    return Texture.draw(rng).changed(change, rng)(size, np.random.default_rng((seed, draw)))


@pytest.mark.parametrize("seed", SEEDS)
def test_images_are_colors_and_not_blank(seed):
    image = drawn(seed)
    assert image.shape == (32, 32, 3)
    assert image.dtype == np.float32
    assert image.min() >= 0 and image.max() <= 1
    assert image.std() > 0.01


def test_the_same_numbers_draw_the_same_image_and_others_another():
    assert np.array_equal(drawn(3), drawn(3))
    assert not np.array_equal(drawn(3), drawn(3, draw=1))


def test_pieces_of_a_fine_texture_have_more_alike_colors_than_those_of_two():
    def mean(seed, draw):
        fine = Texture.draw(np.random.default_rng(seed), 1.5, 4.0)
        return fine(32, np.random.default_rng((seed, draw))).mean((0, 1))

    first, second = (np.array([mean(seed, draw) for seed in range(20)]) for draw in (0, 1))
    own = np.linalg.norm(first - second, axis=1).mean()
    others = np.linalg.norm(first - np.roll(second, 1, axis=0), axis=1).mean()
    assert own < 0.6 * others


def test_a_change_of_size_changes_the_period_alone():
    rng = np.random.default_rng(1)
    first = Texture.draw(rng)
    larger = first.changed("size", rng)
    assert 1.45 < max(larger.period / first.period, first.period / larger.period) < 2.05
    assert larger.palette is first.palette
    assert larger.angle == first.angle


def test_a_change_of_direction_turns_by_thirty_degrees_or_more():
    rng = np.random.default_rng(2)
    first = Texture.draw(rng)
    turn = first.changed("direction", rng).angle - first.angle
    assert np.pi / 6 <= turn <= 5 * np.pi / 6


def test_a_change_of_grain_adds_what_was_not_there_or_takes_it_away():
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        first = Texture.draw(rng)
        assert any(first.grain) != any(first.changed("grain", rng).grain)
    assert CHANGES == ("none", "colors", "size", "direction", "grain")


@pytest.mark.parametrize("kind", sorted(set(PATTERNS), key=lambda kind: kind.__name__))
def test_patterns_stay_between_0_and_1_and_vary(kind):
    x, y = np.meshgrid(np.linspace(0, 6, 60, dtype=np.float32), np.linspace(0, 6, 60, dtype=np.float32))
    for seed in range(8):
        values = kind.draw(np.random.default_rng(seed))(x, y, seed)
        assert values.shape == x.shape
        assert values.min() >= -1e-5 and values.max() <= 1 + 1e-5
        assert values.std() > 1e-3, seed
