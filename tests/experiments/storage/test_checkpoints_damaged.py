"""A file of a checkpoint is damaged: the run either goes on to the same bits, or says what to do and then does."""

import dataclasses
import gc
import shutil
import time

import jax
import numpy as np
import pytest
from pixels import Pixels

from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.training.trainer import train
from likeness.research.errors import UserError

pytestmark = [
    pytest.mark.end_to_end,
    # Threads of a read that failed call back when its loop is gone.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def nothing_left_for_the_next_test():
    yield
    gc.collect()
    time.sleep(0.5)


RUN = Run(experiment=Pixels(), steps=6, ema_decay=0.9, log_every=1, checkpoints=Checkpoints(every=2))


def same(first, second):
    jax.tree.map(np.testing.assert_array_equal, first.state.params, second.state.params)
    jax.tree.map(np.testing.assert_array_equal, first.state.average, second.state.average)


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["one of each kind", "each"])
def test_a_file_cut_short(every, tmp_path):
    whole = train(RUN, tmp_path / "whole")
    train(dataclasses.replace(RUN, steps=4), tmp_path / "stopped")
    newest = tmp_path / "stopped" / "checkpoints" / "4"
    files = sorted(path.relative_to(tmp_path / "stopped") for path in newest.rglob("*") if path.is_file())
    assert len(files) > 5
    if not every:
        kinds = {"d" if file.parent.name == "d" else file.name: file for file in reversed(files)}
        assert len(kinds) > 5
        files = list(kinds.values())
    refused = []
    for file in files:
        damaged = tmp_path / "damaged"
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(tmp_path / "stopped", damaged)
        (damaged / file).write_bytes((damaged / file).read_bytes()[: (damaged / file).stat().st_size // 2])
        try:
            same(train(RUN, damaged), whole)
        except UserError as error:
            refused.append(file)
            assert "checkpoints/4 is damaged (" in str(error)
            assert "the same command goes on from step 2, the one before" in str(error)
    assert refused
    # The last of them, as the message says.
    shutil.copytree(tmp_path / "stopped", tmp_path / "mended")
    shutil.move(tmp_path / "mended" / "checkpoints" / "4", tmp_path / "away")
    same(train(RUN, tmp_path / "mended"), whole)
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("mended", "whole")]
    assert lines[0] == lines[1]


def test_the_only_one(tmp_path):
    train(dataclasses.replace(RUN, steps=2), tmp_path)
    (tmp_path / "checkpoints" / "2" / "_CHECKPOINT_METADATA").write_bytes(b"")
    with pytest.raises(UserError, match="the same command starts over, since there is none before it"):
        train(RUN, tmp_path)
