"""What a compiled program costs beyond what the compiler's own count says: rounds of loops, products in full precision.

``Compiled.cost_analysis()`` counts the body of a loop once, however often it runs, and does not tell a product of bfloat16
from one of float32 in full precision, which an accelerator does at a fraction of the speed. Both are read from the program's
text.
"""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from likeness.experiments.scaling.collectives import Collective, collective, sizes

_HEAD = re.compile(r"^(ENTRY )?%?([\w.-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.-]+) = (.*?) ([a-z][a-z0-9-]*)\((.*)$")
_OPERAND = re.compile(r"%([\w.-]+)")
_CALLED = re.compile(r"(?:calls|to_apply|body|condition|true_computation|false_computation)=%?([\w.-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
_CONTRACTED = re.compile(r"lhs_contracting_dims=\{([\d,]*)\}")
_KERNEL = re.compile(r"dim_labels=\w+_(\w+)->")
_SHAPE = re.compile(r"\[([\d,]*)\]")

_FREE = {
    "parameter",
    "constant",
    "tuple",
    "get-tuple-element",
    "bitcast",
    "iota",
    "partition-id",
    "while",
    "call",
    "conditional",
}
"""Neither read nor write memory of their own."""
_PRODUCTS = ("dot", "convolution")
_MOVES = {"copy", "broadcast", "reshape", "transpose", "slice", "concatenate", "dynamic-slice", "gather", "pad", "reverse"}
"""Compute nothing."""


class Instruction(NamedTuple):
    """A line of a computation."""

    types: str
    """Of its results."""
    code: str
    operands: tuple[str, ...]
    line: str


class Counted(NamedTuple):
    """Of one device."""

    collectives: tuple[tuple[Collective, int], ...]
    """Each with how often it is done in a step."""
    full_precision: float
    """FLOPs of products of float32 at the highest precision."""
    more_flops: float
    """What the rounds of loops after the first add to the compiler's count."""
    more_bytes: float
    """The same of memory read and written."""


class _Part(NamedTuple):
    """A computation: its instructions, and each one's types by name."""

    instructions: list[Instruction]
    types: dict[str, str]


def counted(program: str, devices: int, rounds: int = 1) -> Counted:
    """Walks a program from its entry through its loops.

    Args:
        program: its text, as ``jax.stages.Compiled.as_text()`` gives it.
        devices: for how many it was compiled.
        rounds: how often a loop runs whose number the program knows only when it runs.

    Raises:
        ValueError: the text is no program's, or names the devices of a collective in a way that is not known here.
    """
    parts, entry = _parts(program)
    found: list[tuple[Collective, int]] = []
    exact = flops = moved = 0.0
    for instruction, part, times in _reached(parts, entry, rounds, 1):
        if (sent := collective(instruction.line, devices)) is not None:
            found.append((sent, times))
        for inner, where in _computing(parts, instruction, part):
            if inner.code in _PRODUCTS and "operand_precision={highest" in inner.line:
                exact += times * _flops(inner, where)
            if times > 1:
                flops += (times - 1) * _flops(inner, where)
        if times > 1:
            moved += (times - 1) * _bytes(instruction, part)
    return Counted(tuple(found), exact, flops, moved)


def _parts(program: str) -> tuple[dict[str, _Part], str]:
    parts: dict[str, _Part] = {}
    current, entry = "", ""
    for line in program.splitlines():
        if head := _HEAD.match(line):
            current = head.group(2)
            parts[current] = _Part([], {})
            entry = current if head.group(1) else entry
        elif current and (match := _INSTRUCTION.match(line)):
            name, types, code, rest = match.groups()
            operands = tuple(_OPERAND.findall(rest.partition(")")[0]))
            parts[current].instructions.append(Instruction(types, code, operands, line))
            parts[current].types[name] = types
    if not entry:
        raise ValueError("This is no text of a compiled program: it has no ENTRY computation.")
    return parts, entry


def _reached(parts: dict[str, _Part], name: str, rounds: int, times: int) -> Iterator[tuple[Instruction, _Part, int]]:
    """Every instruction that runs by itself, where it stands, and how often."""
    for instruction in parts[name].instructions:
        yield instruction, parts[name], times
        if instruction.code == "while":
            trips = _TRIPS.search(instruction.line)
            inside = times * (int(trips.group(1)) if trips else rounds)
        elif instruction.code in ("call", "conditional"):
            inside = times
        else:
            continue
        for called in _called(instruction):
            yield from _reached(parts, called, rounds, inside)


def _computing(parts: dict[str, _Part], instruction: Instruction, part: _Part) -> Iterator[tuple[Instruction, _Part]]:
    """The instruction, or those that were fused into it."""
    if instruction.code != "fusion":
        yield instruction, part
        return
    for called in _called(instruction):
        for inner in parts[called].instructions:
            yield from _computing(parts, inner, parts[called])


def _called(instruction: Instruction) -> list[str]:
    branches = _BRANCHES.search(instruction.line)
    return _CALLED.findall(instruction.line) + (re.findall(r"[\w.-]+", branches.group(1)) if branches else [])


def _elements(types: str) -> int:
    return sum(elements for elements, _ in sizes(types))


def _sides(types: str) -> list[int]:
    match = _SHAPE.search(types)
    return [int(side) for side in match.group(1).split(",") if side] if match else []


def _flops(instruction: Instruction, part: _Part) -> float:
    result = float(_elements(instruction.types))
    if instruction.code in _PRODUCTS:
        first, second = (_sides(part.types[operand]) for operand in instruction.operands[:2])
        if instruction.code == "dot":
            match = _CONTRACTED.search(instruction.line)
            contracted = [int(axis) for axis in match.group(1).split(",") if axis] if match else []
            return 2.0 * result * math.prod(first[axis] for axis in contracted)
        labels = _KERNEL.search(instruction.line)
        return 2.0 * result * math.prod(second) / (second[labels.group(1).index("o")] if labels else 1)
    if instruction.code in ("reduce", "reduce-window"):
        return float(_elements(part.types[instruction.operands[0]]))
    return 0.0 if instruction.code in _FREE | _MOVES else result


def _bytes(instruction: Instruction, part: _Part) -> float:
    if instruction.code in _FREE:
        return 0.0
    involved = [instruction.types, *(part.types[operand] for operand in instruction.operands if operand in part.types)]
    return float(sum(size for types in involved for _, size in sizes(types)))
