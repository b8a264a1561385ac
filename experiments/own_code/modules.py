"""Modules of one's own: beside a config file or kept with a run, executed from source that was read once and is known.

They stand in nobody's way: a file beside a config is found only where nothing that is installed has its name.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import sysconfig
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from likeness.research.errors import UserError

OURS = "likeness"
"""The package that is Likeness."""


class ModuleSource(NamedTuple):
    """A module as a file."""

    data: bytes
    path: Path
    """Where it was read."""

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"


class KnownSource(importlib.abc.SourceLoader):
    """Executes a module from its source as it was read, and keeps that, so that what a run keeps is what it was made with."""

    def __init__(self, source: ModuleSource) -> None:
        self.source = source

    def get_filename(self, fullname: str) -> str:
        del fullname
        return str(self.source.path)

    def get_data(self, path: str) -> bytes:
        return self.source.data if str(path) == str(self.source.path) else Path(path).read_bytes()


def name_of(path: Path) -> tuple[str, Path]:
    """The name of a config file's module, and the folder from which it counts.

    A file in a package is one of its modules, so that its relative imports work.
    """
    path = path.absolute()
    for package, home in _homes().items():
        if path.resolve().is_relative_to(home):
            return ".".join((package, *path.resolve().relative_to(home).with_suffix("").parts)), home
    parts, folder = [path.stem.replace(".", "_")], path.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        parts.insert(0, folder.name)
        folder = folder.parent
    if len(parts) > 1 and not taken(parts[0]):
        return ".".join(parts), folder
    return parts[-1], path.parent


def offer(modules: Mapping[str, ModuleSource], needed: Collection[str]) -> None:
    """Makes modules that a run has kept importable, before all others of their names.

    Args:
        modules: all of them.
        needed: the names of those that must be had; of the others those are left out that are imported with other content.

    Raises:
        UserError: one that is needed is imported already, with other content.
    """
    for name in needed:
        check_same(name, modules[name])
    _install()
    for name, source in modules.items():
        if name in needed or (name not in sys.modules and name not in _KEPT):
            _KEPT[name] = source


def source_of(name: str, near: Path | None = None) -> ModuleSource | None:
    """The source of a module of one's own, loaded or to be found; nothing is imported.

    Args:
        name: of the module, in full.
        near: a folder in which it is looked for first.

    Returns:
        None for what is not there, has no source, is installed, or comes with Python or with Likeness.
    """
    top, _, below = name.partition(".")
    beside = None if near is None or taken(top) else importlib.machinery.PathFinder.find_spec(top, [str(near)])
    if beside is not None:
        for part in below.split(".") if below else ():
            inner = beside.submodule_search_locations
            beside = importlib.machinery.PathFinder.find_spec(f"{beside.name}.{part}", inner) if inner else None
            if beside is None:
                return None
        return _readable(beside.origin)
    if (module := sys.modules.get(name)) is not None:
        return known_source(module) or _readable(getattr(module, "__file__", None))
    if name in _KEPT:
        return _KEPT[name]
    if below:
        parent = name.rpartition(".")[0]
        above = sys.modules.get(parent)
        if above is not None:
            locations = list(getattr(above, "__path__", ()))
        else:
            within = source_of(parent)
            locations = [str(within.path.parent)] if within is not None and within.is_package else []
        spec = importlib.machinery.PathFinder.find_spec(name, locations) if locations else None
    else:
        spec = _elsewhere(name) or importlib.machinery.PathFinder.find_spec(name, _FOLDERS)
    return None if spec is None else _readable(spec.origin)


def taken(top: str) -> str | None:
    """Where a module lies that comes with Python, with Likeness or with an installed package; None where there is none."""
    if top in sys.builtin_module_names:
        return "part of Python"
    spec = _elsewhere(top)
    if spec is None or spec.origin is None:
        return None
    return spec.origin if spec.origin in ("built-in", "frozen") or is_foreign(Path(spec.origin)) else None


def is_foreign(path: Path) -> bool:
    """Whether a file comes with Python, with Likeness or with an installed package."""
    if is_ours(path) or {"site-packages", "dist-packages"} & set(path.parts):
        return True
    return any(path.is_relative_to(folder) or path.resolve().is_relative_to(folder) for folder in _python())


def is_ours(path: Path) -> bool:
    """Whether a file is one of Likeness."""
    return any(path.resolve().is_relative_to(home) for home in _homes().values())


@cache
def _homes() -> dict[str, Path]:
    """Where Likeness's packages lie: side by side in a checkout, one in another where it is installed."""
    packages = (OURS, *(f"{OURS}.{room}" for room in ("research", "experiments", "configs")))
    return {name: Path(importlib.import_module(name).__file__ or "").resolve().parent for name in packages}


@cache
def _python() -> tuple[Path, ...]:
    return tuple(Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib"))


_FOLDERS: list[str] = []
"""Of the configs that were loaded; the newest comes first."""
_KEPT: dict[str, ModuleSource] = {}
"""What runs have kept, by name."""


class _Within(importlib.abc.MetaPathFinder):
    """Finds what runs have kept, and what lies in packages beside a config."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del target
        if fullname in _KEPT:
            source = _KEPT[fullname]
            return importlib.util.spec_from_file_location(fullname, source.path, loader=KnownSource(source))
        if any(name.startswith(f"{fullname}.") for name in _KEPT):
            # A package without an __init__.py.
            spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = []
            return spec
        within = path is not None and any(Path(place).is_relative_to(folder) for place in path for folder in _FOLDERS)
        return _with_known_source(importlib.machinery.PathFinder.find_spec(fullname, path)) if within else None


class _Beside(importlib.abc.MetaPathFinder):
    """Finds what lies beside a config, when nothing else of its name was found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del target
        return _with_known_source(importlib.machinery.PathFinder.find_spec(fullname, _FOLDERS)) if path is None else None


_FINDERS = (_Within(), _Beside())


def _install() -> None:
    first, last = _FINDERS
    if first not in sys.meta_path:
        sys.meta_path.insert(0, first)
        sys.meta_path.append(last)


def search(*folders: Path) -> None:
    """Lets modules be found in folders, after everything that is installed."""
    _install()
    # A file that was written in this very second is not in the finders' lists yet.
    importlib.invalidate_caches()
    for folder in map(str, folders):
        if folder in _FOLDERS:
            _FOLDERS.remove(folder)
        _FOLDERS.insert(0, folder)


def _elsewhere(top: str) -> importlib.machinery.ModuleSpec | None:
    """What Python finds by itself, and not beside a config."""
    for finder in sys.meta_path:
        if finder not in _FINDERS and (spec := finder.find_spec(top, None)) is not None:
            return spec
    return None


def _with_known_source(spec: importlib.machinery.ModuleSpec | None) -> importlib.machinery.ModuleSpec | None:
    if spec is not None and spec.origin is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
        path = Path(spec.origin)
        # The directory that a command is typed in may hold Likeness's checkout, or an environment with packages.
        if is_foreign(path):
            return spec
        spec.loader = KnownSource(ModuleSource(path.read_bytes(), path))
    return spec


def known_source(module: ModuleType) -> ModuleSource | None:
    """What a module was executed from, where that is known."""
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return loader.source if isinstance(loader, KnownSource) else None


def _readable(origin: str | None) -> ModuleSource | None:
    path = Path(origin or "")
    if path.suffix != ".py" or not path.is_file() or is_foreign(path):
        return None
    return ModuleSource(path.read_bytes(), path)


def check_same(name: str, source: ModuleSource) -> None:
    """Refuses two modules of one name in one process.

    Raises:
        UserError: saying which.
    """
    module = sys.modules.get(name)
    if module is None and name not in _KEPT:
        return
    other = _KEPT[name] if module is None else known_source(module) or _readable(getattr(module, "__file__", None))
    if other is None or other.data != source.data:
        file = other.path if other is not None else getattr(module, "__file__", None) or "no file"
        how = "it was another one when it was imported" if file == source.path else f"there is another {name} in it, {file}"
        raise UserError(f"{source.path} cannot be used in this process, since {how}: start a new process.")
