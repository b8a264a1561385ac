"""A loss that carries a state: training keeps it beside the encoder's own, in checkpoints, and a recognizer does not mind."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.recognition import LOSS_STATE
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.training.trainer import train
from likeness.research.data import CountSplit, Faces, IdentityBatches
from likeness.research.encoders import Conv4
from likeness.research.losses import CenterLoss, CosFace, CrossBatchMemory, RecognitionLoss, Triplet

pytestmark = pytest.mark.end_to_end


def an_experiment(loss: RecognitionLoss) -> Recognition:
    return Recognition(
        data=Faces(people=30, images=6, size=16, channels=1),
        split=CountSplit(validation=8, test=8),
        batches=IdentityBatches(people=7, images=2),
        encoder=Conv4(width=8, dimension=8),
        loss=loss,
        target_far=0.05,
    )


@pytest.mark.slow
def test_a_memory_fills_in_training_and_is_read_back(tmp_path: Path) -> None:
    loss = CrossBatchMemory(loss=Triplet(margin=0.2, reduction="mean_active"), size=20)
    experiment = an_experiment(loss)
    finished = train(Run(experiment=experiment, steps=4, checkpoints=Checkpoints(every=2)), tmp_path / "run")
    memory = finished.variables.state[LOSS_STATE]
    assert memory["steps"] == 4
    assert memory["known"].all()
    recognizer = Recognizer.load(finished.workdir)
    jax.tree.map(np.testing.assert_array_equal, recognizer.variables.state[LOSS_STATE], memory)
    images = experiment.open().test.read(np.arange(4))
    assert np.isfinite(recognizer.embed(images)).all()
    assert LOSS_STATE not in experiment.encoder_variables(finished.variables)


def test_a_loss_without_one_leaves_the_state_as_it_was() -> None:
    """Old checkpoints are read as before."""
    experiment = an_experiment(Triplet())
    data = experiment.open()
    batch = next(experiment.stream(data, 0))
    init = lambda e: jax.eval_shape(e.init, jax.random.key(0), {}, batch)  # noqa: E731
    assert LOSS_STATE not in init(experiment).state
    people = len(data.train.people)
    other = dataclasses.replace(experiment, loss=CenterLoss(classes=people, loss=CosFace(classes=people)))
    assert set(init(other).state) == {*init(experiment).state, LOSS_STATE}
