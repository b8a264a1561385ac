"""Is one method better than another, when both were measured on the same pairs of contents and styles?

Pairs of one content resemble one another, and so do pairs of one style: 35 pairs of 5 contents and 7 styles are not 35
independent measurements, and what is to be said is of other contents and other styles.
"""

import dataclasses
import math

import numpy as np
from scipy.special import stdtr, stdtrit

from likeness.research.checks import UncheckedNumbers
from likeness.research.metrics.intervals import CONFIDENCE

__all__ = ["CrossedDifference", "crossed_difference"]


@dataclasses.dataclass(frozen=True)
class CrossedDifference:
    """The mean difference of two methods over pairs of contents and styles."""

    first: float
    """Mean of the first."""
    second: float
    """Mean of the second."""
    low: float
    """Of the 95 % interval of ``first - second``; NaN where one content and one style cannot say."""
    high: float
    p_value: float
    """How often chance alone would make a difference as large, if there were none; NaN in the same case."""

    @property
    def value(self) -> float:
        """``first - second``: negative where the first has less."""
        return self.first - self.second

    @property
    def resolved(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def text(self) -> str:
        """The difference as people read it.

        Example:
            >>> CrossedDifference(0.031, 0.042, -0.0183, -0.0037, 0.012).text()
            '-0.011 [-0.018, -0.004]'
        """
        if math.isnan(self.low):
            return f"{self.value:+.3f}, too few for an interval"
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def crossed_difference(first: UncheckedNumbers, second: UncheckedNumbers) -> CrossedDifference:
    """The mean difference, with an interval over contents and styles as both were drawn at random.

    The differences are taken for ``d_ij = μ + a_i + b_j + e_ij``, and with the mean squares of the analysis of variance

        Var d̄ = (MS_a + MS_b - MS_e) / (R C), at least (max(MS_a, MS_b)) / (R C)

    the interval is ``d̄ ± t √Var``, with Satterthwaite's degrees of freedom. Of one style or one content it is that of a paired
    t-test over the others.

    Searle, Casella and McCulloch, "Variance components", 1992, chapter 4.

    Args:
        first: (R, C), a measurement for each content and style.
        second: the same of the other method.

    Raises:
        ValueError: other shapes, or measurements that are not finite.
    """
    pair = [np.asarray(each, np.float64) for each in (first, second)]
    if pair[0].ndim != 2 or pair[0].shape != pair[1].shape or not pair[0].size or not np.isfinite(pair).all():
        raise ValueError(
            f"crossed_difference: measurements of the shapes {pair[0].shape} and {pair[1].shape}; give finite ones of both "
            "methods, a row for each content and a column for each style."
        )
    one, other = (float(each.mean()) for each in pair)
    variance, freedom = _variance(pair[0] - pair[1])
    if not freedom:
        return CrossedDifference(one, other, math.nan, math.nan, math.nan)
    difference = one - other
    if variance == 0:
        return CrossedDifference(one, other, difference, difference, 1.0 if difference == 0 else 0.0)
    half = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * math.sqrt(variance)
    p_value = 2 * float(stdtr(freedom, -abs(difference) / math.sqrt(variance)))
    return CrossedDifference(one, other, difference - half, difference + half, p_value)


def _variance(differences: np.ndarray) -> tuple[float, float]:
    """Of the mean, and the degrees of freedom that it is known with."""
    rows, columns = differences.shape
    if 1 in (rows, columns):
        count = rows * columns
        return (float(differences.var(ddof=1)) / count, count - 1.0) if count > 1 else (0.0, 0.0)
    mean = differences.mean()
    by_row, by_column = differences.mean(axis=1), differences.mean(axis=0)
    of_rows = columns * float(np.sum((by_row - mean) ** 2)) / (rows - 1)
    of_columns = rows * float(np.sum((by_column - mean) ** 2)) / (columns - 1)
    rest = float(np.sum((differences - by_row[:, None] - by_column + mean) ** 2)) / ((rows - 1) * (columns - 1))
    square = of_rows + of_columns - rest
    if square <= max(of_rows, of_columns):
        # Less is known of one of them than chance would leave: the other alone decides.
        square, freedom = max((of_rows, rows - 1.0), (of_columns, columns - 1.0))
        return square / (rows * columns), freedom
    spread = of_rows**2 / (rows - 1) + of_columns**2 / (columns - 1) + rest**2 / ((rows - 1) * (columns - 1))
    return square / (rows * columns), square**2 / spread
