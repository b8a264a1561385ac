"""A run's thresholds of galleries come from the people of τ."""

import json

import numpy as np
import pytest

from likeness.experiments.recognition import Recognition, evaluated_embeddings
from likeness.research.distances import Cosine
from likeness.research.gallery import GalleryThresholds
from likeness.research.metrics.sized_thresholds import thresholds_by_size

TAU = {"fingerprint": "abc", "distance": "Cosine()"}


def validated(people: int):
    rng = np.random.default_rng(0)
    vectors = np.repeat(rng.normal(size=(people, 8)), 3, axis=0) + 0.2 * rng.normal(size=(3 * people, 8))
    files = [f"{row // 3:03}/{row % 3}.png" for row in range(3 * people)]
    return evaluated_embeddings(vectors.astype(np.float32), files)


@pytest.mark.parametrize("people, fpirs", [(9, ()), (10, (0.1,)), (99, (0.1,)), (100, (0.1, 0.01))])
def test_each_rate_that_the_validation_people_are_enough_for_has_thresholds(people, fpirs, tmp_path) -> None:
    evaluated = validated(people)
    found = Recognition._gallery_thresholds(evaluated, TAU)
    if not fpirs:
        assert found == {}
        return
    (tmp_path / "t.json").write_text(json.dumps(found["gallery_thresholds"]))
    stored = GalleryThresholds.load(tmp_path / "t.json", "abc")
    assert stored.fpirs == fpirs and stored.people == people and stored.distance == "Cosine()"
    assert stored.thresholds == thresholds_by_size(evaluated.embeddings, evaluated.images.labels, Cosine(), fpirs=fpirs)
    assert max(each.size for each in stored.thresholds) == people - 1


def test_without_a_threshold_there_are_none_for_galleries() -> None:
    assert Recognition._gallery_thresholds(validated(30), None) == {}
