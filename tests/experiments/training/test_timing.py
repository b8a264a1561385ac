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
    timing = Timing()
    for _ in range(4):
        with timing.step():
            with timing.waiting():
                time.sleep(0.03)
            timing.count(8)
            time.sleep(0.01)
    # What happens between, such as an evaluation, is nobody's.
    time.sleep(0.2)
    with timing.fetching():
        time.sleep(0.04)
    timing.write([tmp_path / "system.jsonl"], 4, compilations=2)
    timing.write([tmp_path / "system.jsonl"], 5, compilations=2)
    (record,) = records(tmp_path / "system.jsonl")
    assert record["step"] == 4 and record["compilations"] == 2
    assert 0.05 <= record["seconds_per_step"] < 0.1
    assert 0.04 <= record["loop_seconds_p50"] <= record["loop_seconds_p95"] <= record["loop_seconds_max"]
    assert 0.3 < record["input_wait"] < 0.75
    np.testing.assert_allclose(record["rows_per_second"], 8 / record["seconds_per_step"], rtol=1e-6)


def test_of_runs_that_are_one_program_each_has_its_equal_share(tmp_path):
    """A step of all that takes 40 ms is one of 10 ms for each of four; as many rows a second are computed on."""
    timing = Timing()
    for _ in range(3):
        with timing.step():
            time.sleep(0.04)
        timing.count(4 * 8)
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    timing.write(paths, 3, compilations=1, runs=4)
    (record,), other = map(records, paths)
    assert other == [record] and record["vmapped"] == 4
    assert 0.01 <= record["loop_seconds_p50"] <= record["seconds_per_step"] * 1.5 < 0.03
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
