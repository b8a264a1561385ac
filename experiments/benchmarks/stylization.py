"""Style transfer beside PyTorch: time of a step, time to a loss, and peak memory, alternating in one run.

    python -m likeness.experiments.benchmarks.stylization

Both paint by the same VGG-19 (the same random filters, to relu5_1, average pooling), the same images, the same cost (content
at relu4_2, Gram matrices of relu1_1 … relu5_1, both relative) and the same rule (Adam, 0.02). They are first checked to give
the same cost and gradient. PyTorch (``peers`` extra) runs as most code runs it, eagerly on NCHW; on ``channels_last``; and,
with ``--compiled``, under ``torch.compile``. Memory is measured in a fresh process each, as the peak of the resident set less
that after the libraries are imported.

The second part is what a person waits for: the cost that PyTorch's eager Adam has after ``--iterations``, and when each of our
optimizers has it.
"""

import dataclasses
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from likeness.experiments.frozen import FrozenEncoder, Random
from likeness.experiments.optim.lbfgs import Lbfgs
from likeness.experiments.style.terms import Term, targets, total
from likeness.research.encoders import Vgg
from likeness.research.errors import UserError, how_to_install
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import Content, Gram
from likeness.research.types import Array, PyTree

if TYPE_CHECKING:
    import torch  # pyright: ignore[reportMissingImports]

STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
ENCODER = FrozenEncoder(encoder=Vgg(last="relu5_1", pooling="average", preprocessing="torchvision"), weights=Random(seed=0))
KEPT, LOOK, STRENGTH, RATE = Content(layers=("relu4_2",)), Gram(layers=STYLE), 10.0, 0.02
MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What to measure."""

    sides: tuple[int, ...] = (256, 512)
    """Sides of the square images."""
    threads: int = 2
    """Processor cores that either library may use."""
    steps: int = 5
    """Timed steps of each contender, after two that are not."""
    compiled: bool = False
    """Also time torch.compile, which needs a C++ compiler and a minute."""
    iterations: int = 0
    """Of PyTorch's eager Adam, for the time to its cost at the smallest side; 0 leaves that part out."""
    memory_of: str = ""
    """Used by the benchmark itself: print one contender's peak memory at the largest side, and end."""


def images(side: int) -> tuple[np.ndarray, np.ndarray]:
    """The content and the style, (1, side, side, 3)."""
    from likeness.research.synthetic.styles import CurlStrokes

    found = []
    for source in (Photograph(name="china"), Painting(style=CurlStrokes())):
        pixels = source.open(side * 2)
        top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
        found.append(np.ascontiguousarray(pixels[None, top : top + side, left : left + side], np.float32))
    return found[0], found[1]


@dataclasses.dataclass
class Ours:
    """The cost in JAX, and steps of an optimizer on it."""

    content: np.ndarray
    style: np.ndarray
    variables: PyTree
    rule: optax.GradientTransformationExtraArgs

    def __post_init__(self) -> None:
        terms = (Term(loss=KEPT),), (Term(loss=LOOK, weight=STRENGTH),)
        kept = [
            targets(ENCODER, self.variables, image[0], group)
            for image, group in zip((self.content, self.style), terms, strict=True)
        ]

        def cost(pixels: Array, variables: PyTree, kept: PyTree) -> Array:
            activations = ENCODER(variables, pixels)
            return total(terms[0], activations, kept[0]) + total(terms[1], activations, kept[1])

        def step(pixels: Array, state: PyTree, variables: PyTree, kept: PyTree) -> tuple[Array, PyTree, Array]:
            value, gradient = jax.value_and_grad(cost)(pixels, variables, kept)
            updates, state = self.rule.update(gradient, state, pixels, value=value, grad=gradient)
            moved: Any = optax.apply_updates(pixels, updates)
            return jnp.clip(moved, 0.0, 1.0) if self.boxed else moved, state, value

        self.kept = kept
        self.cost = jax.jit(jax.value_and_grad(cost))
        self._step = jax.jit(step, donate_argnums=0)
        self.restart()

    boxed: bool = True

    def restart(self) -> None:
        """Back to the content image."""
        self.pixels = jnp.asarray(self.content)
        self.state = self.rule.init(self.pixels)

    def step(self) -> float:
        """One step; the cost before it."""
        self.pixels, self.state, value = self._step(self.pixels, self.state, self.variables, self.kept)
        return float(value)


class Theirs:
    """The same in PyTorch, written as its tutorials write it."""

    def __init__(self, content: np.ndarray, style: np.ndarray, variables: PyTree, way: str) -> None:
        import torch  # pyright: ignore[reportMissingImports]

        self.torch, self.way = torch, way
        self.format = torch.channels_last if way == "channels_last" else torch.contiguous_format
        self.weights = {
            name: [
                torch.from_numpy(np.ascontiguousarray(np.asarray(leaf["kernel"]).transpose(3, 2, 0, 1))).to(
                    memory_format=self.format
                ),
                torch.from_numpy(np.array(leaf["bias"])),
            ]
            for name, leaf in variables["params"].items()
        }
        self.content = self._tensor(content)
        with torch.no_grad():
            self.kept = self._features(self.content)["relu4_2"]
            seen = self._features(self._tensor(style))
            self.grams = {name: self._gram(seen[name]) for name in STYLE}
        self._cost = torch.compile(self._plain) if way == "compile" else self._plain
        self.restart()

    def restart(self) -> None:
        """Back to the content image."""
        self.pixels = self.content.clone().requires_grad_()
        self.optimizer = self.torch.optim.Adam([self.pixels], lr=RATE)

    def cost(self) -> "tuple[float, np.ndarray]":
        """Cost and gradient at the content image, NHWC."""
        self.restart()
        value = self._cost(self.pixels)
        value.backward()
        assert self.pixels.grad is not None
        return float(value.detach()), self.pixels.grad.numpy().transpose(0, 2, 3, 1)

    def step(self) -> float:
        """One step; the cost before it."""
        self.optimizer.zero_grad()
        value = self._cost(self.pixels)
        value.backward()
        self.optimizer.step()
        with self.torch.no_grad():
            self.pixels.clamp_(0, 1)
        return float(value.detach())

    def _tensor(self, image: np.ndarray) -> "torch.Tensor":
        pixels = self.torch.from_numpy(np.ascontiguousarray(image.transpose(0, 3, 1, 2)))
        return pixels.to(memory_format=self.format)

    def _plain(self, pixels: "torch.Tensor") -> "torch.Tensor":
        seen = self._features(pixels)
        value = (seen["relu4_2"] - self.kept).square().sum() / self.kept.square().sum()
        for name in STYLE:
            gram = self._gram(seen[name])
            distance = (gram - self.grams[name]).square().sum() / self.grams[name].square().sum()
            value = value + STRENGTH * distance / len(STYLE)
        return value

    def _features(self, pixels: "torch.Tensor") -> "dict[str, torch.Tensor]":
        functional = self.torch.nn.functional
        mean, deviation = (self.torch.tensor(values).view(1, 3, 1, 1) for values in (MEANS, DEVIATIONS))
        x, seen = (pixels - mean) / deviation, {}
        module: Any = ENCODER.encoder
        for layer in module.geometry:
            if layer.name.startswith("conv"):
                x = functional.conv2d(x, *self.weights[layer.name], padding=1)
            elif layer.name.startswith("relu"):
                x = functional.relu(x)
            else:
                x = functional.avg_pool2d(x, 2)
            seen[layer.name] = x
        return seen

    def _gram(self, features: "torch.Tensor") -> "torch.Tensor":
        flat = features.flatten(2)[0]
        return flat @ flat.T / flat.shape[1]


def contender(name: str, side: int, variables: PyTree) -> Any:
    """One of those that are compared."""
    content, style = images(side)
    if name == "likeness":
        return Ours(content, style, variables, optax.with_extra_args_support(optax.adam(RATE)))
    return Theirs(content, style, variables, name.removeprefix("torch "))


def per_step(names: list[str], side: int, variables: PyTree, steps: int) -> dict[str, float]:
    """Seconds a step, the median, alternating."""
    built = {name: contender(name, side, variables) for name in names}
    ours, gradient = built["likeness"].cost(jnp.asarray(built["likeness"].content), variables, built["likeness"].kept)
    theirs, other = built["torch eager"].cost()
    apart = np.linalg.norm(np.asarray(gradient) - other) / np.linalg.norm(other)
    print(f"{side}²: cost {float(ours):.6f} and {theirs:.6f}, gradients apart by {apart:.1e} of their norm")
    if abs(float(ours) - theirs) > 1e-4 * abs(theirs) or apart > 1e-3:
        raise UserError("The two do not compute the same thing: the times would mean nothing.")
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for round_ in range(steps + 2):
        for name, one in built.items():
            began = time.perf_counter()
            one.step()
            if round_ >= 2:
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def until(step: Callable[[], float], goal: float, most: int) -> tuple[float, int] | None:
    """Seconds and steps until a cost is at or below the goal."""
    began = time.perf_counter()
    for count in range(most):
        if step() <= goal:
            return time.perf_counter() - began, count
    return None


def to_loss(side: int, variables: PyTree, iterations: int) -> None:
    """Prints when each of our optimizers has PyTorch's cost."""
    theirs = contender("torch eager", side, variables)
    began = time.perf_counter()
    goal = min(theirs.step() for _ in range(iterations))
    seconds = time.perf_counter() - began
    print(f"\n{side}²: PyTorch's eager Adam has a cost of {goal:.5f} after {iterations} iterations and {seconds:.1f} s")
    content, style = images(side)
    rules = {
        "Adam": (optax.with_extra_args_support(optax.adam(RATE)), True),
        "L-BFGS, strong Wolfe": (Lbfgs(memory=10).transformation(iterations), False),
    }
    for name, (rule, boxed) in rules.items():
        ours = Ours(content, style, variables, rule, boxed)
        ours.step()
        ours.restart()
        found = until(ours.step, goal, iterations)
        if found is None:
            print(f"  ours, {name}: not within {iterations} steps")
        else:
            print(f"  ours, {name}: {found[0]:.1f} s, {found[1]} steps, {found[0] / seconds:.2f} of PyTorch's time")


def memory(name: str, side: int, variables: PyTree) -> float:
    """Peak bytes beyond those that the libraries take."""
    if name != "likeness":
        import torch  # noqa: F401 # pyright: ignore[reportMissingImports]
    before = _peak()
    one = contender(name, side, variables)
    for _ in range(2):
        one.step()
    return _peak() - before


def _peak() -> float:
    """Bytes, of this program alone: what getrusage tells is inherited from the process that started it."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024.0 * float(line.split()[1])


def main() -> None:
    """Measures and prints."""
    asked = tyro.cli(Benchmark, description=__doc__)
    os.sched_setaffinity(0, set(range(asked.threads)))
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(f"This benchmark compares with PyTorch: {how_to_install('peers')}.") from error
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    variables = jax.tree.map(np.asarray, ENCODER.variables())
    if asked.memory_of:
        print(memory(asked.memory_of, asked.sides[-1], variables))
        return
    names = ["likeness", "torch eager", "torch channels_last"] + ["torch compile"] * asked.compiled
    print(f"{asked.threads} threads; torch {torch.__version__}, jax {jax.__version__}")
    for side in asked.sides:
        for name, seconds in (found := per_step(names, side, variables, asked.steps)).items():
            print(f"  {name:<20} {seconds:8.3f} s a step   {found['likeness'] / seconds:5.2f} (ours / theirs)")
    print(f"\npeak memory at {asked.sides[-1]}²")
    for name in names:
        command = [sys.executable, "-m", __spec__.name if __spec__ else "likeness.experiments.benchmarks.stylization"]
        command += ["--memory-of", name, "--threads", str(asked.threads), "--sides", str(asked.sides[-1])]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"  {name:<20} {float(done.stdout.split()[-1]) / 1e9:6.2f} GB")
    if asked.iterations:
        to_loss(asked.sides[0], variables, asked.iterations)


if __name__ == "__main__":
    main()
