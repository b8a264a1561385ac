"""What the devices send each other in a step, read from the compiled program."""

import re
from typing import NamedTuple

_KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
_OPERATION = re.compile(rf"= (.*?) ({'|'.join(_KINDS)})(-start)?\(")
_ARRAY = re.compile(r"\b(pred|[a-z]+\d+[a-z0-9]*)\[([\d,]*)\]")
_BITS = re.compile(r"\d+")


class Traffic(NamedTuple):
    """Of one kind of collective, in one step."""

    number: int
    bytes: int
    """Size of the results, on one device."""


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
            results, kind, started = match.groups()
            arrays = [_size(dtype, shape) for dtype, shape in _ARRAY.findall(results)]
            # The start of one that runs beside others gives its operands back, and then its results.
            size = sum(arrays[len(arrays) // 2 :]) if started and len(arrays) > 1 and kind != "all-reduce" else sum(arrays)
            number, total = found.get(kind, Traffic(0, 0))
            found[kind] = Traffic(number + 1, total + size)
    return found


def _size(dtype: str, shape: str) -> int:
    elements = 1
    for side in shape.split(","):
        elements *= int(side) if side else 1
    bits = 8 if dtype == "pred" else int(_BITS.search(dtype).group())  # pyright: ignore[reportOptionalMemberAccess]
    return elements * max(bits, 8) // 8
