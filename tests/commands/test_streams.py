"""What a command prints when nobody reads it: the work is done all the same, and nothing else gets what was printed."""

import os
import subprocess
import sys

import pytest

CODE = """
import os, sys
from likeness.experiments.commands.streams import settle_streams
settle_streams()
for _ in range(20_000):
    print("a line that nobody may read")
print("an error that nobody may read", file=sys.stderr)
sys.stdout.flush()
with open("made", "w") as file:
    os.write(1, b"what a library prints")
    file.write("the work")
"""


def run(*arguments, shell=""):
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", f'"$@" {shell}', "bash", sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("shell", ["| head -1", ">&-", "2>&-", ">&- 2>&- <&-", "2>&1 | true", "2>&1 >/dev/null | true"])
def test_the_work_is_done_all_the_same(tmp_path, monkeypatch, shell):
    monkeypatch.setenv("PYTHONPATH", os.getcwd())  # noqa: PTH109
    monkeypatch.chdir(tmp_path)
    done = run("-c", CODE, shell=shell)
    assert done.returncode == 0
    assert (tmp_path / "made").read_text() == "the work"
    assert "Traceback" not in done.stderr and "Error" not in done.stderr


@pytest.mark.parametrize("shell", ["| head -1", ">&-"])
def test_a_command_whose_output_is_not_read(shell):
    done = run("-m", "likeness.experiments.commands.main", "configs", shell=shell)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mistake_is_still_one():
    done = run("-m", "likeness.experiments.commands.main", "nonsense", shell=">&- 2>&-")
    assert done.returncode == 2
