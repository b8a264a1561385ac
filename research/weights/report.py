"""What of a file matched an encoder, and what did not."""

import dataclasses
import difflib
from collections.abc import Iterable, Sequence

from likeness.research.data.paths import printable
from likeness.research.errors import UserError

_SHOWN = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Match:
    """An array of the file beside a variable of the encoder."""

    key: str
    """Its name in the file."""
    variable: str
    """The variable's path."""
    found: tuple[int, ...]
    """Its shape in the file."""
    wanted: tuple[int, ...]
    """The variable's shape."""
    turned: tuple[int, ...]
    """Its shape in the order of the variable's axes."""

    def __str__(self) -> str:
        order = "" if self.turned == self.found else f", {shape(self.turned)} in the encoder's order"
        return f"{self.key} {shape(self.found)}{order}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class MatchReport:
    """What of a file matched an encoder, by name and shape, and what did not."""

    layout: str
    """The layout's name."""
    matched: tuple[Match, ...] = ()
    """Arrays that fill a variable."""
    wrong_shape: tuple[Match, ...] = ()
    """Arrays that should fill a variable and have another shape."""
    wrong_kind: tuple[str, ...] = ()
    """Arrays that should fill a variable and hold whole numbers, or something that is not finite; in words."""
    missing: tuple[tuple[str, str], ...] = ()
    """Variables of the encoder that nothing fills, and the name looked for ("" where the layout has none)."""
    unmatched: tuple[str, ...] = ()
    """Names in the file that the layout does not know."""
    unused: tuple[str, ...] = ()
    """Names that the layout knows and this encoder has no variable for, such as layers after the last one."""
    ignored: tuple[str, ...] = ()
    """Names that the layout passes over."""

    @property
    def complete(self) -> bool:
        """Whether every variable is filled and every array of the file is accounted for."""
        return not (self.wrong_shape or self.wrong_kind or self.missing or self.unmatched)

    def check(self, source: str) -> None:
        """Raises what is wrong, in one paragraph.

        Args:
            source: what the file is called.

        Raises:
            UserError: the report is not complete; the message has names, both shapes, and the nearest names.
        """
        if not self.complete:
            raise UserError(f"The weights {source} do not fit the encoder ({self.layout}): {'; '.join(self._faults())}.")

    def lines(self) -> list[str]:
        """The report for people: a line for each variable and each fault, and a sum."""
        width = max((len(match.variable) for match in self.matched), default=0)
        rows = [f"  {match.variable:<{width}}  {shape(match.wanted):<18} {match.key}" for match in self.matched]
        faults = [f"  ! {fault}" for fault in self._faults(shown=1000)]
        counts = {"unused": self.unused, "ignored": self.ignored}
        rest = "".join(f", {len(names)} {word} ({_some(names)})" for word, names in counts.items() if names)
        total = len(self.matched) + len(self.wrong_shape) + len(self.wrong_kind) + len(self.missing)
        return [*rows, *faults, f"{self.layout}: {len(self.matched)} of {total} variables matched{rest}"]

    def _faults(self, shown: int = _SHOWN) -> list[str]:
        faults = [f"{match} does not fit {match.variable}, {shape(match.wanted)}" for match in self.wrong_shape[:shown]]
        faults += _more(self.wrong_shape, shown, "other shapes")
        faults += self.wrong_kind[:shown]
        faults += _more(self.wrong_kind, shown, "other arrays")
        for variable, key in self.missing[:shown]:
            nearest = _nearest(key or variable, self.unmatched)
            looked = f"there is no {key} for {variable}" if key else f"the layout has nothing for {variable}"
            faults.append(looked + (f" (nearest: {nearest})" if nearest else ""))
        faults += _more(self.missing, shown, "other variables")
        if self.unmatched:
            faults.append(f"nothing here is called {_some(self.unmatched, shown)}")
        return faults


def shape(sides: Iterable[int]) -> str:
    """A shape as people write it: ``64×3×3×3``; ``scalar`` for none."""
    return "×".join(map(str, sides)) or "scalar"


def _more(items: Sequence[object], shown: int, what: str) -> list[str]:
    return [f"and {len(items) - shown} {what}"] if len(items) > shown else []


def _some(names: Sequence[str], shown: int = _SHOWN) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(map(printable, names[:shown])) + more


def _nearest(name: str, names: Sequence[str]) -> str:
    return ", ".join(map(printable, difflib.get_close_matches(name, names, n=3, cutoff=0.5)))
