"""Embeddings of a batch whose activations do not fit into memory: computed chunk by chunk, with the exact gradient."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from likeness.research.errors import UserError
from likeness.research.types import Array, Embeddings, PyTree


def embed_in_chunks(
    embed: Callable[[PyTree, PyTree], Embeddings],
    chunks: int,
    params: PyTree,
    rows: PyTree,
    *,
    loop: bool | None = None,
) -> Embeddings:
    """``embed(params, rows)`` whose derivative by ``params`` holds the activations of one chunk at a time.

    A loss over pairs needs the embeddings of the whole batch, but ∂J/∂w = Σ_i (∂f_i/∂w)ᵀ ∂J/∂f_i needs the activations of an
    image only while its own term is added. So: embed all without keeping activations, differentiate the loss by the embeddings,
    then embed each chunk once more and go back through it. That is one more forward pass, and nothing is approximated: the sum
    is the same, in another order. Both passes see the same ``rows``; what is random in ``embed`` has to be drawn from keys
    among them, one a row.

    Gao, Zhang, Han and Callan, "Scaling deep contrastive learning batch size under memory limited setup" (GradCache), 2021.

    Args:
        embed: of parameters and any rows, embeddings (b, d). Rows must not see each other: with statistics of the batch, as
            batch normalization takes them in training, a chunk would be another network than the batch.
        chunks: into how many; it divides the number of rows. Chunk j has the rows j, j + chunks, …: of a batch that is split
            over devices each device then has its share of every chunk, if the number of devices divides a chunk. Devices sum
            up the gradient once a chunk.
        params: differentiated by.
        rows: a pytree of arrays (b, …). Not differentiated by.
        loop: go through the chunks in a loop of the device, compiled once; or write them out one after another, since on a CPU
            XLA runs a convolution's gradient inside a loop many times slower. None loops except on a CPU.

    Returns:
        Embeddings (b, d), in the order of ``rows``.

    Raises:
        UserError: ``chunks`` does not divide the number of rows.
    """
    check_chunks(chunks, len(jax.tree.leaves(rows)[0]))
    if loop is None:
        loop = jax.default_backend() != "cpu"
    return _embed(embed, chunks, loop, params, rows)


def check_chunks(chunks: int, rows: int) -> None:
    """Refuses a batch that does not divide into so many chunks."""
    if rows % chunks:
        raise UserError(
            f"A batch of {rows} images cannot be cut into {chunks} equal chunks: choose "
            "--experiment.gradient-cache-chunks so that it divides the size of the batch."
        )


def check_stateless(state: PyTree) -> None:
    """Refuses a network that sees the batch as a whole."""
    if state:
        raise UserError(
            f"The encoder keeps {', '.join(sorted(state))}: in training it normalizes an image by the statistics of the whole "
            "batch, and those of a chunk are others, so a batch in chunks would train another network. Set "
            "--experiment.gradient-cache-chunks to 1, or choose an encoder without batch normalization, such as Koch."
        )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _embed(embed: Callable[[PyTree, PyTree], Array], chunks: int, loop: bool, params: PyTree, rows: PyTree) -> Array:
    if loop:
        parts = jax.lax.map(lambda i: embed(params, _chunk(rows, chunks, i)), jnp.arange(chunks))
    else:
        done: list[Array] = []
        for i in range(chunks):
            done.append(embed(params, _chunk(rows, chunks, _after(done[-1:], i))))
        parts = jnp.stack(done)
    return jnp.swapaxes(parts, 0, 1).reshape(-1, *parts.shape[2:])


def _forward(embed: Any, chunks: int, loop: bool, params: PyTree, rows: PyTree) -> tuple[Array, tuple[PyTree, PyTree]]:
    return _embed(embed, chunks, loop, params, rows), (params, rows)


def _backward(embed: Any, chunks: int, loop: bool, saved: tuple[PyTree, PyTree], slopes: Array) -> tuple[PyTree, None]:
    params, rows = saved

    def add(total: PyTree, i: Any) -> PyTree:
        part, slope = _chunk((rows, slopes), chunks, i)
        _, pull = jax.vjp(lambda weights: embed(weights, part), params)
        return jax.tree.map(jnp.add, total, pull(slope)[0])

    total = jax.tree.map(jnp.zeros_like, params)
    if loop:
        total, _ = jax.lax.scan(lambda carry, i: (add(carry, i), None), total, jnp.arange(chunks))
    else:
        for i in range(chunks):
            total = add(total, _after(total, i))
    return total, None


_embed.defvjp(_forward, _backward)


def _chunk(rows: PyTree, chunks: int, i: Any) -> PyTree:
    def take(leaf: Array) -> Array:
        return jax.lax.dynamic_index_in_dim(leaf.reshape(-1, chunks, *leaf.shape[1:]), i, 1, keepdims=False)

    return jax.tree.map(take, rows)


def _after(before: PyTree, i: int) -> Array:
    """i, known only when ``before`` is: chunks that do not wait for each other have their activations side by side.

    XLA on a CPU takes an optimization barrier out before it decides what runs when, so i depends on a value, as it seems: it
    would be another number after a NaN, of which everything that is summed is NaN already.
    """
    leaves = [leaf.ravel()[0] for leaf in jax.lax.optimization_barrier(jax.tree.leaves(before)) if leaf.size]
    return jnp.where(jnp.isnan(sum(leaves, jnp.zeros(()))), 0, i)
