"""Sanity checks of saliency: does a map change when what the network has learned is destroyed? (Adebayo et al. 2018.)

A map that stays as it was shows the image, its edges say, and not what the network makes of it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from likeness.research.metrics.image_quality import ssim
from likeness.research.types import Float, PyTree

__all__ = ["layers_with_weights", "map_similarity", "rank_correlation", "with_other_weights"]

Path = tuple[str, ...]


def layers_with_weights(encoder: nn.Module, variables: PyTree, shape: Sequence[int]) -> tuple[tuple[Path, ...], ...]:
    """The parts of an encoder that have weights, in the order in which they are applied, the lowest first.

    A part is one of the encoder's own modules, such as a convolution or a residual block; a normalization or another module
    that has vectors only belongs to the part before it. Wrappers that hold nothing but an encoder are looked through.

    Args:
        encoder: a flax module.
        variables: its variables.
        shape: of one image, (*space, c).

    Returns:
        For each part the paths of its modules in the collections of ``variables``.
    """
    order: list[Path] = []

    def note(following: Callable[..., Any], given: Any, named: Any, context: nn.module.InterceptorContext) -> Any:
        order.append(context.module.path)
        return following(*given, **named)

    with nn.intercept_methods(note):
        jax.eval_shape(encoder.apply, variables, jax.ShapeDtypeStruct((1, *shape), jnp.float32))
    params: Any = variables["params"]
    above: Path = ()
    while len(inside := _at(params, above)) == 1 and isinstance(only := next(iter(inside.values())), dict):
        if not any(isinstance(each, dict) for each in only.values()):
            break
        above = (*above, next(iter(inside)))
    own = dict.fromkeys(path[: len(above) + 1] for path in order if path[: len(above)] == above and len(path) > len(above))
    parts: list[list[Path]] = []
    for path in own:
        if path[-1] not in _at(params, above):
            continue
        matrices = any(np.ndim(leaf) > 1 for leaf in jax.tree.leaves(_at(params, path)))
        if matrices or not parts:
            parts.append([path])
        else:
            parts[-1].append(path)
    return tuple(tuple(part) for part in parts)


def with_other_weights(variables: PyTree, others: PyTree, paths: Sequence[Path]) -> PyTree:
    """The variables with those of some modules taken from others, running statistics included.

    Example:
        >>> variables = {"params": {"a": {"kernel": 1}, "b": {"kernel": 2}}}
        >>> with_other_weights(variables, {"params": {"a": {"kernel": 3}, "b": {"kernel": 4}}}, [("b",)])
        {'params': {'a': {'kernel': 1}, 'b': {'kernel': 4}}}
    """
    changed = {name: _copied(tree) for name, tree in variables.items()}
    for collection, tree in changed.items():
        for path in paths:
            parent, source = tree, others[collection]
            for name in path[:-1]:
                parent, source = parent.get(name, {}), source.get(name, {})
            if path[-1] in parent:
                parent[path[-1]] = source[path[-1]]
    return changed


def rank_correlation(first: Float[np.ndarray, "*space"], second: Float[np.ndarray, "*space"]) -> float:
    """Spearman's rank correlation of two maps, -1 to 1; equal values share their mean rank.

    A map of one value ranks nothing and correlates with nothing: 0.

    Example:
        >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 8.0, 27.0]))
        1.0
    """
    a, b = (stats.rankdata(np.asarray(each, np.float64).ravel()) for each in (first, second))
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt(np.sum(a * a) * np.sum(b * b))
    return 0.0 if norm == 0 else float(np.round(np.sum(a * b) / norm, 12))


def map_similarity(first: Float[np.ndarray, "h w"], second: Float[np.ndarray, "h w"]) -> float:
    """Structural similarity of two maps of values from 0 on, each brought to the range 0 to 1 first.

    The largest hundredth counts as 1: of gradients a few pixels are many times as large as all others.

    Raises:
        ValueError: the maps differ in size, or have a side below 11.
    """
    return ssim(_scaled(first), _scaled(second))


def _scaled(values: np.ndarray) -> np.ndarray:
    largest = np.quantile(values, 0.99) or values.max()
    return np.clip(values / largest, 0, 1) if largest > 0 else np.zeros_like(values)


def _at(tree: Any, path: Path) -> Any:
    for name in path:
        tree = tree[name]
    return tree


def _copied(tree: Any) -> Any:
    return {name: _copied(each) for name, each in tree.items()} if isinstance(tree, dict) else tree
