import dataclasses

import numpy as np
import pytest

from likeness.experiments.frozen import FromRun
from likeness.experiments.recognition.published import published
from likeness.experiments.style.portrait import Portrait
from likeness.experiments.style.same_people import SamePeople, calibrated
from likeness.research.gallery import Threshold
from likeness.research.geometry.template import Template
from likeness.research.losses import Identity, SquaredEuclidean

TAU = Threshold.load(published("mobilefacenet").threshold)


def test_the_threshold_is_that_by_which_photographs_are_verified():
    assert calibrated(Portrait()) == TAU


@pytest.mark.parametrize(
    "change",
    [
        {"loss": Identity(distance=SquaredEuclidean())},
        {"mirror": False},
        {"template": Template(height=100, width=100)},
    ],
)
def test_of_other_distances_or_crops_no_threshold_is_known(change):
    assert calibrated(dataclasses.replace(Portrait(), **change)) is None


def test_the_threshold_of_a_run_is_its_own(tmp_path):
    portrait = Portrait()
    learned = dataclasses.replace(portrait.encoder, weights=FromRun(workdir=str(tmp_path)))
    portrait = dataclasses.replace(portrait, encoder=learned)
    assert calibrated(portrait) is None
    own = dataclasses.replace(TAU, tau=0.4)
    own.save(tmp_path / "threshold.json")
    assert calibrated(portrait) == own


def test_each_face_is_told_apart_and_the_farthest_counts():
    told = SamePeople(np.array([0.2, 0.9, 0.4]), TAU)
    assert told.metrics == {
        "identity/distance": 0.9,
        "identity/distance@1": 0.2,
        "identity/distance@2": 0.9,
        "identity/distance@3": 0.4,
        "identity/kept": pytest.approx(2 / 3),
    }
    first, second, third, rates, advice = told.notes
    assert (
        first == f"face 1 of 3 is at a distance of 0.200 ≤ τ {TAU.tau:.3f} from the photograph's: it is still the same person"
    )
    assert second.startswith(f"face 2 of 3 is at a distance of 0.900 > τ {TAU.tau:.3f}")
    assert second.endswith("it is not the same person any more")
    assert third.startswith("face 3 of 3") and TAU.far.text() in rates and "--size" in advice


def test_of_one_face_there_is_one_number():
    told = SamePeople(np.array([0.2]), TAU)
    assert told.metrics == {"identity/distance": 0.2, "identity/kept": 1.0}
    assert told.notes[0].startswith("the face is at a distance of 0.200 ≤") and len(told.notes) == 2


def test_without_a_threshold_nothing_is_claimed():
    told = SamePeople(np.array([0.2]), None)
    assert told.metrics == {"identity/distance": 0.2}
    assert told.notes == (
        "the face is at a distance of 0.200 from the photograph's",
        "Nobody has calibrated a threshold for this encoder: the distances alone say nothing of who it is.",
    )
