"""What the devices send each other in a step, read from the compiled program."""

import math
import re
from typing import NamedTuple

import numpy as np

_KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
_OPERATION = re.compile(rf"= (.*?) ({'|'.join(_KINDS)})(-start)?\(")
_ARRAY = re.compile(r"\b(pred|[a-z]+\d+[a-z0-9]*)\[([\d,]*)\]")
_BITS = re.compile(r"\d+")

_LISTED = re.compile(r"replica_groups=\{(?:\{([\d,]*)\}[^}]*)?")
_COUNTED = re.compile(r"replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?")
_BY_AXES = re.compile(r"replica_groups=mesh\[([^\]]*)\](?:, device_ids=\(\[([\d,]+)\](?:T\(([\d,]+)\))?\))? ?\{([^}]*)\}")
_AXIS = re.compile(r"'(\w+)'(?::\((\d+)\)(\d+)|=(\d+))?")


class Traffic(NamedTuple):
    """Of one kind of collective, in one step."""

    number: int
    bytes: int
    """Size of the results, on one device."""


class Collective(NamedTuple):
    """One operation of a program."""

    kind: str
    bytes: int
    """Size of its results, on one device."""
    group: tuple[int, ...]
    """The devices that take part in it with device 0, in rising order; of a permutation all."""


def collectives(program: str) -> dict[str, Traffic]:
    """Counts a compiled program's collectives by kind.

    Args:
        program: its text, as ``jax.stages.Compiled.as_text()`` gives it.

    Returns:
        By kind, such as ``all-reduce``, the number of them and the bytes of their results on one device. One inside a loop
        counts once. What goes over the wires depends on how a collective is done: a ring of n devices sends 2 (n - 1) / n of an
        all-reduce's bytes from each, and (n - 1) / n of an all-gather's.
    """
    found: dict[str, Traffic] = {}
    for line in program.splitlines():
        if match := _OPERATION.search(line):
            number, total = found.get(match.group(2), Traffic(0, 0))
            found[match.group(2)] = Traffic(number + 1, total + _result(match))
    return found


def collective(line: str, devices: int) -> Collective | None:
    """Reads one line of a compiled program for so many devices; None where it is no collective.

    Raises:
        ValueError: the devices that take part are written in a way that is not known here.
    """
    match = _OPERATION.search(line)
    if match is None:
        return None
    kind = match.group(2)
    return Collective(kind, _result(match), tuple(range(devices)) if kind == "collective-permute" else _group(line, devices))


def sizes(types: str) -> list[tuple[int, int]]:
    """Of each array that a program's text names with its type, the number of elements and of bytes."""
    found = []
    for dtype, shape in _ARRAY.findall(types):
        elements = math.prod(int(side) for side in shape.split(",") if side)
        bits = 8 if dtype == "pred" else int(_BITS.search(dtype).group())  # pyright: ignore[reportOptionalMemberAccess]
        found.append((elements, elements * max(bits, 8) // 8))
    return found


def _result(match: re.Match[str]) -> int:
    results, kind, started = match.groups()
    arrays = [bytes_ for _, bytes_ in sizes(results)]
    # The start of one that runs beside others gives its operands back, and then its results.
    return sum(arrays[len(arrays) // 2 :]) if started and len(arrays) > 1 and kind != "all-reduce" else sum(arrays)


def _group(line: str, devices: int) -> tuple[int, ...]:
    """Of the groups that ``replica_groups`` writes in one of XLA's three ways, that of device 0."""
    if match := _BY_AXES.search(line):
        axes, shape, order, chosen = match.groups()
        sides = {name: int(side) for name, _, _, side in _AXIS.findall(axes)}
        grid = _arranged(shape, order, math.prod(sides.values())).reshape(list(sides.values()))
        index: list[slice | int] = [0] * len(sides)
        for name, before, length, _ in _AXIS.findall(chosen):
            # A part of an axis: it is cut into (before, length, rest), of which the middle is meant.
            rest = sides[name] // (int(before) * int(length)) if before else 1
            index[list(sides).index(name)] = slice(0, rest * int(length), rest) if before else slice(None)
        members = grid[tuple(index)]
    elif match := _COUNTED.search(line):
        groups, shape, order = match.groups()
        members = _arranged(shape, order, devices).reshape(_numbers(groups))[0]
    elif match := _LISTED.search(line):
        members = np.array(_numbers(match.group(1)) if match.group(1) else range(devices))
    else:
        raise ValueError(f"Cannot read which devices take part in: {line.strip()[:300]}")
    return tuple(sorted(int(member) for member in np.ravel(members)))


def _arranged(shape: str | None, order: str | None, devices: int) -> np.ndarray:
    numbers = np.arange(devices)
    if shape is not None:
        numbers = numbers.reshape(_numbers(shape)).transpose(_numbers(order) if order else None)
    return numbers.ravel()


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]
