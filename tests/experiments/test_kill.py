"""A run killed at random moments, as by a crash or a cluster, ends as if nothing had happened."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from likeness.experiments.commands.main import run
from likeness.experiments.run import Checkpoints
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import read_metrics

pytestmark = pytest.mark.end_to_end

CONFIG = Path(__file__).parents[1] / "support" / "small_digits.py"


def launch(arguments: list[str]) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(Path(__file__).parents[2] / ".cache" / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "likeness.experiments.commands.main", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def final_state(workdir: Path, steps: int) -> list[np.ndarray]:
    store = CheckpointStore(workdir / "checkpoints", Checkpoints())
    step = store.latest()
    assert step == steps
    variables = store.load_variables(step)
    store.close()
    import jax

    return [np.asarray(leaf) for leaf in jax.tree.leaves(tuple(variables))]


def curve(workdir: Path) -> list[tuple[int, float]]:
    return [(record["step"], record["loss"]) for record in read_metrics(workdir / "metrics.jsonl")]


@pytest.mark.slow
@pytest.mark.parametrize(("times", "steps"), [(1, 40), pytest.param(5, 120, marks=pytest.mark.slow)])
def test_kill_9_changes_nothing(times: int, steps: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    asked = ["train", str(CONFIG), "--steps", str(steps), "--log-every", "7", "--checkpoints.every", "10", "--workdir"]
    # Only what is killed needs a process of its own, which spends most of its time on imports.
    assert run([*asked, str(tmp_path / "whole")]) == 0

    moments = random.Random(2)
    workdir, kills, reached = tmp_path / "killed", 0, []
    while kills < times:
        process = launch([*asked, str(workdir)])
        # Counted from the moment its own training is under way, else most kills would hit the imports.
        target = (reached[-1] if reached else 0) + moments.randint(8, 22)
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            records = read_metrics(workdir / "metrics.jsonl")
            if records and records[-1]["step"] >= target:
                break
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.03))
        assert process.poll() is None, process.communicate()[0].decode()
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        reached.append(read_metrics(workdir / "metrics.jsonl")[-1]["step"])
        kills += 1
    capfd.readouterr()
    assert run([*asked, str(workdir)]) == 0
    assert "going on from step" in capfd.readouterr().err

    assert curve(workdir) == curve(tmp_path / "whole")
    for ours, theirs in zip(final_state(workdir, steps), final_state(tmp_path / "whole", steps), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert json.loads((workdir / "summary.json").read_text())["steps"] == steps
