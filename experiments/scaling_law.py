"""How a count grows with the number of devices: a sum of few powers of it, fitted to what was compiled."""

import dataclasses
from collections.abc import Sequence

import numpy as np

EXACT = 1e-3
"""A law with fewer powers is preferred to one with more where no count is further from it than this share."""


@dataclasses.dataclass(frozen=True)
class Law:
    """``Σ_k coefficients[k] n ** powers[k]`` of n devices, and nothing below 0."""

    powers: tuple[int, ...]
    coefficients: tuple[float, ...]

    def __call__(self, devices: int) -> float:
        return max(0.0, sum(c * float(devices) ** p for p, c in zip(self.powers, self.coefficients, strict=True)))

    def without_growth(self, devices: int) -> float:
        """The same without the powers above 0."""
        kept = [(p, c) for p, c in zip(self.powers, self.coefficients, strict=True) if p <= 0]
        return max(0.0, sum(c * float(devices) ** p for p, c in kept))


def fit(devices: Sequence[int], values: Sequence[float], candidates: Sequence[tuple[int, ...]]) -> Law:
    """Fits the first of the candidates that all values obey, or else the one that is nearest to them.

    Args:
        devices: n of each value, all different.
        values: at least one, none negative.
        candidates: powers of n, fewest first. One with more powers than there are values is passed over, but for the first.

    Returns:
        The law whose relative errors have the least sum of squares.
    """
    n, y = np.asarray(devices, np.float64), np.asarray(values, np.float64)
    if not y.any():
        return Law((0,), (0.0,))
    # Where a count is 0 nothing can be relative to it.
    weights = 1.0 / np.maximum(y, 1e-6 * y.max())
    best, least = None, np.inf
    for powers in candidates:
        if best is not None and len(powers) > len(n):
            break
        columns = n[:, None] ** np.asarray(powers, np.float64)[None, :]
        coefficients = np.linalg.lstsq(columns * weights[:, None], y * weights, rcond=None)[0]
        law = Law(tuple(powers), tuple(map(float, coefficients)))
        error = float(np.max(np.abs(columns @ coefficients - y) * weights))
        if error <= EXACT:
            return law
        if error < least:
            best, least = law, error
    assert best is not None
    return best
