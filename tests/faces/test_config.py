"""The config for one's own photographs, on people of a real data set."""

import dataclasses
import hashlib
import os
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from likeness.experiments.config import load
from likeness.experiments.recognition import Recognizer
from likeness.experiments.training.trainer import train
from likeness.research.data import CountSplit
from likeness.research.losses import BatchAll, Triplet

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen people with four photographs each, of those with the first checksums of their names."""
    source = Path(os.environ["LIKENESS_DATA"]) / "lfw"
    folder = tmp_path_factory.mktemp("people")
    several = [each for each in source.iterdir() if each.is_dir() and len(list(each.iterdir())) >= 4]
    for person in sorted(several, key=lambda each: hashlib.sha256(each.name.encode()).digest())[:16]:
        (folder / person.name).mkdir()
        for file in sorted(person.iterdir())[:4]:
            shutil.copy(file, folder / person.name)
    return folder


@pytest.mark.slow
def test_published_weights_are_used_as_they_are(people: Path, tmp_path: Path) -> None:
    run = load("recognition/faces")
    data = dataclasses.replace(run.experiment.data, path=str(people))
    experiment = dataclasses.replace(run.experiment, data=data, split=CountSplit(validation=8, test=4), target_far=0.02)
    trained = train(dataclasses.replace(run, experiment=experiment), tmp_path / "run")
    assert trained.evaluation.metrics["verification/eer"].value < 0.03
    recognizer, published = Recognizer.load(tmp_path / "run"), Recognizer.published("mobilefacenet")
    for one, other in zip(*map(jax.tree.leaves, (recognizer.variables, published.variables)), strict=True):
        np.testing.assert_array_equal(one, other)
    # What was calibrated elsewhere is calibrated for the same model.
    assert recognizer.fingerprint == published.fingerprint
    assert recognizer.threshold.people == 8
    one, two = sorted(people.iterdir())[:2]
    assert recognizer.verify(*sorted(one.iterdir())[:2]).same
    assert not recognizer.verify(next(one.iterdir()), next(two.iterdir())).same


@pytest.mark.slow
def test_kept_statistics_stay_and_weights_learn(people: Path, tmp_path: Path) -> None:
    run = load("recognition/faces")
    data = dataclasses.replace(run.experiment.data, path=str(people))
    # A margin that no triplet keeps, so that all of them teach.
    loss = Triplet(margin=2.0, rule=BatchAll())
    split = CountSplit(validation=6, test=4)
    experiment = dataclasses.replace(run.experiment, data=data, split=split, target_far=0.05, loss=loss)
    trained = train(dataclasses.replace(run, experiment=experiment, steps=3, evaluate_every=None), tmp_path / "run")
    published = Recognizer.published("mobilefacenet")
    for one, other in zip(*map(jax.tree.leaves, (trained.variables.state, published.variables.state)), strict=True):
        np.testing.assert_array_equal(one, other)
    changed = jax.tree.map(
        lambda one, other: bool((np.asarray(one) != np.asarray(other)).any()),
        trained.variables.params["encoder"],
        published.variables.params["encoder"],
    )
    assert any(jax.tree.leaves(changed))


@pytest.mark.slow
def test_fine_tuning_leaves_the_trunk_to_the_bit_and_moves_all_behind_it(people: Path, tmp_path: Path) -> None:
    run = load("recognition/fine_tuned")
    data = dataclasses.replace(run.experiment.data, path=str(people))
    loss, split = Triplet(margin=2.0, rule=BatchAll()), CountSplit(validation=6, test=4)
    experiment = dataclasses.replace(run.experiment, data=data, split=split, target_far=0.05, loss=loss)
    run = dataclasses.replace(run, experiment=experiment, steps=3, evaluate_every=None)
    learned = train(run, tmp_path / "run").variables.params["encoder"]["encoder"]
    published = Recognizer.published("mobilefacenet").variables.params["encoder"]["encoder"]
    still = {rate.part.removeprefix("encoder/encoder/") for rate in run.optimizer.rates if not rate.times}
    assert still < learned.keys() == published.keys()
    for name in learned:
        pairs = zip(jax.tree.leaves(learned[name]), jax.tree.leaves(published[name]), strict=True)
        changed = [bool((np.asarray(one) != np.asarray(other)).any()) for one, other in pairs]
        assert any(changed) == (name not in still), name


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "most"), [(10, 0.01), (11, 0.01), (12, 0.01)])
def test_published_weights_tell_the_people_of_orl_apart(seed: int, most: float, tmp_path: Path) -> None:
    run = load("recognition/orl_pretrained")
    split = dataclasses.replace(run.experiment.split, seed=seed)
    experiment = dataclasses.replace(run.experiment, split=split, baselines=())
    trained = train(dataclasses.replace(run, experiment=experiment), tmp_path / "run")
    assert trained.evaluation.metrics["verification/eer"].value < most
