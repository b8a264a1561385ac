"""Packages whose names are imported when they are first asked for, so that printing a table does not wait for JAX."""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazily(package: str, names: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package (PEP 562).

    Args:
        package: its ``__name__``.
        names: what each of its modules offers there. Under ``TYPE_CHECKING`` the package imports the same names, for those who
            read it without running it; ``tests/test_house.py`` compares the two. None may be called as a module of the package:
            the import of that module would hide it.
    """
    homes = {name: module for module, offered in names.items() for name in offered}

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return find
