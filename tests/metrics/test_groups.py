import numpy as np
import pytest

from likeness.research.errors import UserError
from likeness.research.metrics.groups import group_rates


def people(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Those of the second group lie closer together; five people are in no group, one has a single image."""
    rng = np.random.default_rng(seed)
    labels = np.append(np.repeat(np.arange(45), 4), 45)
    group = np.where(labels < 20, 0, np.where(labels < 40, 1, -1))
    centers = rng.normal(size=(46, 8))
    centers[20:40] = centers[20] + 0.5 * rng.normal(size=(20, 8))
    return (centers[labels] + 0.4 * rng.normal(size=(len(labels), 8))).astype(np.float32), labels, group


def test_rates_are_counted_within_groups_at_the_threshold_of_all():
    embeddings, labels, group = people()
    tau, found = group_rates(embeddings, labels, group, ("first", "second"), far=1e-2)
    directions = embeddings.astype(np.float64) / np.linalg.norm(embeddings, axis=1, keepdims=True)
    distances = 1 - directions @ directions.T
    first, second = np.triu_indices(len(labels), 1)
    same, near = labels[first] == labels[second], distances[first, second] <= tau + 1e-7
    assert near[~same].mean() == pytest.approx(1e-2, abs=1e-3)
    for number, each in enumerate(found):
        own = (group[first] == number) & (group[second] == number)
        assert each.fmr.value == near[own & ~same].mean() and each.fmr.n == (own & ~same).sum()
        assert each.fnmr.value == pytest.approx((~near)[own & same].mean()) and each.fnmr.n == (own & same).sum()
        assert each.people == 20
    assert found[1].fmr.low > found[0].fmr.high


def test_a_threshold_can_be_given_and_a_group_may_lack_pairs():
    embeddings, labels, _ = people()
    lone = np.where(labels == 45, 0, -1)
    tau, (only,) = group_rates(embeddings, labels, lone, ("lone",), threshold=0.3)
    assert tau == 0.3 and not only.fmr.resolved and not only.fnmr.resolved and only.people == 1
    assert "no pair of two people" in only.fmr.why


def test_people_in_two_groups_and_groups_without_a_name_are_refused():
    embeddings, labels, group = people()
    twice = group.copy()
    twice[0] = 1
    with pytest.raises(UserError, match="1 people are in two groups"):
        group_rates(embeddings, labels, twice, ("a", "b"))
    with pytest.raises(ValueError, match="1 have a name"):
        group_rates(embeddings, labels, group, ("a",))
    with pytest.raises(UserError, match="needs 1000000"):
        group_rates(embeddings, labels, group, ("a", "b"), far=1e-6)
