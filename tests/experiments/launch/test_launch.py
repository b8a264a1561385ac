"""The launchers, with stand-ins for the cluster's own commands."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

LAUNCH = Path(__file__).parents[3] / "experiments" / "launch"

# Two tasks, as `srun --ntasks=2` starts them: told apart by their environment, the worst exit code is srun's. Of a task that a
# signal has ended that is 128 and its number.
_SRUN = """#!/bin/bash
[ -n "$SRUN_CODE" ] && exit "$SRUN_CODE"
while [ "${1#--}" != "$1" ]; do shift; done
worst=0
for i in 0 1; do
    SLURM_PROCID=$i SLURM_LOCALID=$i "$@"
    code=$?
    [ $code -gt $worst ] && worst=$code
done
exit $worst
"""
_SCONTROL = """#!/bin/bash
case "$1" in
    show) printf 'node7\\nnode8\\n' ;;
    *) echo "$@" >> scontrol.log ;;
esac
"""
_LIKENESS = """#!/bin/bash
echo "$JAX_LOCAL_DEVICE_IDS: $*" >> likeness.log
exit $LIKENESS_CODE
"""


@pytest.fixture
def cluster(tmp_path):
    for name, script in {"srun": _SRUN, "scontrol": _SCONTROL, "likeness": _LIKENESS}.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def submit(cluster, code, **more):
    environment = os.environ | {
        "PATH": f"{cluster}:{os.environ['PATH']}",
        "SLURM_JOB_NODELIST": "node[7-8]",
        "SLURM_JOB_ID": "31234567",
        "SLURM_NTASKS": "2",
        "LIKENESS_CODE": str(code),
        **more,
    }
    command = ["bash", str(LAUNCH / "slurm.sbatch"), "recognition/quickstart", "--workdir", "/shared/a run"]
    return subprocess.run(command, cwd=cluster, env=environment, capture_output=True, text=True, check=False)


def test_slurm_starts_every_task_with_its_number_and_device(cluster):
    done = submit(cluster, 0)
    assert done.returncode == 0, done.stderr
    port = 20000 + 31234567 % 20000
    assert (cluster / "likeness.log").read_text().splitlines() == [
        f"{i}: train recognition/quickstart --workdir /shared/a run --coordinator node7:{port} --process {i} --processes 2 "
        "--hang-after 1800"
        for i in (0, 1)
    ]
    assert not (cluster / "scontrol.log").exists()


# 134: JAX has aborted it, since process 0 is gone. 137, 139, 143: killed, crashed, ended with them.
GOES_ON = [(code, code not in (0, 1, 2)) for code in (0, 1, 2, 70, 75, 134, 137, 139, 143, 253)]


def scheduled(cluster):
    log = cluster / "scontrol.log"
    return log.read_text() if log.exists() else ""


@pytest.mark.parametrize(("code", "requeued"), GOES_ON)
def test_slurm_queues_again_whatever_is_no_answer(cluster, code, requeued):
    done = submit(cluster, 0, SRUN_CODE=str(code))
    assert done.returncode == code
    assert scheduled(cluster) == ("requeue 31234567\n" if requeued else "")
    assert (f"ended with {code} after 0 restarts: queued again" in done.stderr) == requeued


def test_slurm_knows_the_code_of_the_tasks(cluster):
    assert submit(cluster, 70).returncode == 70
    assert scheduled(cluster) == "requeue 31234567\n"


@pytest.mark.parametrize(
    ("restarts", "most", "requeued"), [("99", "", True), ("100", "", False), ("3", "4", True), ("4", "4", False)]
)
def test_slurm_does_not_queue_again_for_ever(cluster, restarts, most, requeued):
    limit = {"MOST_RESTARTS": most} if most else {}
    done = submit(cluster, 0, SRUN_CODE="139", SLURM_RESTART_COUNT=restarts, **limit)
    assert done.returncode == 139
    assert bool(scheduled(cluster)) == requeued
    assert ("queued again" if requeued else "so it is left") in done.stderr


@pytest.mark.slow
@pytest.mark.end_to_end
@pytest.mark.parametrize("name", ["slurm.sbatch", "jobset.yaml", "tpu_vm.sh"])
def test_the_launchers_use_flags_that_there_are(name):
    text = (LAUNCH / name).read_text()
    started = text[text.rindex("likeness train") :]
    help_text = subprocess.run(
        [sys.executable, "-m", "likeness.experiments.commands.main", "train", "recognition/digits", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # What follows the command may be of another program.
    flags = set(re.findall(r"--[a-z-]+", started.split("gcloud")[0]))
    assert {"--coordinator", "--hang-after"} <= flags
    for flag in flags:
        assert re.search(rf"{flag}\b", help_text), flag


def on_a_tpu(cluster, script, **more):
    (cluster / "gcloud").write_text(f"#!/bin/bash\n{script}\n")
    (cluster / "gcloud").chmod(0o755)
    environment = os.environ | {"PATH": f"{cluster}:{os.environ['PATH']}", "PAUSE": "0", **more}
    command = ["bash", str(LAUNCH / "tpu_vm.sh"), "slice", "us-east5-b", "recognition/digits", "--workdir", "/a run"]
    return subprocess.run(command, cwd=cluster, env=environment, capture_output=True, text=True, check=False)


def test_tpu_quotes_what_it_is_given(cluster):
    assert on_a_tpu(cluster, 'printf "%s\\n" "$@" > gcloud.log').returncode == 0
    sent = (cluster / "gcloud.log").read_text().splitlines()
    assert sent[:6] == ["compute", "tpus", "tpu-vm", "ssh", "slice", "--zone"]
    assert shlex.split(sent[-1])[:5] == ["likeness", "train", "recognition/digits", "--workdir", "/a run"]


@pytest.mark.parametrize(("code", "again"), [*GOES_ON, (255, True), (130, False)])
def test_tpu_starts_again_whatever_is_no_answer(cluster, code, again):
    done = on_a_tpu(cluster, f"echo once >> gcloud.log; [ $(wc -l < gcloud.log) -gt 1 ] || exit {code}")
    assert len((cluster / "gcloud.log").read_text().splitlines()) == 1 + again
    assert done.returncode == (0 if again else code)


def test_tpu_does_not_start_again_for_ever(cluster):
    done = on_a_tpu(cluster, "echo once >> gcloud.log; exit 70", MOST_RESTARTS="3")
    assert len((cluster / "gcloud.log").read_text().splitlines()) == 4
    assert done.returncode == 70 and "ended with 70 after 3 restarts: left" in done.stderr


def test_the_job_set_fails_for_an_answer_and_starts_again_for_anything_else():
    """By the rules of JobSet and of Job: a pod that ends with 1 or 2 fails its job, and that fails the set."""
    spec = yaml.safe_load((LAUNCH / "jobset.yaml").read_text())["spec"]
    (job,) = (replicated["template"]["spec"] for replicated in spec["replicatedJobs"])
    (rule,) = job["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["operator"], rule["onExitCodes"]["values"]) == ("FailJob", "In", [1, 2])
    pod = job["template"]["spec"]
    assert rule["onExitCodes"]["containerName"] == pod["containers"][0]["name"]
    # Only of pods that are not started again by themselves are exit codes looked at.
    assert (pod["restartPolicy"], job["backoffLimit"]) == ("Never", 0)
    policy = spec["failurePolicy"]
    assert policy["rules"] == [{"action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]}]
    assert policy["maxRestarts"] > 0


def test_the_pods_of_the_job_set_agree_on_their_number():
    text = (LAUNCH / "jobset.yaml").read_text()
    counts = set(re.findall(r"(?:parallelism|completions|--processes):? (\d+)", text))
    assert counts == {"2"}
    assert "likeness-workers-0-0.likeness:8476" in text and re.search(r"^  name: likeness$", text, re.M)
