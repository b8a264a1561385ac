"""What was found in a data set: how bad, how often, where, and what to do."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from likeness.research.data.detection import KINDS, Problem, ProblemKind
from likeness.research.data.detection.problems import FATE

Level: TypeAlias = Literal["error", "warning", "note"]
"""``error``: something cannot be used, or what is measured would be untrue. ``warning``: look at it. ``note``: good to know."""

Box: TypeAlias = tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True)
class Suspect:
    """One place where something was found."""

    name: str
    """The image, or the file."""
    text: str = ""
    """What is there."""
    boxes: tuple[Box, ...] = ()
    """Where it is in the image, ``xyxy``."""
    others: tuple[str, ...] = ()
    """Images to be shown beside it, such as the one that it is a copy of."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that was found, with the places where it is."""

    kind: str
    level: Level
    says: str
    """What it is, as a sentence."""
    advice: str
    """What to do, as a sentence."""
    suspects: tuple[Suspect, ...] = ()
    count: int = 0
    """How often, where that is not the number of suspects."""

    @property
    def times(self) -> int:
        """How often."""
        return self.count or len(self.suspects)

    def line(self, shown: int = 3) -> str:
        """In a line for a terminal."""
        places = "; ".join(f"{one.name}{f' ({one.text})' if one.text else ''}" for one in self.suspects[:shown])
        more = f"; and {self.times - shown:,} more" if places and self.times > shown else ""
        times = f" {self.times:,} ×" if self.times else ""
        return f"{self.level}{times} {self.kind}: {self.says}{f' {places}{more}.' if places else ''}"


@dataclasses.dataclass(frozen=True)
class DataReport:
    """What the doctor says of a data set."""

    source: str
    """What was checked."""
    summary: tuple[str, ...]
    """How much there is, in sentences."""
    findings: tuple[Finding, ...]
    tables: tuple[tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]], ...] = ()
    """Title, heads and rows of tables for the page."""
    read: Callable[[str], np.ndarray] = dataclasses.field(default=lambda name: np.zeros((1, 1, 3), np.uint8), repr=False)
    """The image of a name, for the page: uint8 (h, w, c)."""

    def of(self, level: Level) -> tuple[Finding, ...]:
        """The findings of a level."""
        return tuple(finding for finding in self.findings if finding.level == level)

    def lines(self) -> list[str]:
        """In lines for a terminal, the worst first."""
        said = [*self.summary, *(f.line() for level in ("error", "warning", "note") for f in self.findings if f.level == level)]
        errors, warnings = (sum(max(1, f.times) for f in self.findings if f.level == level) for level in ("error", "warning"))
        verdict = f"{errors:,} errors and {warnings:,} warnings." if errors or warnings else "Nothing is wrong."
        return [*said, verdict]

    def as_json(self) -> dict[str, Any]:
        """For scripts: every finding with all its places."""
        return {
            "source": self.source,
            "summary": list(self.summary),
            "errors": sum(max(1, finding.times) for finding in self.of("error")),
            "warnings": sum(max(1, finding.times) for finding in self.of("warning")),
            "findings": [
                {
                    "kind": finding.kind,
                    "level": finding.level,
                    "count": finding.times,
                    "says": finding.says,
                    "advice": finding.advice,
                    "places": [
                        {
                            "name": one.name,
                            "text": one.text,
                            "boxes": [[value if np.isfinite(value) else None for value in box] for box in one.boxes],
                            "others": list(one.others),
                        }
                        for one in finding.suspects
                    ],
                }
                for finding in self.findings
            ],
        }


def found(kind: str, level: Level, says: str, advice: str, suspects: Sequence[Suspect]) -> list[Finding]:
    """A finding, if there are suspects."""
    return [Finding(kind, level, says, advice, tuple(suspects))] if suspects else []


def box_of(box: np.ndarray) -> Box:
    """The four numbers of an array."""
    x1, y1, x2, y2 = box.tolist()
    return x1, y1, x2, y2


def from_problems(problems: Sequence[Problem]) -> list[Finding]:
    """The problems that the reader met, kind by kind. What is lost, or leaks, is an error."""
    counted = Counter(problem.kind for problem in problems)
    return [_of_kind(kind, [each for each in problems if each.kind == kind]) for kind in KINDS if counted[kind]]


def _of_kind(kind: ProblemKind, problems: Sequence[Problem]) -> Finding:
    what = KINDS[kind]
    says = what.says[0].upper() + what.says[1:]
    return Finding(
        kind=kind,
        level="error" if what.serious or kind == "path_escape" else "warning",
        says=f"{says}; in training {FATE[what.fate]}.",
        advice=what.advice,
        suspects=tuple(
            Suspect(
                problem.name,
                problem.detail if problem.index is None else f"box {problem.index + 1}: {problem.detail}".rstrip(": "),
                () if problem.box is None else (problem.box,),
            )
            for problem in problems
        ),
    )
