"""Freed memory is kept: a process that asks for it again pays no page faults."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from likeness.experiments.host_memory import keep_freed_memory
if sys.argv[1] == "kept" and not keep_freed_memory():
    sys.exit("not glibc")
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        bytearray(b"x") * (100 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


def faults(way):
    done = subprocess.run([sys.executable, "-c", PROGRAM, way], capture_output=True, text=True, check=False)
    if "not glibc" in done.stderr:
        pytest.skip("the C library is not glibc")
    return int(done.stdout)


@pytest.mark.slow
def test_the_second_time_costs_no_page_faults():
    assert faults("kept") < 100
    assert faults("given back") > 10_000
