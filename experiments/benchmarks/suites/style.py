"""A step of style transfer by VGG-19 beside PyTorch.

Both paint by the same VGG-19 (the same random filters, to relu5_1, average pooling), the same images, the same cost (content
at relu4_2, Gram matrices of relu1_1 … relu5_1, both relative) and the same rule (Adam, 0.02), and must agree on the cost and
its gradient. PyTorch runs as most code runs it, eagerly on NCHW; on ``channels_last``; and, of size ``large``, under
``torch.compile``, which needs a C++ compiler and a minute.
"""

import functools
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from likeness.experiments.benchmarks.protocol import OURS, Contender, Goal, Row, Size, Work
from likeness.experiments.frozen import FrozenEncoder, Random
from likeness.experiments.style.terms import Term, targets, total
from likeness.research.encoders import Vgg
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import Content, Gram
from likeness.research.synthetic.styles import CurlStrokes
from likeness.research.types import Array, PyTree

EAGER, LAST, COMPILED = "PyTorch eager", "PyTorch channels_last", "PyTorch compiled"
STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
ENCODER = FrozenEncoder(encoder=Vgg(last="relu5_1", pooling="average", preprocessing="torchvision"), weights=Random(seed=0))
KEPT, LOOK, STRENGTH, RATE = Content(layers=("relu4_2",)), Gram(layers=STYLE), 10.0, 0.02
TOLERANCE = (1e-4, 1e-3)
"""Of the cost and of its gradient, by whose norms they may be apart."""


def rows(size: Size) -> tuple[Row, ...]:
    """A row a size of image."""
    return tuple(_row(side, compiled=size == "large") for side in ((32,) if size == "tiny" else (256, 512)))


def _row(side: int, *, compiled: bool) -> Row:
    contenders = [
        Contender(OURS, functools.partial(_ours, side), ("jax",)),
        *(
            Contender(name, functools.partial(_theirs, side, way), ("torch",), peer=True)
            for name, way in ((EAGER, "eager"), (LAST, "channels_last"), (COMPILED, "compile"))
            if compiled or way != "compile"
        ),
    ]
    # At most 0.7 of the eager step's time.
    return Row(f"VGG-19, {side}×{side}", tuple(contenders), Goal(EAGER, 1 / 0.7), tolerance=TOLERANCE)


def images(side: int) -> tuple[np.ndarray, np.ndarray]:
    """The content and the style, (1, side, side, 3)."""
    found = []
    for source in (Photograph(name="china"), Painting(style=CurlStrokes())):
        pixels = source.open(side * 2)
        top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
        found.append(np.ascontiguousarray(pixels[None, top : top + side, left : left + side], np.float32))
    return found[0], found[1]


def _ours(side: int) -> Work:
    content, style = images(side)
    variables: PyTree = jax.tree.map(jnp.asarray, ENCODER.variables())
    terms = (Term(loss=KEPT),), (Term(loss=LOOK, weight=STRENGTH),)
    kept = [targets(ENCODER, variables, image[0], group) for image, group in zip((content, style), terms, strict=True)]
    rule = optax.adam(RATE)

    def cost(pixels: Array, variables: PyTree, kept: PyTree) -> Array:
        activations = ENCODER(variables, pixels)
        return total(terms[0], activations, kept[0]) + total(terms[1], activations, kept[1])

    def step(pixels: Array, state: PyTree, variables: PyTree, kept: PyTree) -> tuple[Array, PyTree, Array]:
        value, gradient = jax.value_and_grad(cost)(pixels, variables, kept)
        updates, state = rule.update(gradient, state, pixels)
        moved: Any = optax.apply_updates(pixels, updates)
        return jnp.clip(moved, 0.0, 1.0), state, value

    pixels = jnp.asarray(content)
    state = rule.init(pixels)
    began = time.perf_counter()
    compiled = jax.jit(step, donate_argnums=(0, 1)).lower(pixels, state, variables, kept).compile()
    compiling = time.perf_counter() - began

    def once() -> None:
        nonlocal pixels, state
        pixels, state, value = compiled(pixels, state, variables, kept)
        jax.block_until_ready((pixels, state, value))

    def answer() -> tuple[np.ndarray, ...]:
        return jax.jit(jax.value_and_grad(cost))(jnp.asarray(content), variables, kept)

    return Work(once, compiling, moved=(compiled.cost_analysis() or {}).get("bytes accessed"), answer=answer)


def _theirs(side: int, way: str) -> Work:
    from likeness.experiments.benchmarks.peers.torch_style import Painter

    module: Any = ENCODER.encoder
    variables = jax.tree.map(np.asarray, ENCODER.variables())
    painter = Painter(*images(side), variables["params"], [layer.name for layer in module.geometry], STYLE, STRENGTH, RATE, way)
    return Work(painter.step, answer=painter.cost)
