"""Keeps a process on a few cores. It imports no library that counts them."""

import os

from likeness.research.errors import UserError


def pin(threads: int) -> None:
    """Keeps this process, and every thread pool made from now on, on the first cores it may use.

    Libraries count the cores when they are imported, NumPy too, so it comes before that.

    Raises:
        UserError: there are fewer cores.
    """
    allowed = sorted(os.sched_getaffinity(0))
    check_threads(threads)
    os.sched_setaffinity(0, allowed[:threads])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)


def check_threads(threads: int) -> None:
    """Refuses more threads than there are cores.

    Raises:
        UserError: naming how many there are.
    """
    cores = len(os.sched_getaffinity(0))
    if not 1 <= threads <= cores:
        raise UserError(f"--threads {threads}: this process may use {cores} core(s). Ask for 1 to {cores}.")
