"""One's own signals, images, volumes or films: labelled arrays in an .npz file."""

import dataclasses

import numpy as np

from likeness.research.data.examples import Examples, Parts
from likeness.research.data.npz import BadArchive, read_npz
from likeness.research.data.paths import expand_path, printable
from likeness.research.data.regular import open_regular
from likeness.research.errors import UserError

__all__ = ["ExampleArrays"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExampleArrays:
    """An .npz file with ``values`` (n, …, c) and integer ``labels`` (n,), written by ``numpy.savez(path, values=…, labels=…)``.

    Values are signals (n, t, c), images (n, h, w, c), volumes or films (n, d, h, w, c): floating point in [0, 1], or unsigned
    integers whose largest value stands for 1. An array ``groups`` (n,) of integers may say whose each example is: patients,
    devices, films. All of a group then come into the same part; without it each row is a group of its own.
    """

    path: str
    """The file; ``~`` and environment variables are replaced."""
    classes: tuple[str, ...]
    """What the labels 0, 1, … are called."""
    validation: float = 0.15
    """The share of groups to decide by."""
    test: float = 0.15
    """The share of groups to be evaluated by."""
    seed: int = 0
    """Decides which."""

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise ValueError(f"ExampleArrays.classes is {self.classes}: name at least two classes.")
        if min(self.validation, self.test) <= 0 or self.validation + self.test >= 1 or self.seed < 0:
            raise ValueError(
                f"ExampleArrays.validation and .test are {self.validation} and {self.test}, with the seed {self.seed}: give "
                "shares above 0 that leave some to learn from, and a seed of 0 or more."
            )

    def class_names(self) -> tuple[str, ...]:
        """What the labels are called."""
        return self.classes

    def open(self) -> Parts:
        """Reads the file into memory and splits it.

        Raises:
            UserError: it is missing, not an .npz file, damaged, or its arrays do not fit together.
        """
        name = printable(expand_path(self.path))
        arrays = self._load(name)
        values, labels = arrays["values"], arrays["labels"]
        groups = arrays.get("groups", np.arange(len(labels)))
        problem = self._problem(values, labels, groups)
        if problem:
            raise UserError(f"{name} cannot be used: {problem}.")
        kept = values.astype(np.float32) if values.dtype.kind == "f" else values
        _, group = np.unique(groups, return_inverse=True)
        order = np.random.default_rng(self.seed).permutation(int(group.max()) + 1)
        first = max(1, round(self.validation * len(order)))
        second = first + max(1, round(self.test * len(order)))
        part = np.searchsorted([first, second], np.argsort(order)[group], side="right")
        # 0 is validation, 1 test and 2 the rest.
        train, validation, test = (
            Examples(values=kept[part == which], labels=labels[part == which].astype(np.int32), classes=self.classes)
            for which in (2, 0, 1)
        )
        if not len(train):
            raise UserError(f"{name} has too few groups of examples for three parts: {len(order)}.")
        return Parts(train, validation, test)

    def _load(self, name: str) -> dict[str, np.ndarray]:
        try:
            with open_regular(expand_path(self.path)) as file:
                arrays = read_npz(file, ("values", "labels", "groups"))
        except BadArchive as error:
            raise UserError(
                f"{name} cannot be read as an .npz file of plain arrays: {error}. It is written by "
                "`numpy.savez(path, values=…, labels=…)`."
            ) from error
        if missing := [key for key in ("values", "labels") if key not in arrays]:
            raise UserError(f"{name} has no array {missing[0]!r}: write it by `numpy.savez(path, values=…, labels=…)`.")
        return arrays

    def _problem(self, values: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> str:
        if not 3 <= values.ndim <= 5 or values.dtype.kind not in "uf" or 0 in values.shape:
            return (
                f"its values are {values.dtype} {values.shape}, and floating point or unsigned integers of (n, t, c), "
                "(n, h, w, c) or (n, d, h, w, c) are expected; one channel is added by values[..., None]"
            )
        if labels.shape != values.shape[:1] or labels.dtype.kind not in "iu" or groups.shape != labels.shape:
            return f"labels and groups must be integers, one for each of {len(values)} examples"
        if not 0 <= labels.min() <= labels.max() < len(self.classes):
            return f"its labels run from {labels.min()} to {labels.max()}, and {len(self.classes)} classes are named"
        if values.dtype.kind == "f" and not (values.min() >= 0 and values.max() <= 1):
            return (
                f"its values run from {values.min():g} to {values.max():g}, and [0, 1] is expected: "
                "scale them all by the same numbers"
            )
        return ""
