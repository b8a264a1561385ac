"""Whether what a written config gives a field is of the field's type."""

import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Union


def misfit(kind: type, fields: Mapping[str, Any]) -> str | None:
    """The first field whose value is of another type than the dataclass says, in words; None where all fit.

    Annotations are read as far as JSON can tell values apart: numbers, text, truth values, nothing, tuples of these, choices,
    and objects.

    Args:
        kind: the dataclass.
        fields: values by the name of the field.
    """
    try:
        hints = typing.get_type_hints(kind)
    # A name that only the type checker knows: nothing can be said.
    except Exception:
        return None
    for name, value in fields.items():
        if name in hints and not fits(value, hints[name]):
            return f"{name} is {_shown(value)}, and {_named(hints[name])} is expected"
    return None


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of an annotated type, as far as can be told."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in inner)
    if origin is Literal:
        return any(value == each and type(value) is type(each) for each in inner)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(inner) == 2 and inner[1] is Ellipsis:
            return all(fits(each, inner[0]) for each in value)
        return len(value) == len(inner) and all(map(fits, value, inner))
    if hint is None or hint is type(None):
        return value is None
    if hint in (int, float, str, bool):
        number = isinstance(value, int) and not isinstance(value, bool)
        return type(value) is hint or (hint is float and number) or (hint is int and number)
    if not isinstance(hint, type) or hint.__module__ == "builtins":
        return True
    # A stranger's class may do for one of ours; one of ours for another does not.
    if _plain(value):
        return False
    told = not getattr(hint, "_is_protocol", False) or getattr(hint, "_is_runtime_protocol", False)
    return not told or not _ours(hint) or not _ours(type(value)) or isinstance(value, hint)


def _ours(kind: type) -> bool:
    return kind.__module__.split(".")[0] == "likeness"


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, int | float | str | tuple)


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value) if _plain(value) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


def _named(hint: Any) -> str:
    return getattr(hint, "__name__", str(hint)) if typing.get_origin(hint) is None else str(hint).replace("typing.", "")
