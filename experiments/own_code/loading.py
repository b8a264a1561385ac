"""Executes a config file that the user has named."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from likeness.experiments.own_code.code import closure
from likeness.experiments.own_code.modules import (
    KnownSource,
    ModuleSource,
    check_same,
    is_ours,
    known_source,
    name_of,
    search,
    taken,
)
from likeness.research.errors import UserError


def load_file(path: Path, data: bytes) -> ModuleType:
    """Executes a config file. Its neighbours can be imported, and what lies in the current directory, as from a script.

    Raises:
        UserError: its name, or that of a neighbour that is imported, is another module's.
    """
    name, folder = name_of(path)
    top = name.partition(".")[0]
    if place := taken(top):
        if is_ours(path):
            return importlib.import_module(name)
        raise UserError(
            f"The config {path} has the name of another module, {top} ({place}), and would stand for it: give the file another "
            "name."
        )
    source = ModuleSource(data, path.absolute())
    search(Path.cwd(), path.parent.absolute(), folder)
    for other, one in closure({name: source}, near=path.parent.absolute()).items():
        if other != name:
            check_same(other, one)
    loaded = sys.modules.get(name)
    if loaded is not None and known_source(loaded) == source:
        return loaded
    parent, _, child = name.rpartition(".")
    package = importlib.import_module(parent) if parent else None
    spec = importlib.util.spec_from_file_location(name, path.absolute(), loader=KnownSource(source))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if loaded is None:
            del sys.modules[name]
        else:
            sys.modules[name] = loaded
        raise
    if package is not None:
        setattr(package, child, module)
    return module
