"""Checks of fields when a definition is built, and of arrays before anything is computed from them.

NumPy and JAX broadcast: labels ``(b, 1)``, one-hot rows or a list of another length give a number without complaint, and it is
wrong. Shapes and dtypes are known even under ``jit``, so to check them costs nothing.
"""

import abc
import numbers
from collections.abc import Collection, Sequence
from typing import Any, Literal, TypeAlias, get_args

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.types import AnyArray, Array, Bool, Float, Int, Shaped

UncheckedEmbeddings: TypeAlias = Shaped[AnyArray, "..."]
"""Embeddings ``(b, d)`` of any float dtype, as a caller hands them over."""

UncheckedLabels: TypeAlias = Shaped[AnyArray, "..."]
"""Integer labels ``(b,)``, as a caller hands them over."""

UncheckedFlags: TypeAlias = Shaped[AnyArray, "..."]
"""Booleans ``(n,)``, such as whether each pair shows one person, as a caller hands them over."""

UncheckedNumbers: TypeAlias = Shaped[AnyArray, "..."]
"""Real numbers, such as distances ``(n,)``, as a caller hands them over."""

Kind: TypeAlias = Literal["integers", "booleans", "numbers", "floats"]
"""What an array may hold. ``numbers`` are integers or floats of any precision."""

Axis: TypeAlias = int | str
"""A size, or a letter that stands for any size."""

_INT32 = np.iinfo(np.int32)


def check_array(
    owner: str, name: str, array: AnyArray, shape: Collection[Axis], kind: Kind = "numbers", help: str = ""
) -> None:
    """Raises ValueError unless an array has a shape and holds what it should.

    Args:
        owner: who asks, such as ``Triplet``.
        name: what the argument is called.
        array: NumPy's or JAX's, traced or not.
        shape: a size, or a letter for any size, for each axis; the same letter stands for the same size.
        kind: what it must hold.
        help: a sentence that says what to give instead.

    Example:
        >>> check_array("Triplet", "labels", np.zeros((3, 1), int), (3,), "integers")
        Traceback (most recent call last):
        ValueError: Triplet: labels must be integers of shape (3,), and are int64 of shape (3, 1).
    """
    if np.ma.is_masked(array):
        raise ValueError(f"{owner}: {name} are a masked array, whose mask nothing here heeds. Leave out what is masked first.")
    found, dtype = tuple(array.shape), array.dtype
    sizes: dict[Axis, int] = {}
    # setdefault returns what the letter stood for before.
    fits = len(found) == len(shape) and all(
        size == (sizes.setdefault(axis, size) if isinstance(axis, str) else axis)
        for axis, size in zip(shape, found, strict=True)
    )
    if not fits or not _holds(dtype, kind):
        wanted = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        said = f"{owner}: {name} must be {kind} of shape ({wanted}), and are {dtype} of shape {found}."
        raise ValueError(f"{said} {help}" if help else said)


def as_numpy(owner: str, name: str, array: Any, shape: Collection[Axis], kind: Kind = "numbers", help: str = "") -> np.ndarray:
    """The array on the host, checked as :func:`check_array` does."""
    # What is masked must be seen by the check.
    given = np.asanyarray(array)
    check_array(owner, name, given, shape, kind, help)
    return np.asarray(given)


def check_last_axis(owner: str, first: AnyArray, second: AnyArray) -> None:
    """Raises ValueError unless two arrays of embeddings have the same number of dimensions d, the last axis of both."""
    shapes = tuple(np.shape(first)), tuple(np.shape(second))
    if not shapes[0] or not shapes[1] or shapes[0][-1] != shapes[1][-1]:
        raise ValueError(
            f"{owner}: embeddings of shapes {shapes[0]} and {shapes[1]} cannot be compared: the last axis of both must be "
            "of one size, the dimension of the embedding."
        )


def as_embeddings(owner: str, embeddings: UncheckedEmbeddings) -> Float[Array, "b d"]:
    """The embeddings as float32.

    Raises:
        ValueError: they are not numbers of shape (b, d).
    """
    given = _array(embeddings)
    check_array(owner, "embeddings", given, ("b", "d"), help="Give one row for each image.")
    if not given.shape[1]:
        raise ValueError(f"{owner}: embeddings of shape {given.shape} have no numbers, by which nothing can be compared.")
    return jnp.asarray(given, jnp.float32)


def as_labels(owner: str, labels: UncheckedLabels, count: int, items: str = "embeddings") -> Int[Array, "b"]:
    """Integer labels as JAX holds them: in 32 bits, or 64 where these are enabled.

    Args:
        owner: who asks.
        labels: NumPy's, JAX's, or a list.
        count: how many there must be.
        items: what each label belongs to.

    Raises:
        ValueError: they are not integers of shape ``(count,)``; a label that is known here does not fit into 32 bits.
    """
    given = _array(labels)
    help = f"Give one integer for each of {count} {items}."
    check_array(owner, "labels", given, (count,), "integers", help)
    if isinstance(given, np.ndarray):
        given = _in_32_bits(owner, given)
    # In no fewer bits, so that labels can be compared with a number of classes beyond 255.
    return jnp.asarray(given, jnp.int64 if given.dtype.itemsize == 8 else jnp.int32)


def as_labels_or_same(owner: str, labels_or_same: Any, count: int | None) -> Int[Array, "b"] | Bool[Array, "b b"]:
    """Integer labels ``(count,)`` as :func:`as_labels` gives them, or a boolean same-person mask ``(count, count)``.

    Args:
        owner: who asks.
        labels_or_same: NumPy's, JAX's, or a list.
        count: how many embeddings there are; None for as many as there are labels.

    Raises:
        ValueError: they are neither; a label that is known here does not fit into 32 bits; a mask that is known here is not
            symmetric.
    """
    given = _array(labels_or_same)
    if count is None:
        count = len(given) if given.ndim else 1
    if given.ndim == 2 and given.shape == (count, count) and given.dtype == bool:
        if isinstance(given, np.ndarray):
            _check_symmetric(owner, given)
        return jnp.asarray(given)
    if given.ndim == 1 and given.shape == (count,) and _holds(given.dtype, "integers"):
        return as_labels(owner, given, count)
    raise ValueError(
        f"{owner}: labels must be integers of shape ({count},), or a same-person mask of booleans of shape ({count}, {count}), "
        f"for {count} embeddings, and are {given.dtype} of shape {given.shape}. "
        + ("One-hot rows become labels by `argmax(axis=1)`." if given.ndim == 2 else "Give one integer for each embedding.")
    )


def check_members(owner: str, field: str, value: object, protocol: type, say: str) -> None:
    """Raises ValueError, naming what is missing, unless a value has every member of a protocol.

    Args:
        owner: the class whose field it is.
        field: the field.
        value: what the field was given.
        protocol: a ``typing.Protocol``, or an abstract class.
        say: what to give, such as ``Triplet()``.
    """
    if isinstance(value, type):
        raise ValueError(f"{owner}.{field} is the class {value.__name__}: give one of its values, such as {value.__name__}(…).")
    missing = [name for name in members(protocol) if not hasattr(value, name)]
    if missing:
        raise ValueError(
            f"{owner}.{field} is {value!r}, which is no {protocol.__name__}: {type(value).__name__} has no "
            f"{' and no '.join(f'`{name}`' for name in missing)}. Give {say}, or a class of your own with every member of "
            f"{protocol.__module__}.{protocol.__name__}."
        )


def check_numbers(owner: str, name: str, values: Any) -> Float[np.ndarray, "..."]:
    """The values as float64 on the host, whatever their shape: distances, say.

    Raises:
        ValueError: they are no real numbers, or some are masked.
    """
    given = np.asanyarray(values)
    check_array(owner, name, given, given.shape)
    return np.asarray(given, np.float64)


def check_threshold(owner: str, threshold: float) -> None:
    """Raises ValueError for a threshold that is NaN, which says "different" of every pair, and "not missed" as well."""
    if np.isnan(threshold):
        raise ValueError(f"{owner}: the threshold is NaN, and nothing lies on either side of it. Give a number.")


def _array(given: Any) -> AnyArray:
    return given if isinstance(given, jax.Array) else np.asanyarray(given)


def members(protocol: type) -> tuple[str, ...]:
    """What a protocol or an abstract class asks for, in the order that it says it."""
    found: dict[str, None] = {}
    for base in reversed(protocol.__mro__):
        if base.__name__ != "Protocol" and (getattr(base, "_is_protocol", False) or issubclass(base, abc.ABC)):
            found |= dict.fromkeys([*vars(base).get("__annotations__", {}), *vars(base)])
    return tuple(name for name in found if name == "__call__" or not name.startswith("_"))


def _holds(dtype: Any, kind: Kind) -> bool:
    # A span of time is a signed integer to NumPy.
    integers = jnp.issubdtype(dtype, jnp.integer) and np.dtype(dtype).kind != "m"
    match kind:
        case "integers":
            return integers
        case "booleans":
            return jnp.issubdtype(dtype, jnp.bool_)
        case "floats":
            return jnp.issubdtype(dtype, jnp.floating)
        case "numbers":
            return integers or jnp.issubdtype(dtype, jnp.floating)


def _check_symmetric(owner: str, same: np.ndarray) -> None:
    """One triangle of a mask would be half of the pairs to one loss and all of them to another."""
    one_way = np.argwhere(same & ~same.T)
    if len(one_way):
        i, j = one_way[0].tolist()
        raise ValueError(
            f"{owner}: the same-person mask says that {i} and {j} are one person and that {j} and {i} are not. Make it "
            "symmetric, `mask | mask.T`."
        )


def _in_32_bits(owner: str, labels: np.ndarray) -> np.ndarray:
    if labels.dtype.itemsize < 4 or jax.config.read("jax_enable_x64"):
        return labels
    if not labels.size:
        return labels.astype(np.int32)
    if labels.min() < _INT32.min or labels.max() > _INT32.max:
        raise ValueError(
            f"{owner}: labels run from {labels.min()} to {labels.max()}, and JAX keeps integers in 32 bits, where labels 2³² "
            "apart become one. Number them from 0: `numpy.unique(labels, return_inverse=True)[1]`."
        )
    return labels.astype(np.int32)


def check_finite_nonnegative(owner: str, field: str, value: Any) -> None:
    """Raise ValueError unless the field holds a finite number that is at least 0."""
    if not (_is_number(value) and 0.0 <= value < float("inf")):
        raise ValueError(f"{owner}({field}={value!r}): {field} must be a finite number, at least 0. Give {field}=0.2, say.")


def check_finite_positive(owner: str, field: str, value: Any) -> None:
    """Raise ValueError unless the field holds a finite number above 0."""
    if not (_is_number(value) and 0.0 < value < float("inf")):
        raise ValueError(f"{owner}({field}={value!r}): {field} must be a finite number above 0. Give {field}=1.0, say.")


def check_count(owner: str, field: str, value: Any, *, least: int = 1) -> None:
    """Raise ValueError unless the field holds a whole number that is at least so large."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{owner}({field}={value!r}): {field} must be at least {least}, a whole number.")


def check_choice(owner: str, field: str, value: Any, choices: Any) -> None:
    """Raise ValueError unless the field holds one of the values of a Literal type."""
    allowed: Sequence[str] = get_args(choices)
    if value not in allowed:
        names = ", ".join(repr(choice) for choice in allowed)
        raise ValueError(f"{owner}({field}={value!r}): {field} must be one of {names}.")


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) or getattr(value, "ndim", None) == 0
