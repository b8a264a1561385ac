"""How wide the vectors are that a program is compiled for."""

import jax

__all__ = ["wide_vectors"]


def wide_vectors() -> dict[str, int] | None:
    """Options by which XLA:CPU compiles for all of a processor's vectors; it takes half of the widest unless it is asked to.

    Depthwise convolutions, which are loops over channels, are faster by a third (``likeness benchmark detectors``).
    """
    return {"xla_cpu_prefer_vector_width": 512} if jax.default_backend() == "cpu" else None
