"""What a classifier has to beat: methods without a network, on the samples as they are."""

import dataclasses
from collections.abc import Callable
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, Shaped

from likeness.research.data.examples import Examples
from likeness.research.data.preprocessing import to_unit

__all__ = ["ClassifierBaseline", "LinearClassifier", "NearestMean", "Predict"]

Predict: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Examples (n, …, c) to the classes they are taken for, (n,)."""


@runtime_checkable
class ClassifierBaseline(Protocol):
    """A method without a network, fitted to the training examples."""

    @property
    def name(self) -> str: ...
    def fit(self, train: Examples) -> Predict: ...


@dataclasses.dataclass(frozen=True)
class NearestMean:
    """The class whose mean example is nearest, sample by sample: squared Euclidean distance."""

    name = "nearest_mean"

    def fit(self, train: Examples) -> Predict:
        """Takes the mean of each class."""
        rows, counts = _flat(train.values), train.counts()
        sums = np.zeros((len(train.classes), rows.shape[1]), np.float64)
        np.add.at(sums, train.labels, rows)
        means = sums / np.maximum(counts, 1)[:, None]
        # A class without examples has no mean.
        offsets = np.where(counts > 0, (means**2).sum(axis=1), np.inf)

        def predict(values: Shaped[np.ndarray, "n ..."]) -> Int[np.ndarray, "n"]:
            return np.argmin(offsets - 2 * _flat(values) @ means.T, axis=1)

        return predict


@dataclasses.dataclass(frozen=True)
class LinearClassifier:
    """Logistic regression on the samples' first principal components."""

    components: int = 100
    """Components kept, at most one fewer than there are training examples or samples."""

    name = "linear"

    def __post_init__(self) -> None:
        if self.components < 1:
            raise ValueError(f"LinearClassifier.components is {self.components}: give 1 or more")

    def fit(self, train: Examples) -> Predict:
        """Finds the components, each brought to unit variance, and the weights of each class."""
        # More than a second, for which commands that fit nothing do not wait.
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        rows = _flat(train.values)
        components = min(self.components, *(side - 1 for side in rows.shape))
        model = make_pipeline(
            PCA(components, whiten=True, svd_solver="randomized", random_state=0), LogisticRegression(C=0.1, max_iter=1000)
        )
        model.fit(rows, train.labels)
        return lambda values: np.asarray(model.predict(_flat(values)))


def _flat(values: np.ndarray) -> Float[np.ndarray, "n samples"]:
    return to_unit(values.reshape(len(values), -1))
