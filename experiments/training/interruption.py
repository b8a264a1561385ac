"""How an orderly stop is told to who launched the run, and how a process ends. Imports no JAX, since the command line waits."""

import contextlib
import os
import sys
import threading
from typing import NoReturn

__all__ = ["AHEAD", "Interrupted", "leave"]

AHEAD = "next stage"
"""Name of the thread that makes the next stage of a run ready."""


class Interrupted(Exception):
    """The run stopped on request and can go on; the command line exits with 75, "try again later"."""


def leave(code: int) -> NoReturn:
    """Ends the process with this exit code, also while a stage is compiled that no longer comes.

    A compilation hears no signal and takes up to minutes. Python would wait for its end after the last word is said, and who
    stops a job on a cluster does not.
    """
    if any(thread.name == AHEAD for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)
