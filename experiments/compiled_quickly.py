"""Programs that run a few times only: on a CPU they are compiled in a fraction of the time, and take longer to run."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax

__all__ = ["compiled_quickly", "quick_options"]

Result = TypeVar("Result")


def quick_options(platform: str) -> dict[str, Any] | None:
    """What XLA is told so that a program is compiled quickly; None where it must compile as it does.

    On a CPU nothing is fused or optimized, which is most of what compiling takes time for. Convolutions and products come from
    a library and are as fast; all else runs longer. On accelerators fusing is what makes a program fit their memory.

    Args:
        platform: such as ``jax.default_backend()``.
    """
    if platform != "cpu":
        return None
    options: dict[str, Any] = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    # A later XLA has no other way to fuse, and refuses to be told.
    return options | ({"xla_cpu_use_fusion_emitters": False} if jax.__version_info__[:2] == (0, 10) else {})


def compiled_quickly(function: Callable[..., Result], *, static_argnums: tuple[int, ...] = ()) -> Callable[..., Result]:
    """``jax.jit`` of a function that runs once or a few times for each of its shapes, such as what a loss keeps of a reference.

    No device is touched before the first call. It is compiled on its own, so it must not be called under another ``jit``.

    Args:
        function: pure, of arrays.
        static_argnums: as of ``jax.jit``.
    """

    @functools.cache
    def made(platform: str) -> Callable[..., Result]:
        return jax.jit(function, static_argnums=static_argnums, compiler_options=quick_options(platform))

    @functools.wraps(function)
    def call(*arguments: Any) -> Result:
        return made(jax.default_backend())(*arguments)

    return call
