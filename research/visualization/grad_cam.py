"""Which places of a layer's map a number depends on, and which way: Grad-CAM."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
from jax.extend import core

from likeness.research.types import Activations, AnyArray, Array, Float, PyTree

__all__ = ["Resize", "grad_cam", "last_features", "layers_below"]

Resize: TypeAlias = Literal["nearest", "linear", "cubic"]
Named: TypeAlias = Callable[[Float[Array, "n *space c"]], Activations]
"""All activations of images, by name."""
ScoreOf: TypeAlias = Callable[[Activations], Float[Array, "n"]]
"""A number for each image, of its activations."""


def grad_cam(
    activations: Named,
    layer: str,
    score: ScoreOf,
    images: Float[AnyArray, "n *space c"],
    *,
    relu: bool = True,
    resize: Resize | None = "linear",
) -> Float[Array, "n *map"]:
    """The map of a layer, its channels weighted by how much the score rises with each (Selvaraju et al. 2017).

        L = max(0, Σ_c α_c A_c),   α_c = mean over the places p of ∂score / ∂A_c[p]

    The derivative is exact and by the layer alone: the network is traced and cut at the layer, and what is above it is
    differentiated. What the encoder computes aside and does not use again cannot be cut at.

    Args:
        activations: of images, such as ``lambda x: encoder.apply(variables, x)``. Images must not mix.
        layer: one with a map, (n, *map, c).
        score: of all activations, such as ``lambda found: found["embedding"][:, 0]``.
        images: of any number of spatial axes.
        relu: keep what raises the score only; False: what lowers it, too, below 0.
        resize: how the map is brought to the images' size, as in :func:`jax.image.resize`; None leaves it as small as it is.
            Its corners come to lie on the image's, so it is out of place by as much as the layer's receptive fields are.

    Raises:
        ValueError: there is no such layer, it has no map, or the score does not depend on it.

    Example:
        >>> def network(x):
        ...     return {"twice": (twice := 2 * x), "sum": twice.sum((1, 2, 3))}
        >>> image = jnp.asarray([[[[1.0], [2.0]], [[3.0], [4.0]]]])
        >>> grad_cam(network, "twice", lambda found: found["sum"], image).tolist()
        [[[2.0, 4.0], [6.0, 8.0]]]
    """
    pixels = jnp.asarray(images)
    traced = _Traced(activations, score, pixels)
    if layer not in traced.names:
        raise ValueError(f"there is no layer {layer!r}: {traced.hint}")
    if len(shape := traced.names[layer].shape) < 3:
        raise ValueError(f"{layer!r} has no map to weight: it is {shape}; {traced.hint}")
    if layer not in traced.below:
        raise ValueError(f"the score does not depend on {layer!r}, which is computed aside: {traced.hint}")
    value, above = traced.cut(layer)
    slopes = jax.grad(lambda value: jnp.sum(above(value)))(value).astype(jnp.float32)
    weights = jnp.mean(slopes, axis=tuple(range(1, value.ndim - 1)), keepdims=True)
    weighted = jnp.sum(weights * value.astype(jnp.float32), axis=-1)
    weighted = jax.nn.relu(weighted) if relu else weighted
    return weighted if resize is None else jax.image.resize(weighted, pixels.shape[:-1], resize)


def layers_below(activations: Named, score: ScoreOf, images: Float[AnyArray, "n *space c"]) -> tuple[str, ...]:
    """The layers with a map that the score is computed from, the deepest last: those that :func:`grad_cam` can look at.

    Example:
        >>> def network(x):
        ...     twice = 2 * x
        ...     return {"twice": twice, "aside": x**3, "sum": twice.sum((1, 2, 3))}
        >>> layers_below(network, lambda found: found["sum"], jnp.zeros((1, 4, 4, 3)))
        ('twice',)
    """
    return _Traced(activations, score, jnp.asarray(images)).below


def last_features(activations: Named, score: ScoreOf, images: Float[AnyArray, "n *space c"], *, least: int = 2) -> str | None:
    """The layer that Grad-CAM is of in its paper: the last features that have places, before they are pooled; None without.

    It is the deepest that the score is computed from with ``least`` places along every axis. Where the layer before it has its
    channels and more places, as a ReLU has before a pooling, that layer says the same of smaller places and is taken instead.

    Example:
        >>> def network(x):
        ...     return {"features": (twice := 2 * x), "pooled": (some := twice[:, ::2, ::2]), "sum": some.sum((1, 2, 3))}
        >>> last_features(network, lambda found: found["sum"], jnp.zeros((1, 4, 4, 3)))
        'features'
    """
    traced = _Traced(activations, score, jnp.asarray(images))
    shapes = [(name, traced.names[name].shape) for name in traced.below if name != "input"]
    found = [(name, shape) for name, shape in shapes if min(shape[1:-1]) >= least]
    while len(found) > 1:
        (_, before), (_, last) = found[-2:]
        if before[-1] != last[-1] or not all(more > fewer for more, fewer in zip(before[1:-1], last[1:-1], strict=True)):
            break
        found.pop()
    return found[-1][0] if found else None


class _Traced:
    """A network and a score of it, as one list of equations."""

    def __init__(self, activations: Named, score: ScoreOf, pixels: Array) -> None:
        def both(pixels: Array) -> PyTree:
            found = activations(pixels)
            return score(found), found

        # Of a function that is compiled as a whole the equations are inside; this brings them out.
        with jax.disable_jit():
            closed, shapes = jax.make_jaxpr(both, return_shape=True)(pixels)
        self.pixels, self.closed, self.names = pixels, closed, shapes[1]
        score_of, self.variables = jax.tree.unflatten(jax.tree.structure(shapes), closed.jaxpr.outvars)
        self.score = score_of
        made = {variable: at for at, equation in enumerate(closed.jaxpr.eqns) for variable in equation.outvars}
        maps = [name for name, shape in self.names.items() if len(shape.shape) > 2 and self._matters(self.variables[name])]
        self.below = tuple(sorted(maps, key=lambda name: made.get(self.variables[name], -1)))

    @property
    def hint(self) -> str:
        return f"choose of {', '.join(self.below)}" if self.below else "the score depends on no layer with one"

    def cut(self, layer: str) -> tuple[Array, Callable[[Array], Array]]:
        """The layer's activations, and the score as a function of them."""
        jaxpr, variable = self.closed.jaxpr, self.variables[layer]

        def without(variables: list[Any]) -> list[Any]:
            return [core.Var(each.aval) if each is variable else each for each in variables]

        equations = [equation.replace(outvars=without(equation.outvars)) for equation in jaxpr.eqns]
        inputs = [*without(jaxpr.invars), variable]
        tail = core.Jaxpr(jaxpr.constvars, inputs, [self.score], equations, jaxpr.effects)
        head = core.Jaxpr(jaxpr.constvars, jaxpr.invars, [variable], jaxpr.eqns, jaxpr.effects)
        value, rest = (core.jaxpr_as_fun(core.ClosedJaxpr(part, self.closed.consts)) for part in (head, tail))
        return value(self.pixels)[0], lambda above: rest(self.pixels, above)[0]

    def _matters(self, variable: Any) -> bool:
        """Whether the score is computed from it."""
        reached = {variable}
        for equation in self.closed.jaxpr.eqns:
            if any(not isinstance(each, core.Literal) and each in reached for each in equation.invars):
                reached.update(equation.outvars)
        return not isinstance(self.score, core.Literal) and self.score in reached
