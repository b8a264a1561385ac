"""The checks that a loss makes of its own fields when it is built."""

import numbers
from collections.abc import Sequence
from typing import Any, get_args


def check_finite_nonnegative(owner: str, field: str, value: Any) -> None:
    """Raise ValueError unless the field holds a finite number that is at least 0."""
    if not (_is_number(value) and 0.0 <= value < float("inf")):
        raise ValueError(f"{owner}({field}={value!r}): {field} must be a finite number, at least 0. Give {field}=0.2, say.")


def check_finite_positive(owner: str, field: str, value: Any) -> None:
    """Raise ValueError unless the field holds a finite number above 0."""
    if not (_is_number(value) and 0.0 < value < float("inf")):
        raise ValueError(f"{owner}({field}={value!r}): {field} must be a finite number above 0. Give {field}=1.0, say.")


def check_count(owner: str, field: str, value: Any, *, least: int = 1) -> None:
    """Raise ValueError unless the field holds a whole number that is at least so large."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{owner}({field}={value!r}): {field} must be at least {least}, a whole number.")


def check_choice(owner: str, field: str, value: Any, choices: Any) -> None:
    """Raise ValueError unless the field holds one of the values of a Literal type."""
    allowed: Sequence[str] = get_args(choices)
    if value not in allowed:
        names = ", ".join(repr(choice) for choice in allowed)
        raise ValueError(f"{owner}({field}={value!r}): {field} must be one of {names}.")


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) or getattr(value, "ndim", None) == 0
