"""Puts the arrays of a file into an encoder's variables, and takes them out again."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import traverse_util

from likeness.research.data.paths import printable
from likeness.research.errors import UserError
from likeness.research.types import PyTree
from likeness.research.weights.headers import Header
from likeness.research.weights.layout import Entry, Layout, flat
from likeness.research.weights.report import Match, MatchReport


def shapes(encoder: nn.Module, image: tuple[int, int, int] = (112, 112, 3)) -> PyTree:
    """The shapes of an encoder's variables, without computing them.

    Args:
        encoder: any encoder.
        image: (h, w, c) of an image that it takes; the variables of most encoders do not depend on h and w.
    """
    key = jax.eval_shape(lambda: jax.random.key(0))
    return jax.eval_shape(encoder.init, key, jax.ShapeDtypeStruct((1, *image), np.float32))


def compare(variables: PyTree, arrays: Mapping[str, np.ndarray | Header], layout: Layout) -> MatchReport:
    """Reports what of the arrays fits an encoder.

    Args:
        variables: the encoder's, or their shapes.
        arrays: of a file, by name; or their headers, of which it cannot be told whether the numbers are finite.
        layout: how they are called and turned.
    """
    wanted, entries = flat(variables), {entry.variable: entry for entry in layout.entries}
    matched, wrong_shape, wrong_kind, missing = [], [], [], []
    for variable, leaf in wanted.items():
        entry = entries.get(variable)
        if entry is None or entry.key not in arrays:
            missing.append((variable, entry.key if entry else ""))
            continue
        array = arrays[entry.key]
        match = Match(
            key=printable(entry.key),
            variable=variable,
            found=array.shape,
            wanted=leaf.shape,
            turned=_turned(array.shape, entry),
        )
        if match.turned != leaf.shape:
            wrong_shape.append(match)
        elif jnp.issubdtype(array.dtype, jnp.floating) != jnp.issubdtype(leaf.dtype, jnp.floating):
            wrong_kind.append(f"{match.key} holds {array.dtype} and {variable} {leaf.dtype}")
        elif isinstance(array, np.ndarray) and not np.isfinite(array).all():
            wrong_kind.append(f"{match.key} holds infinities or NaN")
        else:
            matched.append(match)
    known = {entry.key: entry.variable for entry in layout.entries}
    passed = [key for key in arrays if key not in known and layout.ignores(key)]
    return MatchReport(
        layout=layout.name,
        matched=tuple(matched),
        wrong_shape=tuple(wrong_shape),
        wrong_kind=tuple(wrong_kind),
        missing=tuple(missing),
        unmatched=tuple(key for key in arrays if key not in known and key not in passed),
        unused=tuple(key for key in arrays if key in known and known[key] not in wanted),
        ignored=tuple(passed),
    )


def fill(
    variables: PyTree, arrays: Mapping[str, np.ndarray], layout: Layout, *, strict: bool = True, source: str = "given"
) -> tuple[PyTree, MatchReport]:
    """Puts the arrays of a file into an encoder's variables.

    Args:
        variables: the encoder's, or their shapes (:func:`shapes`); they are not changed.
        arrays: of a file, by name.
        layout: how they are called and turned.
        strict: whether every variable must be filled and every array be accounted for; otherwise what does not match
            stays as it was, and the report says what.
        source: what the file is called, for errors.

    Returns:
        Variables of the same structure and dtypes, in NumPy arrays, and what matched.

    Raises:
        UserError: something does not match and ``strict``, or a variable that nothing fills is a mere shape.
    """
    report = compare(variables, arrays, layout)
    if strict:
        report.check(source)
    wanted, entries = flat(variables), {entry.variable: entry for entry in layout.entries}
    filled = dict(wanted)
    for match in report.matched:
        entry, leaf = entries[match.variable], wanted[match.variable]
        turned = np.transpose(arrays[entry.key], entry.axes) if entry.axes else arrays[entry.key]
        filled[match.variable] = np.array(turned, leaf.dtype, order="C")
    bare = [path for path, leaf in filled.items() if isinstance(leaf, jax.ShapeDtypeStruct)]
    if bare:
        raise UserError(
            f"The weights {source} leave {len(bare)} variables without a value, the first {bare[0]}: give variables that "
            "encoder.init made, and not their shapes, to keep what the file does not have."
        )
    return traverse_util.unflatten_dict(filled, sep="/"), report


def take(variables: PyTree, layout: Layout) -> dict[str, np.ndarray]:
    """The way back: an encoder's variables under the names and in the order of a file.

    Args:
        variables: the encoder's.
        layout: how arrays are called and turned there; what it has beyond the encoder is left out.

    Returns:
        Arrays that :func:`fill` puts back bit for bit.

    Raises:
        UserError: the layout has no place for a variable.
    """
    entries = {entry.variable: entry for entry in layout.entries}
    arrays = {}
    for variable, leaf in flat(variables).items():
        if variable not in entries:
            raise UserError(f"{layout.name} has no name for {variable}: export it under the names of Likeness.")
        entry, array = entries[variable], np.asarray(leaf)
        arrays[entry.key] = np.array(np.transpose(array, entry.inverse) if entry.axes else array, order="C")
    return arrays


def best(arrays: Mapping[str, np.ndarray | Header], layouts: Sequence[Layout]) -> Layout:
    """The layout that knows the most of the names; the first of equals."""
    return max(layouts, key=lambda layout: sum(entry.key in arrays for entry in layout.entries))


def _turned(sides: tuple[int, ...], entry: Entry) -> tuple[int, ...]:
    # With another number of axes there is no order to speak of; the shapes differ as they are.
    return tuple(sides[axis] for axis in entry.axes) if len(entry.axes) == len(sides) else sides
