"""The class that a written config names. Reading a config imports nothing but Likeness and what the user has said yes to."""

import dataclasses
import functools
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from flax import linen as nn

from likeness.experiments.own_code.code import Code, closure_of
from likeness.experiments.own_code.keeping import folder_of, kept
from likeness.experiments.own_code.modules import OURS, check_same, is_foreign, is_ours, offer
from likeness.experiments.own_code.trust import is_trusted
from likeness.research.errors import UserError


class RunCode:
    """The code that a working directory keeps, which is read when a class of it is asked for.

    Args:
        root: the working directory.
        digest: of a version of the code; None for the newest.
    """

    def __init__(self, root: Path, digest: str | None = None) -> None:
        self.root = root
        self._digest = digest

    @functools.cached_property
    def code(self) -> Code:
        """See :func:`~likeness.experiments.own_code.keeping.kept`."""
        return kept(self.root, self._digest)

    @property
    def trusted(self) -> bool:
        """Whether it may be executed."""
        return is_trusted(self.root, self.code.digest)


def class_of(written: str, run: RunCode | None = None) -> type:
    """The class of a name such as ``likeness.research.losses.metric.triplet.Triplet``.

    It is one of Likeness's own; or of a module that is loaded, since the user has imported it or named the config that does; or
    of the code that the run keeps, where that is trusted. No other module is imported.

    Args:
        written: the class's module and qualified name.
        run: the code of the run whose config names it; None for a config of no run.

    Raises:
        UserError: it is none of these, or no dataclass.
    """
    parts = written.split(".")
    if len(parts) < 2 or not all(parts):
        raise UserError(f"The written config names {written!r}, which is no class of a module: the file was tampered with.")
    for length in range(len(parts) - 1, 0, -1):
        name, inner = ".".join(parts[:length]), parts[length:]
        module = _module(name, run)
        if module is not None:
            return _checked(written, module, inner)
    raise _unknown(written, run)


def _module(name: str, run: RunCode | None) -> ModuleType | None:
    if name.partition(".")[0] == OURS:
        module = _imported(name)
        return module if module is not None and is_ours(Path(module.__file__ or "")) else None
    if run is not None and name in run.code.modules:
        return _of_run(name, run)
    if name in sys.modules:
        return sys.modules[name]
    # Of a run that keeps no code, a yes to it is one to what it names.
    yes = run is not None and run.trusted and (name in run.code.installed or not run.code)
    return _imported(name) if yes else None


def _imported(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Of a class in a class, the longest of the names is no module.
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            return None
        raise


def _of_run(name: str, run: RunCode) -> ModuleType:
    """A module that the run keeps: as the user has loaded it, when it is the very same, else as it is kept."""
    code = run.code
    needed = closure_of(name, code)
    for other in needed:
        check_same(other, code.modules[other])
    if name in sys.modules:
        return sys.modules[name]
    if not run.trusted:
        raise _untrusted(run)
    offer(dict(code.modules), needed)
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise UserError(
            f"The module {name}, which the run was made with, cannot be imported from {code.modules[name].path} "
            f"({type(error).__name__}: {error}): what it needs must be installed, in the version that it was written for."
        ) from error


def _checked(written: str, module: ModuleType, inner: list[str]) -> type:
    kind: Any = module
    for name in inner:
        # Asked for by getattr, a module may run code.
        kind = vars(kind).get(name) if isinstance(kind, ModuleType | type) else None
    if not isinstance(kind, type) or not dataclasses.is_dataclass(kind):
        raise UserError(
            f"The written config names {written!r}, which is not a dataclass: the file was tampered with, or it was written by "
            "another version of the code."
        )
    # Whoever has only loaded a module has not said that everything in it may be called.
    frozen: Any = issubclass(kind, nn.Module) or kind.__dataclass_params__.frozen  # pyright: ignore[reportAttributeAccessIssue]
    if kind.__module__ != module.__name__ or (not frozen and is_foreign(Path(getattr(module, "__file__", None) or ""))):
        raise UserError(f"The written config names {written!r}, which is no class of a config: the file was tampered with.")
    return kind


def _unknown(written: str, run: RunCode | None) -> UserError:
    if run is not None and any(written.startswith(f"{name}.") for name in run.code.installed) and not run.trusted:
        return _untrusted(run)
    module = written.rpartition(".")[0]
    return UserError(
        f"The written config names {written!r}, which is none of Likeness's classes and of no module that is loaded; a module "
        f"is not imported because a file says so. If it is yours, or you trust it, import {module} in Python before you read "
        "the run, or put it where Python finds it (PYTHONPATH) and say --trust-code; else use the version of the code that "
        "wrote the config."
    )


def _untrusted(run: RunCode) -> UserError:
    root, code = run.root, run.code
    files = ", ".join(list(code.files)[:5]) + (", …" if len(code.files) > 5 else "")
    installed = f", and imports {', '.join(code.installed)}" if code.installed else ""
    return UserError(
        f"{root} was made with code that does not come with Likeness and that you have not trained with on this machine: "
        "reading the run would execute it, and it could do whatever you can. It is in "
        f"{folder_of(root, code)} ({files}){installed}. Read it, and if you trust it say so with --trust-code (in Python: "
        "likeness.experiments.own_code.trust_code, given the working directory), or import its modules yourself before you "
        "read the run."
    )
