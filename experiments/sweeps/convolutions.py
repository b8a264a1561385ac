"""Convolutions of several runs, one for each run.

``vmap`` makes of a convolution whose kernels differ from run to run one grouped convolution, for which XLA:CPU has no fast
kernel. With the convolutions left as they are a step of 16 Conv-4 together takes 1.05 times as long as 16 steps one after the
other (jaxlib 0.10.2, two quiet cores; ``likeness benchmark sweeps --only Conv-4``).
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal, jaxpr_as_fun
from jax.extend.core.primitives import cond_p, conv_general_dilated_p, jit_p

from likeness.research.types import Array


def one_by_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, of which ``vmap`` leaves each convolution as it is and takes as many as there are rows.

    Only where both images and kernels have rows; where one of them is shared JAX makes one larger convolution, which is
    faster. The gradients that the function takes inside are convolutions too and treated alike, and so is what
    ``lax.platform_dependent`` chooses by the device, such as the forms of :func:`likeness.research.ops.convolution.convolve`.
    What is in another condition, in a loop or in ``jax.checkpoint`` stays as ``vmap`` makes it.
    """

    def transformed(*arguments: Any) -> Any:
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
        return jax.tree.unflatten(jax.tree.structure(shapes), _evaluate(closed, jax.tree.leaves(arguments)))

    return transformed


def _evaluate(closed: ClosedJaxpr, inputs: Sequence[Any]) -> list[Any]:
    jaxpr = closed.jaxpr
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*closed.consts, *inputs], strict=True))

    def value(of: Any) -> Any:
        return of.val if isinstance(of, Literal) else values[of]

    for equation in jaxpr.eqns:
        inputs = [value(of) for of in equation.invars]
        if equation.primitive is conv_general_dilated_p:
            results = [_by_rows(functools.partial(conv_general_dilated_p.bind, **equation.params))(*inputs)]
        elif equation.primitive is cond_p and equation.params.get("branches_platforms") and len(equation.outvars) == 1:
            # The first operand says which branch it is.
            results = [_by_rows(functools.partial(_bound, equation, inputs[0]))(*inputs[1:])]
        elif equation.primitive is jit_p:
            results = _evaluate(equation.params["jaxpr"], inputs)
        else:
            read = list(dict.fromkeys(of for of in equation.invars if not isinstance(of, Literal)))
            alone = jaxpr.replace(
                constvars=(), invars=read, outvars=equation.outvars, eqns=[equation], effects=equation.effects
            )
            results = jaxpr_as_fun(ClosedJaxpr(alone, ()))(*[values[of] for of in read])
        values.update(zip(equation.outvars, results, strict=True))
    return [value(of) for of in jaxpr.outvars]


def _bound(equation: JaxprEqn, *operands: Any) -> Array:
    return equation.primitive.bind(*operands, **equation.params)[0]


def _by_rows(function: Callable[..., Array]) -> Callable[..., Array]:
    """Under ``vmap``, computed for one row after the other where every argument has rows."""

    def rows(count: int, batched: Sequence[bool], *arguments: Array) -> tuple[Array, bool]:
        if all(batched):
            return jnp.stack([function(*(argument[row] for argument in arguments)) for row in range(count)]), True
        return jax.vmap(function, [0 if has_rows else None for has_rows in batched])(*arguments), True

    result = custom_vmap(function)
    result.def_vmap(rows)
    return result
