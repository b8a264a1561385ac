"""A sweep as a job array: through the real submitit, to commands that stand in for Slurm's."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_slurm
import jax
import numpy as np
import pytest
from listener import Listener
from pixels import eight_steps

from likeness.experiments.run import Checkpoints
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.sweeps import product
from likeness.experiments.sweeps import worker as sweep_worker
from likeness.experiments.sweeps.members import Member, members
from likeness.experiments.sweeps.rungs import SuccessiveHalving
from likeness.experiments.sweeps.runner import make_runs
from likeness.experiments.sweeps.slurm import SlurmArray
from likeness.experiments.sweeps.worker import QueuedTask, write_task
from likeness.experiments.training.evaluation import restore
from likeness.experiments.training.trainer import train
from likeness.research.errors import UserError

needs_submitit = pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="needs the `slurm` extra")
PARAMETERS: dict[str, Any] = {"timeout_min": 30, "partition": "short,long"}


RATES = product({"optimizer.schedule.peak_lr": (1e38, 0.1, 0.001)})


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a cluster that stands in for one."""
    folder = tmp_path / "slurm"
    monkeypatch.setenv("PATH", fake_slurm.install(folder))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    return folder


def make(made: list[Member], root: Path, array: SlurmArray, halving: SuccessiveHalving | None = None) -> list[str]:
    listener = Listener()
    make_runs(made, root, vmap="auto", jobs=1, say=listener, halving=halving, slurm=array)
    return listener.said


def plan(root: Path, overrides: Any = RATES) -> list[Member]:
    return members(eight_steps(), overrides, root)


@needs_submitit
@pytest.mark.slow
@pytest.mark.end_to_end
def test_an_array_per_rung_is_waited_for(slurm: Path, tmp_path: Path) -> None:
    """Three runs, of which one fails and one is stopped; the survivor is to the bit what it is alone."""
    root = tmp_path / "sweep"
    made = plan(root)
    said = make(made, root, SlurmArray(parameters=PARAMETERS, poll=0.5), SuccessiveHalving(eta=3, first=4))
    assert [member.status for member in made] == ["failed", "finished", "stopped"]
    assert "is not finite" in made[0].why and "_log.out" in made[0].why
    assert made[1].how == "in job 101" and made[2].became == "stopped at step 4, 2nd of 3"
    assert any("3 runs are job 100, up to step 4" in text for text in said)
    script = (slurm / "job-100.sh").read_text()
    assert "--array=0-2%3" in script and "--partition=short,long" in script and "--time=30" in script
    alone = train(made[1].run, tmp_path / "alone")
    jax.tree.map(np.testing.assert_array_equal, restore(made[1].workdir, made[1].run), (8, alone.variables))
    assert json.loads((root / "slurm" / "jobs.json").read_text()) == {}


@needs_submitit
@pytest.mark.slow
@pytest.mark.end_to_end
def test_who_detaches_collects_with_the_same_command(slurm: Path, tmp_path: Path) -> None:
    """Nothing is submitted twice while it is in the queue; what failed is told once, and tried again when asked again."""
    root, detached = tmp_path / "sweep", SlurmArray(parameters=PARAMETERS, detach=True)
    (slurm / "hold").touch()
    for _ in range(2):
        made = plan(root, RATES[:2])
        said = make(made, root, detached)
        assert [member.became for member in made] == ["under way, in job 100_0", "under way, in job 100_1"]
        assert said[-1] == "job 100: 2 pending"
    # The queue loses one, and the other ends without an answer.
    (slurm / "hold").unlink()
    for task in (0, 1):
        (slurm / f"state-100_{task}").write_text("OUT_OF_MEMORY")
    lost = plan(root, RATES[:2])
    make(lost, root, detached)
    assert [member.status for member in lost] == ["failed", "failed"] and "OUT_OF_MEMORY" in lost[1].why
    again = plan(root, RATES[:2])
    make(again, root, SlurmArray(parameters=PARAMETERS, poll=0.5))
    assert [member.status for member in again] == ["failed", "finished"]


@needs_submitit
def test_parameters_are_checked_before_anything_is_written(slurm: Path, tmp_path: Path) -> None:
    SlurmArray(parameters=PARAMETERS | {"slurm_qos": "low", "gpus_per_node": 1, "mem_gb": 8}).check()
    with pytest.raises(UserError, match="partiton"):
        SlurmArray(parameters=PARAMETERS | {"partiton": "x"}).check()
    with pytest.raises(UserError, match="gpus_per_node"):
        SlurmArray(parameters=PARAMETERS | {"gpus_per_node": "two"}).check()
    with pytest.raises(ValueError, match="give timeout_min"):
        SlurmArray(parameters={"partition": "x"})
    with pytest.raises(ValueError, match="nodes is not for a sweep"):
        SlurmArray(parameters=PARAMETERS | {"nodes": 2})


@needs_submitit
def test_where_there_is_no_slurm_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="finds no Slurm here"):
        SlurmArray(parameters=PARAMETERS).check()


def test_without_submitit_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'likeness-jax\[slurm\]'"):
        SlurmArray(parameters=PARAMETERS).check()


@needs_submitit
@pytest.mark.parametrize("own", [{}, {"teardown": ["echo after > after"]}, {"slurm_teardown": ["echo after > after"]}])
def test_a_job_that_was_killed_or_crashed_goes_back_into_the_queue_a_few_times(
    slurm: Path, tmp_path: Path, own: dict[str, Any]
) -> None:
    """The script that is submitted, run as Slurm would, where `srun` answers as it does of a task that ended so."""
    (slurm / "hold").touch()
    make(plan(tmp_path / "sweep", RATES[:1]), tmp_path / "sweep", SlurmArray(parameters=PARAMETERS | own, detach=True))
    (slurm / "srun").write_text('#!/bin/bash\nexit "$CODE"\n')

    def requeued(code: int, restarts: int | None) -> bool:
        (slurm / "requeued").unlink(missing_ok=True)
        names = {"SLURM_ARRAY_JOB_ID": "100", "SLURM_ARRAY_TASK_ID": "0", "CODE": str(code)}
        names |= {} if restarts is None else {"SLURM_RESTART_COUNT": str(restarts)}
        done = subprocess.run(["bash", str(slurm / "job-100.sh")], env=os.environ | names, cwd=tmp_path, check=False)
        assert done.returncode == code
        assert (tmp_path / "after").exists() == bool(own)
        return (slurm / "requeued").exists() and (slurm / "requeued").read_text() == "requeue 100_0"

    # After 255 submitit has requeued it itself.
    assert [code for code in (0, 1, 2, 255, 134, 137, 139) if requeued(code, None)] == [134, 137, 139]
    assert [restarts for restarts in (1, 2, 3, 4) if requeued(137, restarts)] == [1, 2]


def test_a_job_whose_time_is_up_is_requeued_after_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """USR2 becomes the trainer's SIGTERM; submitit's own handler, which requeues, is called once the trainer has answered."""
    order: list[str] = []

    def work(path: Path) -> tuple[int, str]:
        before = signal.signal(signal.SIGTERM, lambda *_: order.append("stopping"))
        os.kill(os.getpid(), signal.SIGUSR2)
        signal.signal(signal.SIGTERM, before)
        order.append("saved")
        return sweep_worker.AGAIN, "Stopped by SIGTERM"

    monkeypatch.setattr(sweep_worker, "work", work)
    before = signal.signal(signal.SIGUSR2, lambda *_: order.append("requeued"))
    try:
        assert QueuedTask(tmp_path / "task.json")() == (75, "Stopped by SIGTERM")
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert order == ["stopping", "saved", "requeued"]


@pytest.mark.end_to_end
def test_a_task_is_done_as_it_is_written(tmp_path: Path) -> None:
    """Up to a rung, to the end, and with a failure in words."""
    failing, member = plan(tmp_path)[:2]
    path = tmp_path / "task.json"
    write_task(path, member, tmp_path, 3, ("tensorboard",) if importlib.util.find_spec("tensorboardX") else ())
    assert sweep_worker.main([str(path)]) == 0 and member.latest == 3 and member.rungs.keys() == {3}
    assert not importlib.util.find_spec("tensorboardX") or list((member.workdir / "tensorboard").iterdir())
    write_task(path, member, tmp_path, None, ())
    assert sweep_worker.main([str(path)]) == 0 and member.finished
    write_task(path, failing, tmp_path, None, ())
    code, words = sweep_worker.work(path)
    assert code == sweep_worker.MISTAKE and "is not finite" in words


@needs_submitit
@pytest.mark.slow
@pytest.mark.end_to_end
def test_submitit_requeues_and_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way with submitit's local jobs: USR2, a checkpoint, a new process that goes on from it."""
    from submitit import AutoExecutor

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    run = eight_steps(steps=1_000_000, log_every=20, checkpoints=Checkpoints(every=900_000))
    (member,) = members(run, ({"seed": 1},), tmp_path)
    write_task(tmp_path / "task.json", member, tmp_path, None, ())
    executor = AutoExecutor(folder=tmp_path / "jobs", cluster="local")
    executor.update_parameters(timeout_min=5)
    job = executor.submit(QueuedTask(tmp_path / "task.json"))

    def process() -> int:
        found = Path(f"/proc/{job.job_id}/task/{job.job_id}/children").read_text().split()
        return int(found[0]) if found else 0

    def step() -> int:
        lines = read_metrics(member.workdir / "metrics.jsonl")
        return lines[-1]["step"] if lines else 0

    def wait(until: Callable[[], bool]) -> None:
        end = time.monotonic() + 120
        while not until():
            assert time.monotonic() < end
            time.sleep(0.2)

    wait(lambda: step() > 0)
    first = process()
    os.kill(first, signal.SIGUSR2)
    wait(lambda: member.latest > 0)
    wait(lambda: process() not in (0, first))
    reached = member.latest
    wait(lambda: step() > reached + run.log_every)
    os.kill(process(), signal.SIGTERM)
    assert job.result()[0] == sweep_worker.AGAIN and member.latest > reached
