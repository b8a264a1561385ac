"""Packages whose names are imported when they are first asked for, so that printing a table does not wait for JAX."""

import difflib
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
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
            raise no_attribute(package, name, homes)
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return find


def no_attribute(package: str, name: str, names: Iterable[str]) -> AttributeError:
    """What is raised for a name that a package has not, with the nearest one that it has."""
    close = difflib.get_close_matches(name, names, n=1)
    hint = f": did you mean {close[0]!r}?" if close else ""
    # A notebook would suggest nothing, and the interpreter, told the package, something that is imported already.
    return AttributeError(f"module {package!r} has no attribute {name!r}{hint}", name=name, obj=None)
