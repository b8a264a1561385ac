"""The launchers, with stand-ins for the cluster's own commands."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

LAUNCH = Path(__file__).parents[3] / "experiments" / "launch"

# Two tasks, as `srun --ntasks=2` starts them: told apart by their environment, the worst exit code is srun's.
_SRUN = """#!/bin/bash
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


def submit(cluster, code):
    environment = os.environ | {
        "PATH": f"{cluster}:{os.environ['PATH']}",
        "SLURM_JOB_NODELIST": "node[7-8]",
        "SLURM_JOB_ID": "31234567",
        "SLURM_NTASKS": "2",
        "LIKENESS_CODE": str(code),
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


@pytest.mark.parametrize(("code", "requeued"), [(75, True), (70, True), (2, False), (1, False)])
def test_slurm_queues_again_what_can_go_on_and_nothing_else(cluster, code, requeued):
    assert submit(cluster, code).returncode == code
    log = cluster / "scontrol.log"
    assert (log.read_text() if log.exists() else "") == ("requeue 31234567\n" if requeued else "")


@pytest.mark.end_to_end
@pytest.mark.parametrize("name", ["slurm.sbatch", "jobset.yaml", "tpu_vm.sh"])
def test_the_launchers_use_flags_that_there_are(name):
    text = (LAUNCH / name).read_text()
    started = text[text.rindex("likeness train") :]
    help_text = subprocess.run(
        [sys.executable, "-m", "experiments.commands.main", "train", "recognition/digits", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    flags = set(re.findall(r"--[a-z-]+", started))
    assert {"--coordinator", "--hang-after"} <= flags
    for flag in flags:
        assert re.search(rf"{flag}\b", help_text), flag


def test_tpu_quotes_what_it_is_given(cluster):
    (cluster / "gcloud").write_text('#!/bin/bash\nprintf "%s\\n" "$@" > gcloud.log\n')
    (cluster / "gcloud").chmod(0o755)
    environment = os.environ | {"PATH": f"{cluster}:{os.environ['PATH']}"}
    command = ["bash", str(LAUNCH / "tpu_vm.sh"), "slice", "us-east5-b", "recognition/digits", "--workdir", "/a run"]
    subprocess.run(command, cwd=cluster, env=environment, check=True)
    sent = (cluster / "gcloud.log").read_text().splitlines()
    assert sent[:6] == ["compute", "tpus", "tpu-vm", "ssh", "slice", "--zone"]
    assert shlex.split(sent[-1])[:5] == ["likeness", "train", "recognition/digits", "--workdir", "/a run"]


def test_the_pods_of_the_job_set_agree_on_their_number():
    text = (LAUNCH / "jobset.yaml").read_text()
    counts = set(re.findall(r"(?:parallelism|completions|--processes):? (\d+)", text))
    assert counts == {"2"}
    assert "likeness-workers-0-0.likeness:8476" in text and re.search(r"^  name: likeness$", text, re.M)
