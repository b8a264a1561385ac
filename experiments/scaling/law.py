"""How a count grows with the number of devices: a sum of few powers of it, fitted to what was compiled."""

import dataclasses
from collections.abc import Sequence

import numpy as np

EXACT = 1e-6
"""Counts obey a law when none is further from it than this share."""


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
    """Finds the law that most of the largest numbers of devices obey.

    For few devices a compiler often finds another program, which tells nothing of more of them. So the smallest are left out,
    one after another, until what remains obeys one of the candidates and is more than would determine it. Where nothing does,
    the last two values determine a law of two powers.

    Args:
        devices: n of each value, rising.
        values: at least one, none negative.
        candidates: powers of n, fewest first: one, two, and so on.
    """
    n, y = np.asarray(devices, np.float64), np.asarray(values, np.float64)
    for start in range(len(n)):
        for powers in candidates:
            if len(powers) < len(n) - start:
                law, error = _solved(n[start:], y[start:], powers)
                if error <= EXACT:
                    return law
    return _solved(n[-2:], y[-2:], candidates[min(len(n), 2) - 1])[0]


def _solved(n: np.ndarray, y: np.ndarray, powers: tuple[int, ...]) -> tuple[Law, float]:
    """The law of least relative squares, and the largest relative error."""
    if not y.any():
        return Law((0,), (0.0,)), 0.0
    # Where a count is 0 nothing can be relative to it.
    weights = 1.0 / np.maximum(y, 1e-6 * y.max())
    columns = n[:, None] ** np.asarray(powers, np.float64)[None, :]
    coefficients = np.linalg.lstsq(columns * weights[:, None], y * weights, rcond=None)[0]
    return Law(powers, tuple(map(float, coefficients))), float(np.max(np.abs(columns @ coefficients - y) * weights))
