"""Processes that train together: they meet or say who is missing, and do what one process does alone."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from likeness.experiments.benchmarks.many_processes import Benchmark, differences
from likeness.experiments.benchmarks.many_processes import launch as launch_all
from likeness.experiments.distributed.processes import (
    Processes,
    by_first,
    failed_together,
    gathered_rows,
    heartbeat,
    roll_call,
    told,
)
from likeness.experiments.distributed.watchdog import HUNG
from likeness.experiments.run import Checkpoints
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.research.errors import UserError

SUPPORT = Path(__file__).parents[2] / "support"
CONFIG = str(SUPPORT / "small_digits.py")


def free_port():
    with socket.create_server(("", 0)) as server:
        return server.getsockname()[1]


def call(port, members, timeout):
    """What each of the members, (process, processes), comes back with: None, or its error."""
    errors = [None] * len(members)

    def enter(place, process, processes):
        try:
            roll_call(f"localhost:{port}", process, processes, timeout)
        except UserError as error:
            errors[place] = str(error)

    threads = [threading.Thread(target=enter, args=(place, *member)) for place, member in enumerate(members)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return errors


@pytest.mark.end_to_end
def test_all_who_come_go_on():
    assert call(free_port(), [(2, 3), (0, 3), (1, 3)], 20) == [None, None, None]
    assert call(free_port(), [(0, 1)], 5) == [None]


@pytest.mark.slow
@pytest.mark.end_to_end
def test_who_is_missing_is_named_to_all_who_came():
    first, third = call(free_port(), [(0, 4), (2, 4)], 2)
    assert first.startswith("Processes 1, 3 of 4 did not come to process 0 at port ")
    assert third == f"Process 2 cannot begin, says process 0: {first}"


@pytest.mark.end_to_end
def test_without_process_0_nobody_waits_for_ever():
    (error,) = call(free_port(), [(1, 2)], 1)
    assert "Process 1 did not reach process 0 at localhost:" in error


@pytest.mark.slow
@pytest.mark.end_to_end
def test_processes_that_were_launched_differently_are_told():
    errors = call(free_port(), [(0, 3), (1, 2)], 2)
    assert errors[0] == "Process 1 was started for 2 processes and process 0 for 3: launch all alike."
    assert any("as number 1" in (error or "") for error in call(free_port(), [(0, 3), (1, 3), (1, 3)], 2))


@pytest.mark.slow
@pytest.mark.end_to_end
def test_a_stranger_at_the_port_is_not_counted():
    port = free_port()

    def knock():
        for _ in range(100):
            try:
                with socket.create_connection(("localhost", port), timeout=1) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\n")
                    return
            except OSError:
                time.sleep(0.02)

    stranger = threading.Thread(target=knock)
    stranger.start()
    first, _ = call(port, [(0, 3), (1, 3)], 2)
    stranger.join()
    assert first.startswith("Process 2 of 3 did not come")


def test_a_taken_port_is_told():
    with socket.create_server(("", 0)) as server:
        (error,) = call(server.getsockname()[1], [(0, 2)], 2)
    assert "Process 0 cannot listen at port" in error


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"coordinator": "node1"}, "give host:port of process 0"),
        ({"coordinator": "node1:0", "process": 0, "processes": 1}, "give host:port"),
        ({"coordinator": "node1:8476"}, "this is process None of None"),
        ({"coordinator": "node1:8476", "process": 2, "processes": 2}, "this is process 2 of 2"),
        ({"coordinator": "auto", "timeout": 0}, "0 seconds: give 1 or more"),
        ({"coordinator": "auto", "heartbeat": 0}, "a sign of life is 0 seconds: give 1 or more"),
    ],
)
def test_who_cannot_meet_is_told_why(given, message):
    with pytest.raises(ValueError, match=message):
        Processes(**given)


@pytest.mark.parametrize(("hang_after", "seconds"), [(None, 100), (1800.0, 1860), (0.5, 61)])
def test_jax_aborts_later_than_the_watchdog(hang_after, seconds):
    assert heartbeat(hang_after) == seconds


@pytest.mark.parametrize("coordinator", ["auto", "node1:8476"])
def test_jax_is_told_how_long_to_wait(coordinator, monkeypatch):
    asked = {}
    monkeypatch.setattr("jax.distributed.initialize", lambda *given, **named: asked.update(named))
    monkeypatch.setattr("likeness.experiments.distributed.processes.roll_call", lambda *given: None)
    monkeypatch.setattr("jax.config.update", lambda *given: None)
    Processes(coordinator=coordinator, process=0, processes=2, timeout=7, heartbeat=1860).join()
    assert asked == {"initialization_timeout": 7, "heartbeat_timeout_seconds": 1860}


def wrapped(error):
    try:
        try:
            raise error
        except Exception as cause:
            raise KeyError("step") from cause
    except KeyError as outer:
        return outer


RESET = "UNKNOWN: Gloo all-reduce failed: [external/gloo/gloo/transport/tcp/pair.cc:538] Read error: Connection reset by peer"


@pytest.mark.parametrize(
    ("error", "together"),
    [
        (jax.errors.JaxRuntimeError(RESET), True),
        # So does JAX raise it where an array is fetched.
        (ValueError(RESET), True),
        (RuntimeError("DEADLINE_EXCEEDED: Barrier timed out"), True),
        (wrapped(ValueError(RESET)), True),
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 17 bytes"), False),
        (ValueError("UNKNOWN letters in a name"), False),
        (KeyError("INTERNAL: no"), False),
        (UserError("The disk is full."), False),
        (wrapped(TypeError("a mistake")), False),
    ],
)
def test_who_fails_together_with_others_is_told_from_who_fails_alone(error, together):
    assert failed_together(error) == together


def test_one_process_alone_is_the_first():
    assert by_first(lambda: 3, 0) == 3
    assert told("a name") == "a name"
    rows = np.arange(6).reshape(3, 2)
    np.testing.assert_array_equal(gathered_rows(rows, [3]), rows)


def launch(folder, workdir, processes, *flags, config=CONFIG):
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "likeness.experiments.commands.main", "train", config, "--evaluate-every", "5"]
    command += ["--workdir", workdir, *flags]
    port = free_port()
    for process in range(processes):
        together = ["--coordinator", f"localhost:{port}", "--process", str(process), "--processes", str(processes)]
        yield subprocess.Popen(
            command + together * (processes > 1),
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def finish(started):
    said = [process.communicate(timeout=240)[0] for process in started]
    return [process.returncode for process in started], said


@pytest.mark.slow
@pytest.mark.end_to_end
def test_two_processes_train_and_evaluate_as_one_does_and_stop_at_one_step(tmp_path):
    together = list(launch(tmp_path, "two", 2, "--steps", "100000"))
    metrics = tmp_path / "two" / "metrics.jsonl"
    deadline = time.monotonic() + 200
    while len(read_metrics(metrics)) < 12 and time.monotonic() < deadline:
        time.sleep(0.1)
    # Only one of them is told; both stop after the same step.
    together[1].send_signal(signal.SIGTERM)
    codes, said = finish(together)
    assert codes == [75, 75], said
    store = CheckpointStore(tmp_path / "two" / "checkpoints", Checkpoints())
    stopped = store.latest()
    store.close()
    assert stopped is not None and f"at step {stopped} of 100000" in said[0] and f"at step {stopped} of 100000" in said[1]

    codes, said = finish(list(launch(tmp_path, "one", 1)))
    assert codes == [0], said
    ours, alone = (read_metrics(tmp_path / name / "metrics.jsonl") for name in ("two", "one"))
    assert [record["step"] for record in ours] == sorted(record["step"] for record in ours)
    assert {record["split"] for record in alone} == {"train", "validation"}
    for both, one in zip(ours, alone, strict=False):
        assert (both["step"], both["split"]) == (one["step"], one["split"])
        for name, value in one.items():
            if isinstance(value, float):
                np.testing.assert_allclose(both[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    # One process takes over what two have left.
    codes, said = finish(list(launch(tmp_path, "two", 1, "--steps", str(stopped + 2))))
    assert codes == [0], said
    assert f"going on from step {stopped}" in said[0]
    assert json.loads((tmp_path / "two" / "summary.json").read_text())["steps"] == stopped + 2


@pytest.mark.slow
@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("lost", "fate", "codes", "said"),
    [
        # Killed while the others wait for it elsewhere than in a collective, such as at a checkpoint, it is missed later.
        (1, signal.SIGKILL, {HUNG}, "One of them is probably lost|has hung for 20 seconds since step"),
        (1, signal.SIGSTOP, {HUNG}, "has hung for 20 seconds since step"),
        # Without process 0 JAX aborts the others, unless a collective has failed before.
        (0, signal.SIGKILL, {HUNG, -signal.SIGABRT}, "One of them is probably lost|another task died"),
    ],
)
def test_who_loses_another_does_not_wait_for_ever(tmp_path, lost, fate, codes, said):
    together = list(launch(tmp_path, "two", 2, "--hang-after", "20", config=str(SUPPORT / "toy.py")))
    try:
        deadline = time.monotonic() + 200
        while len(read_metrics(tmp_path / "two" / "metrics.jsonl")) < 12 and time.monotonic() < deadline:
            time.sleep(0.1)
        together[lost].send_signal(fate)
        # Sooner than JAX, which waits for 80 seconds.
        output, _ = together[1 - lost].communicate(timeout=60)
        assert together[1 - lost].returncode in codes, output
        assert re.search(said, output)
    finally:
        for process in together:
            process.kill()
            process.communicate()


@pytest.mark.slow
@pytest.mark.end_to_end
def test_margins_and_an_image_in_tiles_are_the_same_in_two_processes(tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    asked = Benchmark(counts=(1, 2), steps=10, only=("margin softmax", "style"), out=str(tmp_path))
    for count in asked.counts:
        launch_all(asked, count)
    for name in ("margin softmax", "style, in tiles"):
        assert max(differences(asked, name, 2)) <= 1e-5
