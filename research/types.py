"""Array types shared by the whole project.

Shapes are read from the right: ``b`` is a batch, ``h w c`` an image's height, width and channels, ``d`` an embedding's
dimension. The tests check every annotated signature in :mod:`research` at run time (jaxtyping with beartype).
"""

import sys
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int, Key, Shaped, UInt8

# What uses these names without JAX, such as the store of a gallery, does not wait for it. Nothing but tests checks them at run
# time, and tests import JAX first.
if TYPE_CHECKING or "jax" in sys.modules:
    from jax import Array
else:
    Array: TypeAlias = Any
AnyArray: TypeAlias = Array | np.ndarray

PyTree: TypeAlias = Any
PRNGKey: TypeAlias = Key[Array, ""]
Scalar: TypeAlias = Float[Array, ""]
Embeddings: TypeAlias = Float[Array, "b d"]
Labels: TypeAlias = Int[Array, "b"]
SamePerson: TypeAlias = Bool[Array, "b b"]
ImagesUint8: TypeAlias = UInt8[AnyArray, "b h w c"]
ImagesFloat: TypeAlias = Float[Array, "b h w c"]
Activations: TypeAlias = dict[str, Array]
Precision: TypeAlias = Literal["float32", "bfloat16"]
SpatialDims: TypeAlias = Literal[1, 2, 3]

__all__ = [
    "Activations",
    "AnyArray",
    "Array",
    "Bool",
    "Embeddings",
    "Float",
    "ImagesFloat",
    "ImagesUint8",
    "Int",
    "Key",
    "Labels",
    "PRNGKey",
    "Precision",
    "PyTree",
    "SamePerson",
    "Scalar",
    "Shaped",
    "SpatialDims",
    "UInt8",
]
