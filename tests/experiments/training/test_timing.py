import json
import time

import numpy as np
import pytest
from pixels import Pixels

from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.training.profiling import Profile
from likeness.experiments.training.timing import Timing
from likeness.experiments.training.trainer import train


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_time_is_told_apart(tmp_path):
    timing = Timing(tmp_path / "system.jsonl")
    for _ in range(4):
        with timing.step():
            with timing.waiting():
                time.sleep(0.03)
            timing.count({"images": np.zeros((8, 2)), "labels": np.zeros(8)})
            time.sleep(0.01)
    # What happens between, such as an evaluation, is nobody's.
    time.sleep(0.2)
    with timing.fetching():
        time.sleep(0.04)
    timing.write(4, compilations=2)
    timing.write(5, compilations=2)
    (record,) = records(tmp_path / "system.jsonl")
    assert record["step"] == 4 and record["compilations"] == 2
    assert 0.05 <= record["seconds_per_step"] < 0.1
    assert 0.04 <= record["loop_seconds_p50"] <= record["loop_seconds_p95"] <= record["loop_seconds_max"]
    assert 0.3 < record["input_wait"] < 0.75
    np.testing.assert_allclose(record["rows_per_second"], 8 / record["seconds_per_step"], rtol=1e-6)


@pytest.mark.end_to_end
def test_a_run_leaves_its_times_beside_its_metrics_and_a_profile(tmp_path):
    run = Run(experiment=Pixels(), steps=12, log_every=4, checkpoints=Checkpoints(every=12))
    train(run, tmp_path, profile=2)
    assert [record["step"] for record in records(tmp_path / "system.jsonl")] == [4, 8, 12]
    assert "seconds_per_step" not in (tmp_path / "metrics.jsonl").read_text()
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))


@pytest.mark.end_to_end
def test_a_run_that_ends_early_ends_its_profile(tmp_path):
    with Profile(tmp_path / "profile", 50) as profile:
        for _ in range(8):
            profile.step()
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))
    with Profile(tmp_path / "none", None) as profile:
        profile.step()
    assert not (tmp_path / "none").exists()
