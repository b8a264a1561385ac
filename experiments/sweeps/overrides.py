"""Sweeps: which runs to make of one, as plain values.

A config file may have ``sweep()`` beside ``get_config()``. It returns overrides, each a mapping from the dotted path of a
field to a value, such as ``{"optimizer.schedule.peak_lr": 1e-3, "seed": 1}``; each is one run.
"""

import dataclasses
import difflib
import itertools
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from flax import linen as nn

from likeness.experiments.run import Run
from likeness.research.errors import UserError

Override: TypeAlias = Mapping[str, Any]
"""What one run of a sweep has otherwise: values by the dotted paths of fields; a number stands for a place in a tuple."""
Overrides: TypeAlias = tuple[Override, ...]


class NoSuchField(UserError):
    """An override names a field that is none.

    Attributes:
        what: the first half of the message, without the hint.
        path: up to the first part that is none, as the override has it.
    """

    def __init__(self, what: str, hint: str, path: str) -> None:
        super().__init__(f"{what}: {hint}")
        self.what, self.path = what, path


_SIGNIFICANT = 4
_LONGEST_NAME = 120


class Distribution(Protocol):
    """What :func:`sample` draws from: the values that uniform numbers in [0, 1) stand for."""

    def values(self, uniform: np.ndarray) -> list[Any]: ...


@dataclasses.dataclass(frozen=True)
class Uniform:
    """Every number between two is as likely."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"Uniform({self.low}, {self.high}): give the smaller bound first")

    def values(self, uniform: np.ndarray) -> list[float]:
        return [_rounded(self.low + (self.high - self.low) * u) for u in uniform]


@dataclasses.dataclass(frozen=True)
class LogUniform:
    """Every order of magnitude between two numbers is as likely, as suits a learning rate."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise ValueError(f"LogUniform({self.low}, {self.high}): give two numbers above 0, the smaller first")

    def values(self, uniform: np.ndarray) -> list[float]:
        return [_rounded(self.low * math.exp(u * math.log(self.high / self.low))) for u in uniform]


@dataclasses.dataclass(frozen=True)
class Choice:
    """Each of some values is as likely."""

    of: Sequence[Any]

    def __post_init__(self) -> None:
        if not self.of:
            raise ValueError("Choice has nothing to choose from: give it one value or more")

    def values(self, uniform: np.ndarray) -> list[Any]:
        return [self.of[int(u * len(self.of))] for u in uniform]


def _rounded(value: float) -> float:
    # What a name and a table can show in full.
    return float(f"{value:.{_SIGNIFICANT}g}")


def product(*factors: Mapping[str, Sequence[Any]] | Sequence[Override]) -> Overrides:
    """Every combination, the last factor's fastest.

    Args:
        factors: values by path, or overrides that another function made.

    Example:
        >>> product({"optimizer.schedule.peak_lr": (1e-3, 3e-3), "seed": (0, 1)})[1]
        {'optimizer.schedule.peak_lr': 0.001, 'seed': 1}
        >>> len(product(zip_({"steps": (100, 200), "log_every": (10, 20)}), {"seed": range(3)}))
        6
    """
    axes: list[Sequence[Override]] = []
    for factor in factors:
        if isinstance(factor, Mapping):
            axes += [[{path: value} for value in values] for path, values in factor.items()]
        else:
            axes.append(tuple(factor))
    combined = []
    for parts in itertools.product(*axes):
        paths = [path for part in parts for path in part]
        if len(set(paths)) < len(paths):
            raise UserError(f"A sweep sets {max(paths, key=paths.count)!r} twice in one run: leave one of the two out.")
        combined.append({path: value for part in parts for path, value in part.items()})
    return tuple(combined)


def zip_(over: Mapping[str, Sequence[Any]]) -> Overrides:
    """The first values of all paths together, then the second, and so on.

    Raises:
        UserError: the paths have not as many values each.

    Example:
        >>> zip_({"steps": (100, 200), "log_every": (10, 20)})
        ({'steps': 100, 'log_every': 10}, {'steps': 200, 'log_every': 20})
    """
    if len({len(values) for values in over.values()}) > 1:
        counts = ", ".join(f"{path} has {len(values)}" for path, values in over.items())
        raise UserError(f"zip_ goes through all its lists at once, and they are not equally long: {counts} values.")
    return tuple(dict(zip(over, values, strict=True)) for values in zip(*over.values(), strict=True))


def sample(count: int, seed: int, over: Mapping[str, Distribution]) -> Overrides:
    """Draws at random, each path for itself: more draws, or another path, leave the first draws as they are.

    Numbers are rounded to four significant digits.

    Example:
        >>> drawn = sample(3, 0, {"optimizer.schedule.peak_lr": LogUniform(1e-4, 1e-2), "optimizer.b1": Choice((0.5, 0.9))})
        >>> [sorted(override) for override in drawn] == 3 * [["optimizer.b1", "optimizer.schedule.peak_lr"]]
        True
    """
    if count < 1:
        raise UserError(f"sample was asked for {count} runs: give 1 or more.")

    def uniform(path: str) -> np.ndarray:
        return np.random.default_rng([seed, zlib.crc32(path.encode())]).random(count)

    return zip_({path: distribution.values(uniform(path)) for path, distribution in over.items()})


class _Branch(dict[str, Any]):
    """Overrides by the first part of their paths; its leaves are the new values."""


def apply(run: Run, override: Override) -> Run:
    """The run with some fields otherwise.

    Raises:
        UserError: there is no such field, the nearest of which is named; the value is of another kind or not legal.
    """
    tree = _Branch()
    for path, value in override.items():
        *parents, last = path.replace("-", "_").split(".")
        branch = tree
        for part in parents:
            branch = branch.setdefault(part, _Branch())
            if not isinstance(branch, _Branch):
                raise UserError(f"The override sets {path!r} and what it is in: leave one of the two out.")
        if last in branch:
            raise UserError(f"The override sets {path!r} and something in it: leave one of the two out.")
        branch[last] = value
    return _changed(run, tree, "")


def _changed(tree: Any, branch: _Branch, where: str) -> Any:
    changes: dict[str, Any] = {}
    for part, value in branch.items():
        path = f"{where}.{part}" if where else part
        current = _part(tree, part, path)
        changes[part] = _changed(current, value, path) if isinstance(value, _Branch) else _fitting(current, value, path)
    if isinstance(tree, tuple):
        return tuple(changes.get(str(index), item) for index, item in enumerate(tree))
    try:
        # Flax forbids replace(), since it may sit in another module.
        return tree.clone(**changes) if isinstance(tree, nn.Module) else dataclasses.replace(tree, **changes)
    except (ValueError, TypeError) as error:
        shown = ", ".join(f"{part}={value!r}" for part, value in changes.items())
        raise UserError(f"The override of {where or 'the run'} with {shown} is refused: {error}.") from error


def _part(tree: Any, part: str, path: str) -> Any:
    if isinstance(tree, tuple):
        if part.isdigit() and int(part) < len(tree):
            return tree[int(part)]
        raise UserError(f"The override sets {path!r}, but there stand {len(tree)} parts, counted from 0: {part!r} is none.")
    if not dataclasses.is_dataclass(tree):
        raise UserError(f"The override sets {path!r}, but what it is in is {tree!r}, which has no parts.")
    left_out = ("parent", "name") if isinstance(tree, nn.Module) else ()
    names = [field.name for field in dataclasses.fields(tree) if field.init and field.name not in left_out]
    if part not in names:
        close = difflib.get_close_matches(part, names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(names)}."
        raise NoSuchField(f"The override sets {path!r}, but {type(tree).__name__} has no field {part!r}", hint, path)
    return getattr(tree, part)


def _fitting(current: Any, value: Any, path: str) -> Any:
    """The value, which must be of the kind that it replaces where that is a plain one."""
    if isinstance(current, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain = bool | int | float | str
    if isinstance(current, plain) and isinstance(value, plain) and type(current) is not type(value):
        raise UserError(
            f"The override sets {path!r} to {value!r}, a {type(value).__name__}, where a {type(current).__name__} such as "
            f"{current!r} belongs."
        )
    if dataclasses.is_dataclass(current) and isinstance(value, plain):
        raise UserError(
            f"The override sets {path!r} to {value!r}, but there stands a {type(current).__name__}: name one of its fields, "
            f"such as {path}.{dataclasses.fields(current)[0].name}."
        )
    return value


def names(overrides: Sequence[Override]) -> tuple[str, ...]:
    """A short name for each run of a sweep, fit for a folder: ``rate=0.003,seed=1``."""
    short = short_paths(overrides)
    found: dict[str, int] = {}
    result = []
    for override in overrides:
        text = ",".join(f"{short[path]}={shown(value)}" for path, value in override.items()) or "as_it_is"
        text = re.sub(r"[^\w.=,+-]+", "_", text)
        if len(text) > _LONGEST_NAME:
            text = f"{text[:_LONGEST_NAME]}-{zlib.crc32(text.encode()):08x}"
        # Two parts of one class may differ in what their names do not show.
        found[text] = found.get(text, 0) + 1
        result.append(text if found[text] == 1 else f"{text}-{found[text]}")
    return tuple(result)


def short_paths(overrides: Sequence[Override]) -> dict[str, str]:
    """Each path's shortest end that no other path of the sweep shares."""
    paths = list(dict.fromkeys(path for override in overrides for path in override))

    def end(path: str, parts: int) -> str:
        return ".".join(path.split(".")[-parts:])

    def alone(path: str) -> str:
        for parts in range(1, path.count(".") + 1):
            # A place in a tuple says nothing without what it is in.
            if not end(path, parts).isdigit() and sum(end(other, parts) == end(path, parts) for other in paths) == 1:
                return end(path, parts)
        return path

    return {path: alone(path) for path in paths}


def shown(value: Any) -> str:
    """A value in a name or a table."""
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if dataclasses.is_dataclass(value):
        return type(value).__name__
    return str(value)
