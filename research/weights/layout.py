"""How the arrays of a file are called and turned, beside the variables of an encoder."""

import collections
import dataclasses
import fnmatch
from collections.abc import Iterable

from flax import traverse_util

from likeness.research.types import PyTree


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One array: ``variable = transpose(file[key], axes)``."""

    variable: str
    """The variable's path in the encoder: ``params/conv1_1/kernel``."""
    key: str
    """Its name in the file: ``features.0.weight``."""
    axes: tuple[int, ...] = ()
    """The file's axes in the variable's order, such as (2, 3, 1, 0) for OIHW → HWIO; () leaves them."""

    @property
    def inverse(self) -> tuple[int, ...]:
        """The variable's axes in the file's order."""
        return tuple(self.axes.index(axis) for axis in range(len(self.axes)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """What each array of a kind of file is in an encoder.

    A layout may cover more than an encoder has, such as the layers after the one that it stops at: what is left over is
    reported and is no error. What the file holds beyond the layout is.
    """

    name: str
    """Whose files these are, for reports: ``torchvision VGG-19``."""
    entries: tuple[Entry, ...]
    """One a variable."""
    ignored: tuple[str, ...] = ()
    """Names that no encoder here wants, as patterns: ``classifier.*``, ``*.num_batches_tracked``."""

    def __post_init__(self) -> None:
        for field in ("variable", "key"):
            counted = collections.Counter(getattr(entry, field) for entry in self.entries)
            twice = sorted(name for name, count in counted.items() if count > 1)
            if twice:
                raise ValueError(f"Layout {self.name!r}: two entries have the {field} {twice[0]!r}; each may have one.")

    def ignores(self, key: str) -> bool:
        """Whether an array of this name is to be passed over."""
        return any(fnmatch.fnmatchcase(key, pattern) for pattern in self.ignored)


def flat(variables: PyTree) -> dict[str, PyTree]:
    """Variables by path: ``params/conv1_1/kernel``."""
    return traverse_util.flatten_dict(variables, sep="/")


def own(variables: PyTree, name: str = "Likeness") -> Layout:
    """The layout of this project's own files: each variable under its path, as it is.

    Args:
        variables: an encoder's, or their shapes.
        name: the layout's name.
    """
    return Layout(name=name, entries=tuple(Entry(variable=path, key=path) for path in sorted(flat(variables))))


def together(layers: Iterable[tuple[Entry, ...]]) -> tuple[Entry, ...]:
    """The entries of several layers in one."""
    return tuple(entry for layer in layers for entry in layer)


def torch_convolution(key: str, variable: str, *, bias: bool = True) -> tuple[Entry, ...]:
    """A PyTorch convolution, grouped or not: weight (out, in, h, w) → kernel (h, w, in, out), and bias."""
    kernel = Entry(variable=f"params/{variable}/kernel", key=f"{key}.weight", axes=(2, 3, 1, 0))
    return (kernel, Entry(variable=f"params/{variable}/bias", key=f"{key}.bias")) if bias else (kernel,)


def torch_dense(key: str, variable: str, *, bias: bool = True) -> tuple[Entry, ...]:
    """A PyTorch linear layer: weight (out, in) → kernel (in, out), and bias."""
    kernel = Entry(variable=f"params/{variable}/kernel", key=f"{key}.weight", axes=(1, 0))
    return (kernel, Entry(variable=f"params/{variable}/bias", key=f"{key}.bias")) if bias else (kernel,)


def torch_batch_norm(key: str, variable: str) -> tuple[Entry, ...]:
    """A PyTorch batch normalization: weight, bias, running mean and variance → scale, bias, mean, var."""
    return (
        Entry(variable=f"params/{variable}/scale", key=f"{key}.weight"),
        Entry(variable=f"params/{variable}/bias", key=f"{key}.bias"),
        Entry(variable=f"batch_stats/{variable}/mean", key=f"{key}.running_mean"),
        Entry(variable=f"batch_stats/{variable}/var", key=f"{key}.running_var"),
    )


def keras_convolution(kernel: str, bias: str, variable: str) -> tuple[Entry, ...]:
    """A Keras convolution of TensorFlow's order: kernel (h, w, in, out) and bias, as they are."""
    return (
        Entry(variable=f"params/{variable}/kernel", key=kernel),
        Entry(variable=f"params/{variable}/bias", key=bias),
    )
