"""How a painted picture is judged: by an encoder that did not paint it."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from experiments.frozen import FrozenEncoder, RandomWeights
from research.encoders import Vgg
from research.losses import Content, Gram
from research.types import Array, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judge:
    """An encoder by which a painted picture is judged and not painted, and the layers it looks at."""

    encoder: FrozenEncoder = FrozenEncoder(
        encoder=Vgg(convolutions=(2, 2, 2, 2), widths=(24, 48, 96, 192), pooling="max", preprocessing="torchvision"),
        weights=RandomWeights(seed=1),
    )
    """Of other filters and another shape than the one that painted, so that its flaws are not shared."""
    content: tuple[str, ...] = ("relu3_1",)
    """Layers at which the content is compared."""
    style: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
    """Layers at which the style is."""


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def relative_errors(
    encoder: FrozenEncoder,
    content_layers: tuple[str, ...],
    style_layers: tuple[str, ...],
    variables: PyTree,
    picture: Array,
    reference: Array,
    styles: list[Array],
) -> tuple[Scalar, Scalar]:
    """``‖F - P‖²/‖P‖²`` from the content and ``‖G - A‖²/‖A‖²`` from the styles, means over layers and styles."""
    content, style = Content(layers=content_layers), Gram(layers=style_layers)
    painted = encoder(variables, picture[None])
    kept = content(painted, content.target(encoder(variables, reference[None])))
    looks = [style(painted, style.target(encoder(variables, other[None]))) for other in styles]
    return kept, jnp.mean(jnp.stack(looks))
