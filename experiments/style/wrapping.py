"""An image that goes on at its other side, as a tile does on a wall.

Then it has no border: the encoder pads each map by what is on the other side, and a loss on neighboring pixels compares across.
Whatever is painted, moved around by whole strides of the encoder, costs the same.
"""

import dataclasses
from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style.terms import Term
from likeness.research.geometry.receptive_field import NetworkGeometry, receptive_fields
from likeness.research.images.resize import resize
from likeness.research.types import Float


@runtime_checkable
class Wraps(Protocol):
    """What looks at neighbors, and can be told that the image goes on at its other side: an encoder, or a loss."""

    def wrapped(self) -> Any:
        """The same, told so."""
        ...


def check_wrapped(encoder: FrozenEncoder, terms: tuple[Term, ...]) -> None:
    """Refuses what cannot be told.

    Raises:
        ValueError: naming the encoder, or the loss.
    """
    if not isinstance(encoder.encoder, Wraps):
        raise ValueError(
            f"Stylization.edges is 'wrap', but {type(encoder.encoder).__name__} cannot see beyond the border the image's other "
            "side (it has no `wrapped`): use Vgg"
        )
    for term in terms:
        if term.loss.neighbors and not isinstance(term.loss, Wraps):
            raise ValueError(
                f"Stylization.edges is 'wrap', but {type(term.loss).__name__} compares neighbors up to the border only (it has "
                "no `wrapped`): use losses on places, such as Gram or Wasserstein, and TotalVariation"
            )


def wrapped_encoder(encoder: FrozenEncoder) -> FrozenEncoder:
    """The encoder, told so; for the same weights."""
    module = encoder.encoder
    return dataclasses.replace(encoder, encoder=module.wrapped()) if isinstance(module, Wraps) else encoder


def wrapped_terms(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """The terms, those told so whose loss looks at neighbors."""
    return tuple(
        dataclasses.replace(term, loss=term.loss.wrapped()) if isinstance(term.loss, Wraps) else term for term in terms
    )


def fitted(image: Float[np.ndarray, "h w 3"], encoder: FrozenEncoder, names: tuple[str, ...]) -> Float[np.ndarray, "h2 w2 3"]:
    """The image with sides that the strides of the layers divide, or a map would not go on at its other side.

    The nearest such sides, at least one stride long.
    """
    if not isinstance(encoder.encoder, NetworkGeometry):
        return image
    fields = receptive_fields(encoder.encoder)
    stride = max([fields[name].stride for name in names if name in fields], default=1)
    height, width = (max(1, round(side / stride)) * stride for side in image.shape[:2])
    return np.clip(np.asarray(resize(jnp.asarray(image), (height, width))), 0.0, 1.0)
