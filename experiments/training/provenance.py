"""Where a run came from: code, versions, devices, command, seed and data."""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

import likeness
from likeness.experiments.fingerprints import Fingerprints
from likeness.experiments.own_code import Code

_PACKAGES = (
    "likeness-jax",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "grain",
    "numpy",
    "tensorflow-datasets",
)
_NO_CHECKOUT = "not a git checkout"


def provenance(seed: int, inputs: Fingerprints, code: Code) -> dict[str, Any]:
    """What ``provenance.json`` says. ``git`` is Likeness's own revision; that of the user's code stands beside the code.

    Args:
        seed: of the run.
        inputs: fingerprints of everything that was read.
        code: of one's own, that it is made with.
    """
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "git": own_revision(),
        "versions": {"python": platform.python_version(), **versions},
        "code": _described(code) if code else None,
        "devices": [f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()],
        "processes": jax.process_count(),
        "cpus": os.cpu_count(),
        "argv": sys.argv,
        "seed": seed,
        "data": inputs.digest,
        "inputs": inputs.to_json(),
    }


def own_revision(file: Path = Path(likeness.__file__)) -> str:
    """Likeness's git revision, where it is used from a checkout of its own.

    Args:
        file: the door's, one folder below the root of such a checkout. Installed into a repository of somebody else's, or
            copied there, it has no revision of its own.
    """
    top = _git(file.parent, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != file.resolve().parents[1]:
        return _NO_CHECKOUT
    # Below a repository's root there may also be an environment into which it was installed.
    if _git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return _NO_CHECKOUT
    return _revision(file.parent)


def _described(code: Code) -> dict[str, Any]:
    folders = dict.fromkeys(source.path.parent for source in code.modules.values())
    tops = dict.fromkeys(_git(folder, "rev-parse", "--show-toplevel") for folder in folders)
    return {
        "digest": code.digest,
        "files": {place: str(source.path) for place, source in code.files.items()},
        "git": {top: _revision(Path(top)) for top in tops if top is not None},
        "installed": list(code.installed),
    }


def _revision(folder: Path) -> str:
    revision = _git(folder, "rev-parse", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if revision is None or changed is None:
        return _NO_CHECKOUT
    return revision + (" with uncommitted changes" if changed else "")


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers; None where it refuses, or is not there."""
    # A hook or another git command that has called us says by its environment where its own repository is.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, env=environment)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()
