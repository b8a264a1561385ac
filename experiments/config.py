"""Configs: found by name or path, changed by flags, written down and read back.

A config is a Python file with ``get_config() -> Run``. Written down, a dataclass is ``{"type": "module.Class", field: value}``,
so that a run is rebuilt from its working directory without running the file again.
"""

import dataclasses
import difflib
import importlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, cast

from flax import linen as nn

from likeness.experiments.field_types import misfit
from likeness.experiments.own_code.classes import RunCode, class_of
from likeness.experiments.own_code.loading import load_file
from likeness.experiments.run import Run
from likeness.experiments.shipped import shipped
from likeness.research.data.paths import printable
from likeness.research.errors import UserError


def load(name: str) -> Run:
    """Loads a config by its shipped name or by the path of a Python file.

    Raises:
        UserError: when there is none of that name, or the file does not yield a :class:`~likeness.experiments.run.Run`; a
            misspelt field or class gets a suggestion.
    """
    module = module_of(name)
    get_config = getattr(module, "get_config", None)
    if get_config is None:
        raise UserError(f"The config {name} has no get_config(): define `def get_config() -> Run` in {module.__file__}.")
    try:
        run = get_config()
    except (TypeError, AttributeError, NameError, ValueError) as error:
        raise _explained(module.__file__, error) from error
    if not isinstance(run, Run):
        raise UserError(f"get_config() in {module.__file__} returned {type(run).__name__}: it must return a likeness.Run.")
    return run


def module_of(name: str) -> ModuleType:
    """The module of a config, by its shipped name or by the path of a Python file.

    Raises:
        UserError: there is none, or it cannot be executed.
    """
    if name.endswith(".py"):
        path = Path(name)
        if not path.is_file():
            raise UserError(f"There is no config file {path}: check the path, or see the shipped ones with `likeness configs`.")
        try:
            return load_file(path, path.read_bytes())
        except UserError:
            raise
        except Exception as error:
            raise _explained(str(path), error) from error
    names = shipped()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]}?" if close else "see `likeness configs`"
        raise UserError(f"There is no config {name!r}: {hint} A file of your own is given by its path, ending in .py.")
    return importlib.import_module(f"likeness.configs.{name.replace('/', '.')}")


def _explained(file: str | None, error: Exception) -> UserError:
    """Says what is wrong in a config file, with the nearest name that exists."""
    text, choices, wrong = str(error), [], None
    if match := re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", text):
        wrong = match[2]
        choices = _fields_of(match[1])
        text = f"{match[1]} has no field {wrong!r}"
    elif isinstance(error, AttributeError | ImportError) and getattr(error, "name", None):
        wrong = str(error.name) if isinstance(error, AttributeError) else text.split("'")[1]
        owner = error.obj if isinstance(error, AttributeError) else sys.modules.get(str(error.name))
        choices = dir(owner)
    elif isinstance(error, NameError):
        wrong = str(error.name)
        choices = _globals_of(file, error)
    close = difflib.get_close_matches(wrong, choices, n=1) if wrong else []
    line = _line_in(file, error)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return UserError(f"In the config {file}{line}: {text}.{hint}".replace("..", "."))


def _fields_of(class_name: str) -> list[str]:
    for module in list(sys.modules.values()):
        found = getattr(module, class_name, None)
        if isinstance(found, type) and dataclasses.is_dataclass(found):
            return [field.name for field in dataclasses.fields(found)]
    return []


def _line_in(file: str | None, error: Exception) -> str:
    lines = [trace.tb_lineno for trace in _traces(file, error)]
    return f", line {lines[-1]}" if lines else ""


def _globals_of(file: str | None, error: Exception) -> list[str]:
    traces = _traces(file, error)
    return list(traces[-1].tb_frame.f_globals) if traces else []


def _traces(file: str | None, error: Exception) -> list[TracebackType]:
    """Where an error passed through a file."""
    trace, found = error.__traceback__, []
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == Path(file or "").absolute():
            found.append(trace)
        trace = trace.tb_next
    return found


def to_json(value: Any) -> Any:
    """A config as JSON: dataclasses carry their type, tuples become lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        fields = {name: to_json(getattr(value, name)) for name in _fields(kind)}
        return {"type": f"{kind.__module__}.{kind.__qualname__}", **fields}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise UserError(
        f"A config holds a {type(value).__name__} ({value!r}), which cannot be written down: use numbers, text, tuples and "
        "frozen dataclasses."
    )


def _fields(kind: Any) -> list[str]:
    # Flax adds these two to every module; they say where it sits, and not what it is.
    left_out = ("parent", "name") if issubclass(kind, nn.Module) else ()
    return [field.name for field in dataclasses.fields(kind) if field.init and field.name not in left_out]


def from_json(value: Any, code: RunCode | None = None) -> Any:
    """Rebuilds what :func:`to_json` wrote.

    Args:
        value: what was written.
        code: that the run keeps to which it belongs; None for no run.

    Raises:
        UserError: when a type is not a dataclass of Likeness or of code that the user has said yes to, or has other fields by
            now.
    """
    if isinstance(value, list):
        return tuple(from_json(item, code) for item in value)
    if not isinstance(value, dict):
        return value
    kind = class_of(str(value.get("type", "")), code)
    fields = {name: from_json(item, code) for name, item in value.items() if name != "type"}
    try:
        if unknown := sorted(set(fields) - set(_fields(kind))):
            raise TypeError(f"it has no field {unknown[0]!r}")
        if wrong := misfit(kind, fields):
            raise TypeError(wrong)
        return cast(Any, kind)(**fields)
    # What a class's own checks make of values that nobody foresaw is anything.
    except Exception as error:
        why = printable(" ".join(str(error).split()))[:300] or type(error).__name__
        raise UserError(
            f"The written config does not fit {value['type']} ({why}): use the version of the code that wrote it, or restore "
            "config.json."
        ) from error


def describe_changes(before: Any, after: Any, path: str = "") -> list[str]:
    """One line for each field in which two written configs differ."""
    if isinstance(before, dict) and isinstance(after, dict) and before.get("type") == after.get("type"):
        lines = []
        for name in dict.fromkeys([*before, *after]):
            below = f"{path}.{name}" if path else name
            lines += describe_changes(before.get(name), after.get(name), below)
        return lines
    return [] if before == after else [f"{path}: {_brief(before)} → {_brief(after)}"]


def _brief(value: Any) -> str:
    text = str(value["type"]).rpartition(".")[2] if isinstance(value, dict) and "type" in value else json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
