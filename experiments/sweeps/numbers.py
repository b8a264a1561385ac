"""Numbers in which runs differ, put into one run.

A run is written in Python: its optimizer is built from a plain float, and nothing in it knows of arrays. To train several runs
as one program, each float in which they differ becomes a :class:`Number`, which knows the value in every run, and which row of
a batch of runs is being traced.
"""

import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from likeness.experiments.config import to_json
from likeness.experiments.run import Run
from likeness.research.types import Array

Path: TypeAlias = tuple[str | int, ...]
"""Where a field is: names of fields, and places in tuples."""
SEED: Path = ("seed",)


class Differ(Exception):
    """Python asked for a value, and the runs have not the same."""

    def __init__(self, paths: frozenset[Path]) -> None:
        self.paths = paths
        super().__init__(f"Python needs the value of {' and '.join(sorted(map(dotted, paths)))}, in which the runs differ")


class Number:
    """A float of several runs.

    What is computed of it and other plain numbers is again a Number, in Python's own precision, so a run's schedule has the
    same constants as alone. With an array it becomes the traced run's value. A question (is it 0? above 1?) is answered where
    all runs agree.

    Args:
        values: one for each run.
        paths: the fields that they come from.
        row: which run is being traced; None while nothing is, when only what all runs agree in may be asked.
    """

    # NumPy leaves operators to this class.
    __array_ufunc__ = None

    def __init__(self, values: tuple[float, ...], paths: frozenset[Path], row: Array | None) -> None:
        self.values, self.paths, self.row = values, paths, row

    def __jax_array__(self) -> Array:
        if self.row is None:
            self._differ()
        return jnp.asarray(self.values, dtype=float)[self.row]

    def __array__(self, *of: Any, **how: Any) -> NoReturn:
        del of, how
        self._differ()

    def _differ(self) -> NoReturn:
        raise Differ(self.paths)

    def _agreed(self, answers: Sequence[Any]) -> Any:
        if any(answer != answers[0] for answer in answers):
            self._differ()
        return answers[0]

    def __bool__(self) -> bool:
        return self._agreed([bool(value) for value in self.values])

    def __float__(self) -> float:
        return self._agreed(self.values)

    def __hash__(self) -> int:
        return hash(self._agreed(self.values))

    def __format__(self, how: str) -> str:
        return format(self._agreed(self.values), how)

    def __repr__(self) -> str:
        return f"Number{self.values}"


def _operation(apply: Callable[..., Any], *, reverse: bool = False, asks: bool = False) -> Any:
    def method(self: Number, *others: Any) -> Any:
        def applied(mine: Any, *theirs: Any) -> Any:
            return apply(*theirs, mine) if reverse else apply(mine, *theirs)

        if not all(isinstance(other, Number | int | float | np.number) for other in others):
            if others[0] is None or isinstance(others[0], str):
                return NotImplemented
            return applied(self.__jax_array__(), *others)
        columns = [other.values if isinstance(other, Number) else (other,) * len(self.values) for other in others]
        values = tuple(applied(*row) for row in zip(self.values, *columns, strict=True))
        both = Number(values, self.paths.union(*(other.paths for other in others if isinstance(other, Number))), self.row)
        return both._agreed(values) if asks else both

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(Number, f"__{_name}__", _operation(getattr(operator, _name)))
    setattr(Number, f"__r{_name}__", _operation(getattr(operator, _name), reverse=True))
for _name in ("neg", "pos", "abs"):
    setattr(Number, f"__{_name}__", _operation(getattr(operator, _name)))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Number, f"__{_name}__", _operation(getattr(operator, _name), asks=True))

jax.tree_util.register_pytree_node(
    Number, lambda number: ((number.row,), (number.values, number.paths)), lambda known, rows: Number(*known, rows[0])
)


def dotted(path: Path) -> str:
    """The path as it is written in an override."""
    return ".".join(map(str, path))


def leaves(run: Run) -> dict[Path, Any]:
    """All plain values of a run, and the classes of its parts, by path."""

    def walk(value: Any, path: Path) -> list[tuple[Path, Any]]:
        if isinstance(value, dict):
            return [leaf for name, part in value.items() for leaf in walk(part, (*path, name))]
        if isinstance(value, list):
            return [((*path, "length"), len(value)), *(leaf for i, part in enumerate(value) for leaf in walk(part, (*path, i)))]
        return [(path, value)]

    return dict(walk(to_json(run), ()))


def structure(run: Run, told_apart: frozenset[Path] = frozenset()) -> frozenset[tuple[Path, str]]:
    """What runs must have in common to be one program: everything but their floats and their seed.

    Args:
        run: the run.
        told_apart: floats that must be equal too.
    """

    def kind(path: Path, value: Any) -> str:
        free = (isinstance(value, float) or path == SEED) and path not in told_apart
        return "number" if free else f"{type(value).__name__} {value!r}"

    return frozenset((path, kind(path, value)) for path, value in leaves(run).items())


def differing(runs: Sequence[Run]) -> frozenset[Path]:
    """The floats in which runs of one structure differ."""
    all_leaves = [leaves(run) for run in runs]
    first = all_leaves[0]
    return frozenset(
        path for path, value in first.items() if path != SEED and any(other[path] != value for other in all_leaves)
    )


def joined(runs: Sequence[Run], paths: frozenset[Path], row: Array | None) -> Run:
    """The first run, with a :class:`Number` in place of each float in ``paths``.

    The parts are not checked again: each run's were when it was made.
    """
    tree: dict[Any, Any] = {}
    for path in paths:
        branch = tree
        for part in path[:-1]:
            branch = branch.setdefault(part, {})
        branch[path[-1]] = Number(tuple(_at(run, path) for run in runs), frozenset({path}), row)
    return _joined(runs[0], tree)


def _at(tree: Any, path: Path) -> Any:
    for part in path:
        tree = tree[part] if isinstance(part, int) else getattr(tree, part)
    return tree


def _joined(tree: Any, changes: Mapping[Any, Any]) -> Any:
    if not changes:
        return tree
    if isinstance(tree, tuple | list):
        return tuple(_new(item, changes.get(index)) for index, item in enumerate(tree))
    fields = {field.name: _new(getattr(tree, field.name), changes.get(field.name)) for field in dataclasses.fields(tree)}
    if isinstance(tree, nn.Module):
        return tree.clone(**{name: fields[name] for name in changes})
    made = object.__new__(type(tree))
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def _new(value: Any, change: Any) -> Any:
    return value if change is None else _joined(value, change) if isinstance(change, dict) else change
