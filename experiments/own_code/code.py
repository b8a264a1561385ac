"""The code of one's own that a run is made with: its config file, the modules of its classes, and what those import."""

import ast
import contextlib
import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from likeness.experiments.own_code.modules import OURS, ModuleSource, name_of, source_of, taken
from likeness.research.errors import UserError

LIMIT = 16 << 20
"""Bytes of source that a run keeps."""

_BROUGHT = ("builtins", "flax", "jax", "optax")
"""Packages whose classes Likeness itself has loaded."""


@dataclasses.dataclass(frozen=True)
class Code:
    """Modules of one's own, by their full names, and which installed modules classes of the config come from."""

    modules: Mapping[str, ModuleSource] = dataclasses.field(default_factory=dict)
    installed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What cannot be found again, in sentences."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all names and contents; not of where they were."""
        return hashlib.sha256(json.dumps([self.checksums, sorted(self.installed)], sort_keys=True).encode()).hexdigest()

    @property
    def checksums(self) -> dict[str, str]:
        """SHA-256 of each file, by its place among those of the code."""
        return {place: hashlib.sha256(source.data).hexdigest() for place, source in self.files.items()}

    @property
    def files(self) -> dict[str, ModuleSource]:
        """The modules by where their files lie below the folder of the code."""
        return {f"{name.replace('.', '/')}{_ending(source)}": source for name, source in sorted(self.modules.items())}

    def __bool__(self) -> bool:
        return bool(self.modules or self.installed)


def _ending(source: ModuleSource) -> str:
    return "/__init__.py" if source.is_package else ".py"


def own_code(run: Any, config: str | Path | None = None) -> Code:
    """What a run is made with that neither comes with Likeness nor is installed.

    Args:
        run: a config: a frozen dataclass.
        config: the file that it was read from, of one's own.

    Raises:
        UserError: a class is no longer the one of its module, or there is too much code.
    """
    starts: dict[str, ModuleSource] = {}
    installed, warnings = set(), []
    for kind in dict.fromkeys(_classes(run)):
        module = kind.__module__
        top = module.partition(".")[0]
        if top == OURS or top in _BROUGHT:
            continue
        if top == "__main__" or "<locals>" in kind.__qualname__:
            warnings.append(
                f"{kind.__qualname__} is defined in {'a notebook or script' if top == '__main__' else 'a function'}, where it "
                "cannot be found again: what is trained can be used in this process only. Define it in a module of its own, "
                "at the top."
            )
            continue
        if _attribute(module, kind.__qualname__) is not kind:
            raise UserError(
                f"{module}.{kind.__qualname__} was loaded anew since the config was made, which holds the class as it was "
                "before: make the config again."
            )
        if (source := source_of(module)) is not None:
            starts[module] = source
        else:
            installed.add(module)
    if config is not None and str(config).endswith(".py"):
        name, _ = name_of(Path(config))
        if (source := source_of(name)) is not None:
            starts[name] = source
    found = closure(starts)
    if (size := sum(len(source.data) for source in found.values())) > LIMIT:
        raise UserError(
            f"The config brings in {size:,} bytes of code of your own, and a run keeps at most {LIMIT:,}: put data into files "
            "that are not Python's."
        )
    return Code(found, tuple(sorted(installed)), tuple(warnings))


def closure(starts: Mapping[str, ModuleSource], near: Path | None = None) -> dict[str, ModuleSource]:
    """Modules, their packages and all modules of one's own that they import anywhere, be it in a function, and so on.

    Args:
        starts: the first ones, by name.
        near: a folder in which modules are looked for before those that are loaded.

    Raises:
        UserError: one imports a module that is both near and installed.
    """
    found: dict[str, ModuleSource] = {}
    waiting = list(starts.items())
    while waiting:
        name, source = waiting.pop()
        if name in found:
            continue
        found[name] = source
        for other in [*_packages(name), *_imported(name, source)]:
            # What lies elsewhere was never meant to get its modules from here.
            if near is not None and source.path.is_relative_to(near):
                _check_clear(other, near, source)
            if other not in found and (one := source_of(other, near)) is not None:
                waiting.append((other, one))
    return found


def closure_of(name: str, code: Code) -> set[str]:
    """The names of a kept module and of those that it needs, among what is kept with it."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one in code.modules and one not in found:
            found.add(one)
            waiting += [*_packages(one), *_imported(one, code.modules[one])]
    return found


def _check_clear(name: str, near: Path, asked: ModuleSource) -> None:
    top = name.partition(".")[0]
    beside = next((path for path in (near / f"{top}.py", near / top / "__init__.py") if path.is_file()), None)
    if beside is not None and top != OURS and (place := taken(top)) and Path(place) != beside:
        raise UserError(
            f"{asked.path} imports {top}, which is the name of {beside} and of another module ({place}); the latter is what "
            "Python takes. Give the file beside it another name."
        )


def _classes(value: Any) -> Iterator[type]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        for field in dataclasses.fields(value):
            if field.init:
                yield from _classes(getattr(value, field.name, None))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _classes(item)


def _attribute(module: str, qualified: str) -> Any:
    value: Any = sys.modules.get(module)
    for name in qualified.split("."):
        value = getattr(value, name, None)
    return value


def _packages(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def _parsed(source: bytes) -> ast.Module:
    # Python 3.11 counts how deep the trees of all threads are in one number, and raises SystemError where another thread makes
    # one at the same time, as a thread that prints a traceback does.
    for _ in range(9):
        with contextlib.suppress(SystemError):
            return ast.parse(source)
    return ast.parse(source)


def _imported(name: str, source: ModuleSource) -> Iterable[str]:
    """All that a module may import, in full; an attribute may be among it."""
    try:
        tree = _parsed(source.data)
    except (SyntaxError, ValueError):
        # Who executes it is told.
        return []
    package = name if source.is_package else name.rpartition(".")[0]
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*filter(None, above), *([node.module] if node.module else [])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names if base and alias.name != "*")]
    return [one for each in dict.fromkeys(filter(None, names)) for one in [*_packages(each), each]]
