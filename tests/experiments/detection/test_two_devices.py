"""What is found by a head that searches on the host, after training on two devices of a CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import dataclasses, sys
import jax
from likeness.experiments.config import load
from likeness.experiments.training.trainer import train
from likeness.research.data.detection import Shapes

run = load("detection/rcnn_shapes")
experiment = dataclasses.replace(run.experiment, data=Shapes(train=32, validation=8, test=8), batch=4, resamples=20)
checkpoints = dataclasses.replace(run.checkpoints, every=2)
run = dataclasses.replace(run, experiment=experiment, steps=2, evaluate_every=2, checkpoints=checkpoints)
trained = train(run, sys.argv[1])
leaves = jax.tree.leaves(trained.variables)
print(len(jax.devices()), {len(leaf.devices()) for leaf in leaves})
"""


@pytest.mark.slow
def test_an_evaluation_with_a_search_on_the_host_waits_for_no_other_device(tmp_path: Path) -> None:
    """Its program is one device's: on two, the one that calls back and the one that waits for it waited for ever."""
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "2"}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "2 {1}"
