"""Three ways back through a ReLU: the gradient, the deconvnet's, and the guided one.

They differ in nothing but what a ReLU hands back to its input, so a network needs no second network beside it: the same
function is traced, each ReLU in it is replaced by one that goes back by another rule, and its gradient is taken.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
from jax.extend import core

from likeness.research.types import AnyArray, Array, Float, Int

__all__ = ["Rule", "reconstruct", "with_rule"]

Rule = Literal["gradient", "deconvnet", "guided"]
_P = ParamSpec("_P")
_R = TypeVar("_R")
_CEILINGS = {"relu": float("inf"), "relu6": 6.0}
_INLINE = {"jit": "jaxpr", "pjit": "jaxpr", "remat2": "jaxpr", "checkpoint": "jaxpr", "closed_call": "call_jaxpr"}


def with_rule(function: Callable[_P, _R], rule: Rule) -> Callable[_P, _R]:
    """The same function, whose gradient goes back through each ReLU by a rule.

    With x what goes into a ReLU and g what comes back from above, its input is handed

        gradient    g where x > 0                       (Simonyan et al. 2014)
        deconvnet   g where g > 0                       (Zeiler and Fergus 2014)
        guided      g where x > 0 and g > 0             (Springenberg et al. 2015)

    and 0 elsewhere. Max-pooling hands back to where the maximum was, as the switches of a deconvnet do, and a convolution's
    gradient is the deconvnet's transposed filter. ReLU and ReLU6 are those of ``jax.nn``; a PReLU has a slope on both sides,
    none of the rules is made for it, and its own gradient is kept.

    Args:
        function: of arrays; what it computes does not change.
        rule: the way back.

    Raises:
        ValueError: when called, there is no ReLU in the function.
    """

    @functools.wraps(function)
    def changed(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        closed, shapes = jax.make_jaxpr(functools.partial(function, **kwargs), return_shape=True)(*args)
        relus: list[str] = []
        leaves = _evaluate(closed.jaxpr, closed.consts, jax.tree.leaves(args), rule, relus)
        if not relus:
            raise ValueError(
                f"the rule {rule!r} is for ReLUs and the function has none: for a network without them, such as one of PReLUs, "
                "take the plain gradient, which is the rule 'gradient'"
            )
        return jax.tree.unflatten(jax.tree.structure(shapes), leaves)

    return changed


def reconstruct(
    activations: Callable[[Float[Array, "n *space c"]], Float[Array, "n *map units"]],
    images: Float[AnyArray, "n *space c"],
    units: Int[AnyArray, "n"],
    places: Int[AnyArray, "n axes"],
    rule: Rule,
) -> Float[Array, "n *space c"]:
    """What in each image excites one unit at one place, projected back to the pixels.

    Args:
        activations: of a layer, of images. Images must not mix, as in a batch's own statistics.
        images: as many as there are units.
        units: a channel for each.
        places: where in its map, for each.
        rule: how to go back through ReLUs; ``gradient`` needs none.

    Returns:
        The derivative of the activations by the pixels, by that rule.
    """

    def excited(pixels: Float[Array, "n *space c"]) -> Array:
        found = activations(pixels)
        at = tuple(jnp.asarray(places).T)
        return jnp.sum(found[(jnp.arange(len(found)), *at, jnp.asarray(units))].astype(jnp.float32))

    pixels = jnp.asarray(images)
    return jax.grad(excited if rule == "gradient" else with_rule(excited, rule))(pixels)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _relu(rule: Rule, ceiling: float, x: Array) -> Array:
    return jnp.clip(x, 0, ceiling)


def _forward(rule: Rule, ceiling: float, x: Array) -> tuple[Array, Array]:
    return _relu(rule, ceiling, x), (x > 0) & (x < ceiling)


def _backward(rule: Rule, ceiling: float, passed: Array, above: Array) -> tuple[Array]:
    del ceiling
    if rule == "deconvnet":
        return (jnp.maximum(above, 0),)
    back = jnp.where(passed, above, 0)
    return (jnp.maximum(back, 0) if rule == "guided" else back,)


_relu.defvjp(_forward, _backward)


def _evaluate(jaxpr: Any, consts: Sequence[Any], args: Sequence[Any], rule: Rule, relus: list[str]) -> list[Any]:
    """Computes a traced function, with its ReLUs replaced; notes those that it meets."""
    known: dict[Any, Any] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, core.Literal) else known[variable]

    for equation in jaxpr.eqns:
        inputs = [read(variable) for variable in equation.invars]
        name = _name(equation)
        inner = _INLINE.get(equation.primitive.name)
        if name in _CEILINGS:
            relus.append(name)
            outputs = [_relu(rule, _CEILINGS[name], inputs[0])]
        elif inner is not None:
            body = equation.params[inner]
            jaxpr_of = body.jaxpr if isinstance(body, core.ClosedJaxpr) else body
            outputs = _evaluate(jaxpr_of, getattr(body, "consts", ()), inputs, rule, relus)
        else:
            outputs = _as_it_is(equation)(*inputs)
        known.update(zip(equation.outvars, outputs, strict=True))
    return [read(variable) for variable in jaxpr.outvars]


def _as_it_is(equation: Any) -> Callable[..., list[Any]]:
    """One equation as a function of its inputs, with whatever gradient it has."""
    inputs = [core.Var(variable.aval) for variable in equation.invars]
    alone = core.Jaxpr((), inputs, equation.outvars, [equation.replace(invars=inputs)], equation.effects)
    return core.jaxpr_as_fun(core.ClosedJaxpr(alone, ()))


def _name(equation: Any) -> str:
    """What a call is of, where it is of one function that has a name."""
    if equation.primitive.name == "custom_jvp_call":
        inside = equation.params["call_jaxpr"].eqns
        return _name(inside[0]) if len(inside) == 1 else ""
    return equation.params.get("name", "") if equation.primitive.name in ("jit", "pjit") else ""
