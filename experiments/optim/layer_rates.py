"""Learning rates of single layers, and layers that do not learn."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import optax

from likeness.research.errors import UserError
from likeness.research.types import PyTree

_MOST = 12
"""So many parts are named where none matched."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerRate:
    """A factor of the learning rate of every parameter below ``part``: with η of the schedule they move by ``times`` η.

    Of several that hold a parameter the one with the longest path counts, so ``encoder`` may stand still and
    ``encoder/encoder/conv3`` learn. Howard and Ruder, "Universal language model fine-tuning", ACL 2018, is the use: layers near
    the image change less.

    Example:
        >>> LayerRate(part="encoder/encoder/conv1", times=0.0)
        LayerRate(part='encoder/encoder/conv1', times=0.0)
    """

    part: str
    """The path of a parameter or of all within a layer, whose parts ``/`` separates, such as ``encoder/encoder/stage1_1``."""
    times: float = 0.0
    """0 leaves the parameters as they are, to the bit: they cost no gradient, have no moments, and do not decay."""

    def __post_init__(self) -> None:
        if not self.part or self.part != self.part.strip("/"):
            raise ValueError(f"LayerRate.part is {self.part!r}: give a path such as 'encoder/conv1', without / at its ends")
        if not 0 <= self.times < math.inf:
            raise ValueError(f"LayerRate.times is {self.times}, of the part {self.part!r}: give 0, or a factor above 0")


@runtime_checkable
class Freezes(Protocol):
    """An optimizer that leaves some parameters as they are."""

    def frozen(self, params: PyTree) -> PyTree:
        """A tree of the same structure as ``params``: True for what does not change."""
        ...


def check_rates(owner: str, rates: Sequence[LayerRate]) -> None:
    """Refuses two rates for one part.

    Raises:
        ValueError: naming the part.
    """
    parts = [rate.part for rate in rates]
    for part in parts:
        if parts.count(part) > 1:
            raise ValueError(f"{owner}.rates has {parts.count(part)} rates for the part {part!r}: leave one")


def factors(params: PyTree, rates: Sequence[LayerRate]) -> PyTree:
    """By what the learning rate of each parameter is multiplied; 1 for one that no rate names.

    Args:
        params: any pytree of arrays, or of their shapes.
        rates: of parts of it.

    Returns:
        Floats in a tree of the same structure.

    Raises:
        UserError: a part that no parameter lies in, with the parts that there are where its path leaves the tree.

    Example:
        >>> factors({"a": {"w": 1.0, "b": 1.0}}, [LayerRate(part="a", times=0.1), LayerRate(part="a/b", times=0.0)])
        {'a': {'b': 0.0, 'w': 0.1}}
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(params)
    paths = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
    for rate in rates:
        if not any(_within(path, rate.part) for path in paths):
            raise UserError(_nothing(rate, paths))

    def factor(path: str) -> Any:
        holding = [rate for rate in rates if _within(path, rate.part)]
        return max(holding, key=lambda rate: len(rate.part)).times if holding else 1.0

    return jax.tree.unflatten(structure, [factor(path) for path in paths])


def scaled(rates: Sequence[LayerRate]) -> optax.GradientTransformation:
    """Multiplies each parameter's update by its factor."""

    def update(updates: PyTree, params: PyTree | None) -> PyTree:
        del params
        return jax.tree.map(lambda times, change: times * change, factors(updates, rates), updates)

    return optax.stateless(update)


def _within(path: str, part: str) -> bool:
    return f"{path}/".startswith(f"{part}/")


def _nothing(rate: LayerRate, paths: Sequence[str]) -> str:
    """Says where the path leaves the tree."""
    names = rate.part.split("/")
    known = max(
        (names[:depth] for depth in range(len(names)) if not depth or any(_within(p, "/".join(names[:depth])) for p in paths)),
        key=len,
    )
    inside = "/".join(known)
    deeper = [path for path in paths if not known or path.startswith(f"{inside}/")]
    below = dict.fromkeys(path.split("/")[len(known)] for path in deeper)
    some = list(below)[:_MOST]
    more = f", and {len(below) - _MOST} more" if len(below) > _MOST else ""
    where = f"In {inside!r} there are" if known else "There are"
    offer = f"{where} {', '.join(some)}{more}." if some else f"{inside!r} is a parameter and has no parts."
    return f"The optimizer has a rate for {rate.part!r}, and no parameter lies there. {offer} Give the path of one of these."
