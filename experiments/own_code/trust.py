"""Whose code may be executed: what this user has trained with on this machine, and what was said yes to.

A run of somebody else keeps code of somebody else. As direnv does with what a directory brings along, such code is executed
only when the user has said so. It is known by its digest, so that what was changed is asked about again.
"""

import os
import stat
from pathlib import Path

from likeness.research.errors import UserError
from likeness.research.files import cannot_write

_ALLOWED: set[Path] = set()


def trust_code(workdir: str | Path) -> None:
    """Lets this process execute the code that a working directory keeps, whoever has written it.

    Args:
        workdir: of a run. Read the files below its ``code`` first: they can do whatever you can.
    """
    _ALLOWED.add(Path(workdir).resolve())


def is_trusted(workdir: Path, digest: str) -> bool:
    """Whether the code of a working directory may be executed."""
    return workdir.resolve() in _ALLOWED or digest in _known()


def known_place() -> Path:
    """The file of the digests: ``$XDG_STATE_HOME/likeness/trusted``, else ``~/.local/state/likeness/trusted``."""
    home = os.environ.get("XDG_STATE_HOME")
    root = Path(home) if home and Path(home).is_absolute() else Path.home() / ".local" / "state"
    return root / "likeness" / "trusted"


def remember(digest: str) -> None:
    """Notes that this user trains with some code.

    Raises:
        UserError: it cannot be written down.
    """
    if digest in _known():
        return
    try:
        path = known_place()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One short line in one write, to the end: whoever else writes at the same time cannot cut it.
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            if not _private(os.fstat(file)):
                raise UserError(f"{path} can be written by others, so nothing in it counts: remove it.")
            os.write(file, f"{digest}\n".encode())
        finally:
            os.close(file)
    except OSError as error:
        raise cannot_write(Path(error.filename or "~/.local/state"), error) from error
    except RuntimeError as error:
        raise UserError(f"There is no home directory to keep it in ({error}): set XDG_STATE_HOME.") from error


def _known() -> frozenset[str]:
    try:
        path = known_place()
        with path.open("rb") as file:
            return (
                frozenset(file.read().decode("ascii", "replace").split()) if _private(os.fstat(file.fileno())) else frozenset()
            )
    except (OSError, RuntimeError):
        return frozenset()


def _private(status: os.stat_result) -> bool:
    # What others can write says nothing of what this user trusts.
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022
