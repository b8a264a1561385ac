"""A process ends when it is asked to, whatever a thread of it still compiles."""

import subprocess
import sys
import time

import pytest

ENDS = """
import threading, time
from likeness.experiments.training.interruption import AHEAD, leave
print("the last word", end="")
threading.Thread(target=time.sleep, args=({seconds},), name=AHEAD).start()
leave({code})
"""


def ending(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("code", [0, 75])
def test_nothing_is_waited_for_and_no_word_is_lost(code: int) -> None:
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", ENDS.format(seconds=60, code=code)], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "the last word", "")
    assert time.monotonic() - began < 45


def test_where_nothing_is_compiled_python_ends_as_always() -> None:
    at_exit = "import atexit; atexit.register(print, 'cleaned up')" + ENDS.format(seconds=0, code=3).replace("start()", "run()")
    ended = ending(at_exit)
    assert (ended.returncode, ended.stdout) == (3, "the last wordcleaned up\n")
