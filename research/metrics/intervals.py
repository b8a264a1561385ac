"""How far a measured rate can be trusted: estimates and binomial intervals."""

import dataclasses
import math
from typing import Any

from scipy.special import betaincinv, ndtri

from likeness.research.errors import UserError

CONFIDENCE = 0.95
"""Coverage aimed at by every interval of this package."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A measured number, its 95 % interval and how many trials it rests on.

    A number that the data cannot resolve has ``value``, ``low`` and ``high`` None and says so in ``why``.

    Example:
        >>> Estimate(0.031, 0.02, 0.046, 800).text()
        '3.1 % [2.0, 4.6] (n=800)'
        >>> Estimate.unresolvable(0, "there are no trials").text()
        'unresolvable: there are no trials'
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    why: str = ""

    @classmethod
    def unresolvable(cls, n: int, why: str) -> "Estimate":
        """Returns the estimate that stands for "these ``n`` trials cannot tell", with the reason."""
        return cls(None, None, None, n, why)

    @classmethod
    def around(cls, value: float, interval: tuple[float, float], n: int) -> "Estimate":
        """Returns ``value`` with ``interval``, stretched to hold the value where resampling left it outside."""
        return cls(float(value), min(value, float(interval[0])), max(value, float(interval[1])), n)

    @property
    def resolved(self) -> bool:
        """Whether there is a number at all."""
        return self.value is not None

    @property
    def interval(self) -> tuple[float, float]:
        """``(low, high)``; ``(nan, nan)`` for an unresolvable estimate."""
        return (math.nan if self.low is None else self.low, math.nan if self.high is None else self.high)

    def complement(self) -> "Estimate":
        """Returns the estimate of ``1 - value``, such as FNIR from a hit rate."""
        if self.value is None or self.low is None or self.high is None:
            return self
        return Estimate(1.0 - self.value, 1.0 - self.high, 1.0 - self.low, self.n)

    def text(self, percent: bool = True) -> str:
        """Returns the estimate as people read it, with as many digits as the interval's width deserves.

        Args:
            percent: In percent; otherwise as a plain number, as is usual for AUC.
        """
        if self.value is None or self.low is None or self.high is None:
            return f"unresolvable: {self.why}"
        scale, unit = (100.0, " %") if percent else (1.0, "")
        width = scale * (self.high - self.low)
        digits = 1 if width >= 1 else min(4, 1 + math.ceil(-math.log10(width))) if width > 0 else 2
        value, low, high = (f"{scale * number:.{digits}f}" for number in (self.value, self.low, self.high))
        return f"{value}{unit} [{low}, {high}] (n={self.n})"

    def to_json(self) -> dict[str, Any]:
        """Returns ``{"value", "low", "high", "n"}``, and ``"why"`` where the number is unresolvable."""
        record: dict[str, Any] = {"value": self.value, "low": self.low, "high": self.high, "n": self.n}
        return record | {"why": self.why} if self.why else record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Estimate":
        """Returns the estimate that :meth:`to_json` wrote."""
        return cls(record["value"], record["low"], record["high"], record["n"], record.get("why", ""))


def wilson_interval(rate: float, n: float | int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Returns the ends of Wilson's score interval; ``n`` may be an effective, fractional number of trials.

        (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    _check_confidence(confidence)
    z = float(ndtri(0.5 + confidence / 2))
    center = rate + z * z / (2 * n)
    spread = z * math.sqrt(max(rate * (1 - rate), 0.0) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if rate <= 0 else max(0.0, (center - spread) / scale)
    high = 1.0 if rate >= 1 else min(1.0, (center + spread) / scale)
    return low, high


def wilson(k: int, n: int, confidence: float = CONFIDENCE) -> Estimate:
    """Returns the rate ``k / n`` of independent trials with Wilson's score interval.

    Raises:
        UserError: If ``k`` is not within ``0..n``.

    Example:
        >>> wilson(32, 400).text()
        '8.0 % [5.7, 11.1] (n=400)'
    """
    _check_counts(k, n)
    if n == 0:
        return Estimate.unresolvable(0, "there are no trials")
    low, high = wilson_interval(k / n, n, confidence)
    return Estimate(k / n, low, high, int(n))


def clopper_pearson(k: int, n: int, confidence: float = CONFIDENCE) -> Estimate:
    """Returns the rate ``k / n`` with the exact interval, which never covers less than it says.

    The ends are quantiles of Beta(k, n-k+1) and Beta(k+1, n-k). Clopper and Pearson, "The use of confidence
    or fiducial limits illustrated in the case of the binomial", Biometrika 1934.

    Raises:
        UserError: If ``k`` is not within ``0..n``.

    Example:
        >>> clopper_pearson(0, 100).text()
        '0.0 % [0.0, 3.6] (n=100)'
    """
    _check_counts(k, n)
    if n == 0:
        return Estimate.unresolvable(0, "there are no trials")
    _check_confidence(confidence)
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - tail))
    return Estimate(k / n, low, high, int(n))


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise UserError(f"An interval of confidence {confidence} does not exist: give a share between 0 and 1, such as 0.95.")


def _check_counts(k: int, n: int) -> None:
    if not 0 <= k <= n:
        raise UserError(f"{k} of {n} is not a rate: the count must lie between 0 and the number of trials.")
