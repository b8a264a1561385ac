"""A start that is no image yet: one color, under the content's finest details."""

import dataclasses
from typing import ClassVar, Literal

import jax.numpy as jnp

from likeness.experiments.style.parametrizations import details
from likeness.experiments.style.starts import First, Pixels
from likeness.research.types import PRNGKey, PyTree


@dataclasses.dataclass(frozen=True, kw_only=True)
class FromDetails:
    """The mean color of the styles, and over it the finest level of the content's Laplacian pyramid: edges without light and
    color, so that these must come from the style.

    At each larger size of a pyramid but the last, the content's details of that size are laid over the painting again. (Kolkin,
    Salavon and Shakhnarovich, "Style transfer by relaxed optimal transport and self-similarity", 2019.)
    """

    draws: ClassVar[bool] = False

    sizes: Literal["all but the last", "the first"] = "all but the last"
    """Where the details are laid over the image."""

    def open(self, content: Pixels, styles: tuple[Pixels, ...]) -> PyTree:
        """``mean`` (3,), of the pixels of all styles, each style with the same share."""
        del content
        return {"mean": jnp.mean(jnp.stack([jnp.mean(jnp.asarray(style), axis=(0, 1)) for style in styles]), axis=0)}

    def __call__(self, content: First, opened: PyTree, key: PRNGKey) -> First:
        """The color and the details; not clipped to [0, 1]."""
        del key
        return opened["mean"] + details(content)

    def goes_on(self, painted: First, content: First) -> First:
        """The painting, with the content's details where they belong."""
        return painted if self.sizes == "the first" else painted + details(content)

    def at_last(self) -> "FromDetails":
        """The same for the last of several sizes."""
        return dataclasses.replace(self, sizes="the first")
