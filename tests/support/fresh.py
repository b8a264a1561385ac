"""What a refusal costs, in a process that has done nothing else: no memory of an earlier test hides it."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

SECONDS, MEGABYTES = 2, 300
MEASURABLE = Path("/proc/self/clear_refs").exists()
"""The peak of memory is asked of Linux."""

_PROGRAM = """
import pathlib, re, sys, time
from likeness.research.errors import UserError
{imports}

def kilobytes(what):
    return int(re.search(what + r":\\s*(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])

for read in {readers}:
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before, started = kilobytes("VmRSS"), time.perf_counter()
    try:
        read(sys.argv[1])
        said = "it is read"
    except UserError as error:
        said = str(error)
    print(f"{{time.perf_counter() - started}}|{{(kilobytes('VmHWM') - before) / 1024}}|{{said}}")
"""


class LossOutput(NamedTuple):
    """Of a reader that was given a file."""

    seconds: float
    megabytes: float
    """Above what the process had before, at most."""
    said: str


def costs(imports: str, readers: str, path: Path) -> list[LossOutput]:
    """Gives a file to each of the readers and prints what it cost.

    Args:
        imports: lines of Python.
        readers: a list of functions of a path, in Python.
        path: of the file.
    """
    program = _PROGRAM.format(imports=imports, readers=readers)
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program, str(path)]
    out = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=300).stdout
    found = []
    for line in out.splitlines():
        seconds, megabytes, said = line.split("|", 2)
        found.append(LossOutput(float(seconds), float(megabytes), said))
        print(
            f"{path.name}, {path.stat().st_size / 1e6:.2f} MB: {found[-1].seconds:.2f} s, {found[-1].megabytes:.0f} MB; {said}"
        )
    return found
