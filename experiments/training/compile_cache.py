"""Compiled programs kept for the next launch by JAX's persistent compilation cache: set by commands before JAX is imported."""

import hashlib
import os
import platform
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMIT = 1 << 30
"""Bytes that the programs may take; those not used for longest go first."""

_ENTRY, _TIME = "-cache", "-atime"


def keep_programs(warn: Callable[[str], None]) -> None:
    """Chooses where compiled programs are kept, unless the environment says so already or says not to.

    ``$LIKENESS_CACHE/compiled``, else ``~/.cache/likeness/compiled``; below it a folder for each kind of processor, since a
    program made for one may crash on another of the same home directory. ``JAX_COMPILATION_CACHE_DIR`` chooses another place,
    ``JAX_ENABLE_COMPILATION_CACHE=false`` none. Child processes inherit the choice. Of several processes of one run, JAX
    lets the first one write.

    Where nothing can be kept this warns, and programs are compiled anew: no run fails for it. Whoever can write there could run
    code as this user, so a folder that is not this user's alone is not used.
    """
    _tell_once(warn)
    if os.environ.get("JAX_COMPILATION_CACHE_DIR") or not _wanted():
        return
    root = Path(os.path.expandvars(os.environ.get("LIKENESS_CACHE") or "~/.cache/likeness"))
    try:
        folder = root.expanduser() / "compiled" / processor()
        _make(folder)
        mend(folder)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        warn(f"{root / 'compiled'} cannot keep compiled programs ({reason}), {_THEN}.")
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(LIMIT))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


_THEN = (
    "so each launch compiles anew: set LIKENESS_CACHE or JAX_COMPILATION_CACHE_DIR to a folder of your own, or "
    "JAX_ENABLE_COMPILATION_CACHE=false"
)


def _wanted() -> bool:
    return os.environ.get("JAX_ENABLE_COMPILATION_CACHE", "true").lower() not in ("0", "false", "f", "no", "n", "off")


def processor() -> str:
    """Names the kind of this machine's processor by what XLA looks at when it compiles for it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    # The same of every core but for its number and speed.
    told = sorted(
        {line for line in lines if line.partition("\t")[0].strip() in ("model name", "flags", "Features", "CPU part")}
    )
    kind = "\n".join([platform.machine(), platform.processor(), *told])
    return f"{platform.machine()}-{hashlib.sha256(kind.encode()).hexdigest()[:12]}"


def _make(folder: Path) -> None:
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    for made in (folder.parent, folder):
        made.mkdir(mode=0o700, exist_ok=True)
        status = made.stat()
        if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
            raise RuntimeError(f"others can write into {made}")
    probe = folder / f".probe-{os.getpid()}"
    probe.write_bytes(b"0")
    probe.unlink()


def mend(folder: Path, *, older_than: float = 60.0) -> None:
    """Takes out what a process left that was killed, or found the disk full, while it wrote a program.

    JAX writes a program and then when it was used last. One without the other would be read in vain in each launch, never
    written again, and keep JAX from writing any other.
    """
    for entry in folder.glob(f"*{_ENTRY}"):
        used = entry.with_name(entry.name.removesuffix(_ENTRY) + _TIME)
        try:
            if not used.exists() and time.time() - entry.stat().st_mtime > older_than:
                entry.unlink()
        except FileNotFoundError:
            # Another process has been here too.
            continue


def _tell_once(warn: Callable[[str], None]) -> None:
    """What JAX tells of a cache that it cannot use, anew for each program, is told once, in one line."""
    before: Any = warnings.showwarning
    told = False

    def show(message: Any, category: Any, filename: Any, lineno: Any, file: Any = None, line: Any = None) -> None:
        nonlocal told
        if "persistent compilation cache" not in str(message):
            before(message, category, filename, lineno, file, line)
        elif not told:
            told = True
            warn(f"{' '.join(str(message).split())[:300]}, {_THEN}.")

    warnings.showwarning = show
