"""The program of an accelerator, compiled for a CPU so that it can be counted."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, jaxpr_as_fun

_Result = TypeVar("_Result")
_FOR_CPUS = (("cpu",), None)
"""The platforms of the two branches of ``lax.platform_dependent(…, cpu=…, default=…)``."""


def as_on_accelerators(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """The same function of arguments by position, which on a CPU too takes the ``default`` of ``lax.platform_dependent``.

    Of those that have ``cpu`` and ``default`` and nothing else, as this project's have; others stay as they are.

    What only a CPU does, such as a convolution by tiles with less arithmetic
    (:func:`likeness.research.ops.convolution.convolve`), is then in none of the counts.
    """

    def transformed(*arguments: Any) -> _Result:
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
        return jax.tree.unflatten(jax.tree.structure(shapes), jaxpr_as_fun(_rewritten(closed))(*jax.tree.leaves(arguments)))

    return transformed


def _rewritten(part: Any) -> Any:
    """The same program, or the parameter of an instruction with those inside it."""
    # Since JAX 0.12 a closed one is a Jaxpr too.
    if isinstance(part, Jaxpr):
        return part.replace(eqns=[_equation(equation) for equation in part.eqns])
    if isinstance(part, ClosedJaxpr):
        return part.replace(jaxpr=_rewritten(part.jaxpr))
    return type(part)(map(_rewritten, part)) if type(part) in (tuple, list) else part


def _equation(equation: JaxprEqn) -> JaxprEqn:
    params = {name: _rewritten(value) for name, value in equation.params.items()}
    if params.get("branches_platforms") == _FOR_CPUS:
        del params["branches_platforms"]
        params["branches"] = params["branches"][-1:] * len(_FOR_CPUS)
    return equation.replace(params=params)
