import subprocess
import sys
import time

import pytest

from likeness.experiments.distributed.watchdog import HUNG, Watchdog

_HANGS = """
import time
from likeness.experiments.distributed.watchdog import Watchdog

def waits_for_ever():
    time.sleep(60)

with Watchdog(0.5) as watchdog:
    watchdog.step(7)
    waits_for_ever()
"""


@pytest.mark.end_to_end
def test_a_process_that_hangs_says_where_and_ends():
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", _HANGS], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == HUNG
    assert time.monotonic() - began < 45
    assert "process 0 of 1 has hung for 0.5 seconds since step 7" in done.stderr
    assert "waits_for_ever" in done.stderr


@pytest.mark.end_to_end
def test_who_takes_steps_or_has_left_is_let_be():
    with Watchdog(0.4) as watchdog:
        for step in range(8):
            watchdog.step(step)
            time.sleep(0.1)
    time.sleep(0.6)
    with Watchdog(None):
        time.sleep(0.1)
