"""Memory that a process has given back is asked for again at a price: this keeps it."""

import ctypes
import sys

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
"""As in glibc's ``malloc.h``."""


def keep_freed_memory() -> bool:
    """Has the C library keep large pieces of memory that are freed, for the next that asks for as much.

    A training step on a CPU asks for the same hundreds of MB again and again. By default glibc gives each large piece back to
    the system, which clears page after page when it is asked for again. PyTorch's own guide
    to tuning recommends another allocator for it. The process keeps the most memory that it has used. To be called
    before threads begin, for those that exist keep the rules that they were born with.

    Returns:
        Whether the C library is glibc and has agreed.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    # Other C libraries, such as musl, have no such function or other numbers.
    if not hasattr(libc, "gnu_get_libc_version") or not hasattr(libc, "mallopt"):
        return False
    most = 2**31 - 1
    # Arenas of threads, unlike the first, take pieces above 64 MB from the system each time, and XLA asks from its threads. But
    # all in the first wait for each other: compiling, and steps on small images, are slower for it. Two serve both.
    asked = ((_ARENA_MAX, 2), (_MMAP_THRESHOLD, 2**30), (_TRIM_THRESHOLD, most), (_TOP_PAD, 64 * 2**20))
    agreed = [libc.mallopt(parameter, value) for parameter, value in asked]
    return all(agreed)
