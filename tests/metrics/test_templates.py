import numpy as np
import pytest

from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.templates import pool_templates, template_verification
from likeness.research.metrics.verification import verification


def test_pooling_averages_media_first():
    rng = np.random.default_rng(0)
    codes, templates = rng.normal(size=(40, 5)), rng.integers(3, 9, 40)
    media, quality = rng.integers(0, 4, 40), rng.random(40)
    for weights in (None, quality):
        pooled, numbers = pool_templates(codes, templates, media, weights)
        for template, row in zip(numbers, pooled, strict=True):
            total = np.zeros(5)
            for medium in set(media[templates == template]):
                own = (templates == template) & (media == medium)
                q = np.ones(own.sum()) if weights is None else weights[own]
                total += q.mean() * (q[:, None] * codes[own]).sum(axis=0) / q.sum()
            np.testing.assert_allclose(row, total / np.linalg.norm(total), rtol=1e-5, atol=1e-6)


def test_without_media_and_quality_it_is_the_mean_s_direction():
    codes = np.array([[1.0, 0.0], [0.0, 1.0], [5.0, 0.0]])
    pooled, numbers = pool_templates(codes, np.array([2, 2, 1]))
    assert numbers.tolist() == [1, 2]
    np.testing.assert_allclose(pooled, [[1, 0], [0.5**0.5, 0.5**0.5]], rtol=1e-6)
    none, _ = pool_templates(codes, np.array([2, 2, 1]), quality=np.array([1.0, 0.0, 3.0]))
    np.testing.assert_allclose(none, [[1, 0], [1, 0]], rtol=1e-6)


@pytest.mark.parametrize(
    ("quality", "says"), [([1.0, -1.0], "finite number from 0"), ([np.nan, 1.0], "finite number"), ([0.0, 0.0], "Template 4")]
)
def test_qualities_that_cannot_weigh_are_refused(quality, says):
    with pytest.raises(UserError, match=says):
        pool_templates(np.eye(2), np.array([4, 4]), quality=np.array(quality))


def listed(seed: int = 0):
    """Pairs of templates, three a person; all of one person and a part of the others, as IJB lists them."""
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(60), 3)
    codes = rng.normal(size=(60, 8))[people] + 0.6 * rng.normal(size=(180, 8))
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    first, second = np.triu_indices(180, 1)
    same = people[first] == people[second]
    kept = same | (rng.random(len(same)) < 0.5)
    pairs = np.stack([first, second], axis=1)[kept]
    return (1 - codes @ codes.T)[pairs[:, 0], pairs[:, 1]], same[kept], pairs, people


def test_rates_are_exact_and_intervals_those_of_resampled_people():
    distances, same, pairs, people = listed()
    found = template_verification(distances, same, pairs, people, (1e-1, 1e-2, 1e-6))
    curve = curves.roc(distances, same)
    assert found["templates/eer"].value == curves.eer(curve)
    assert found["templates/tar@far=1e-2"].value == curves.tar_at_far(curve, [1e-2])[0]
    assert "needs 1000000" in found["templates/tar@far=1e-6"].why
    resampled = verification(distances, same, people[pairs], (1e-1, 1e-2))
    for far in ("1e-1", "1e-2"):
        widths = [
            np.diff(each.interval)[0] for each in (found[f"templates/tar@far={far}"], resampled[f"verification/tar@far={far}"])
        ]
        assert widths[0] == pytest.approx(widths[1], rel=0.35)


def test_people_follow_from_the_pairs_where_nobody_names_them():
    distances, same, pairs, people = listed()
    assert template_verification(distances, same, pairs) == template_verification(distances, same, pairs, people)
    with pytest.raises(UserError, match="contradict"):
        template_verification(distances, ~same, pairs, people)
    with pytest.raises(UserError, match="both are needed"):
        template_verification(distances[same], same[same], pairs[same])
