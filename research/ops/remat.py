"""Gradients that compute activations a second time instead of keeping them: memory bought with time."""

import contextlib
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
from flax import linen as nn

from likeness.research.types import AnyArray, PyTree

__all__ = ["Keep", "Part", "count_parts", "recomputing"]

Keep: TypeAlias = Literal["activations", "convolutions", "blocks"]
"""What the backward pass finds still there: everything; of each part its input and the outputs of its convolutions and matrix
products; or of each part its input alone."""


class Part(nn.Module):
    """A part of an encoder that may be computed twice, such as a residual block: the base class of such modules.

    It maps an array with a row for each image, its first argument, to another. It reads only its own variables and draws
    nothing at random.
    """


def recomputing(keep: Keep) -> contextlib.AbstractContextManager[None]:
    """Where this is entered, what an encoder applies of :class:`Part` keeps no more for its gradient than ``keep`` says.

    ``jax.checkpoint`` alone does not save memory everywhere: XLA for CPUs takes its barriers out before it decides what runs
    when, and a second forward pass that may run at any time runs early. So here the second pass needs a number of the gradient
    that comes in, row for row, from which no value depends unless it is NaN, and so would be the result.

    What is not in a part keeps its activations. Values and gradients are those of the encoder alone. Reverse mode only.
    """
    return contextlib.nullcontext() if keep == "activations" else nn.intercept_methods(_interceptor(keep))


def count_parts(encoder: nn.Module, shape: tuple[int, ...]) -> int:
    """How many parts an encoder applies to images of ``shape`` (b, h, w, c), those inside of others not counted."""
    found: list[tuple[str, ...]] = []

    def note(following: Callable[..., Any], given: Any, named: Any, context: nn.module.InterceptorContext) -> Any:
        path = context.module.path
        if isinstance(context.module, Part) and not any(path[: len(outer)] == outer for outer in found):
            found.append(path)
        return following(*given, **named)

    with nn.intercept_methods(note):
        jax.eval_shape(encoder.init, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))
    return len(found)


def _interceptor(keep: Keep) -> Callable[..., Any]:
    inside = False

    def apply(following: Callable[..., Any], given: Any, named: Any, context: nn.module.InterceptorContext) -> Any:
        module = context.module
        if inside or not isinstance(module, Part) or context.method_name != "__call__" or module.is_initializing():
            return following(*given, **named)
        # Of its own, so that its variables go in and out as arguments: JAX differentiates functions, not scopes.
        alone = module.clone(parent=None, name=None)
        variables = dict(module.variables)
        changing = [collection for collection in variables if module.is_mutable_collection(collection)]
        x, *rest = given

        def pure(variables: PyTree, x: AnyArray) -> tuple[PyTree, PyTree]:
            nonlocal inside
            inside = True
            try:
                return alone.apply(variables, x, *rest, **named, mutable=changing)
            finally:
                inside = False

        result, changed = _recomputed(pure, keep)(variables, x)
        for collection, entries in changed.items():
            for name, value in entries.items():
                module.put_variable(collection, name, value)
        return result

    return apply


def _recomputed(function: Callable[..., Any], keep: Keep) -> Callable[..., Any]:
    """``function(variables, x)``, whose first result is what differentiates and which has two."""
    if keep == "convolutions":
        function = jax.checkpoint(function, policy=jax.checkpoint_policies.dots_saveable)

    @jax.custom_vjp
    def recomputed(variables: PyTree, x: Any) -> Any:
        return function(variables, x)

    def forward(variables: PyTree, x: Any) -> tuple[Any, Any]:
        if keep == "convolutions":
            return jax.vjp(function, variables, x)
        return function(variables, x), (variables, x)

    def backward(kept: Any, slopes: Any) -> Any:
        if keep == "convolutions":
            return _after(slopes[0], kept)(slopes)
        variables, x = kept
        _, pull = jax.vjp(function, variables, _after(slopes[0], x))
        return pull(slopes)

    recomputed.defvjp(forward, backward)
    return recomputed


def _after(slope: Any, kept: PyTree) -> PyTree:
    """``kept``, of whose arrays those with a row for each image are known only when ``slope`` is."""
    strange = jnp.isnan(slope.reshape(len(slope), -1)[:, 0])

    def wait(leaf: Any) -> Any:
        rows = jnp.ndim(leaf) > 1 and len(leaf) == len(strange) and jnp.issubdtype(leaf.dtype, jnp.inexact)
        return jnp.where(strange.reshape(-1, *(1,) * (leaf.ndim - 1)), jnp.nan, leaf) if rows else leaf

    return jax.tree.map(wait, kept)
