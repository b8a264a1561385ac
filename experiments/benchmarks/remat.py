"""What a gradient needs of memory and work when activations are computed again: compiled for shapes, nothing is run.

    python -m likeness.experiments.benchmarks.remat

FLOPs and bytes are the compiler's own counts, for the backend of this machine. The row ``jax.checkpoint`` is the encoder as a
whole under it, with the outputs of convolutions kept: what one would write first.
"""

import dataclasses
import time
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import tyro
from flax import linen as nn

from likeness.research.encoders import Conv4, MobileFaceNet, iresnet18, iresnet50
from likeness.research.ops.remat import Keep, count_parts, recomputing


@dataclasses.dataclass(frozen=True)
class Options:
    encoders: tuple[Literal["conv4", "mobilefacenet", "iresnet18", "iresnet50"], ...] = ("conv4", "iresnet18")
    """Networks, each at the size that its faces come in."""
    batch: Annotated[int, tyro.conf.arg(metavar="B")] = 64
    """Images."""


ENCODERS: dict[str, tuple[nn.Module, int]] = {
    "conv4": (Conv4(), 64),
    "mobilefacenet": (MobileFaceNet(), 112),
    "iresnet18": (iresnet18(), 112),
    "iresnet50": (iresnet50(), 112),
}


def main() -> None:
    """Prints a table, a line as soon as it is known."""
    options = tyro.cli(Options)
    print(f"{'encoder':<14}{'kept':<16}{'intermediate':>14}{'work':>14}{'compiled in':>13}")
    for name in options.encoders:
        encoder, side = ENCODERS[name]
        shape = (options.batch, side, side, 3)
        keeps: list[Keep | Literal["jax.checkpoint"]] = ["activations", "jax.checkpoint"]
        if count_parts(encoder, shape):
            keeps.extend(("convolutions", "blocks"))
        for keep in keeps:
            began = time.monotonic()
            mebibytes, gigaflops = measure(encoder, keep, shape)
            seconds = time.monotonic() - began
            print(f"{name:<14}{keep:<16}{mebibytes:>10,.0f} MiB{gigaflops:>8,.0f} GFLOP{seconds:>11.0f} s", flush=True)


def measure(
    encoder: nn.Module, keep: Keep | Literal["jax.checkpoint"], shape: tuple[int, int, int, int]
) -> tuple[float, float]:
    """MiB of intermediate results and GFLOP of the gradient of a batch of ``shape``."""
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    state = dict(jax.eval_shape(encoder.init, jax.random.key(0), images))
    params = state.pop("params")

    def embed(params: Any, images: Any, state: Any) -> Any:
        with recomputing("activations" if keep == "jax.checkpoint" else keep):
            activations, changed = encoder.apply({"params": params, **state}, images, train=True, mutable=list(state))
        return activations["embedding"], changed  # pyright: ignore

    if keep == "jax.checkpoint":
        embed = jax.checkpoint(embed, policy=jax.checkpoint_policies.dots_saveable)

    def cost(params: Any, images: Any, state: Any) -> Any:
        embeddings, changed = embed(params, images, state)
        return (embeddings * jnp.arange(embeddings.shape[-1])).sum(), changed

    compiled = jax.jit(jax.grad(cost, has_aux=True)).lower(params, images, state).compile()
    memory, work = compiled.memory_analysis(), compiled.cost_analysis()
    assert memory is not None and work is not None
    return memory.temp_size_in_bytes / 2**20, work["flops"] / 1e9


if __name__ == "__main__":
    main()
