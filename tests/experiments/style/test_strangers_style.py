"""Networks that paint and losses that nobody here has written work wherever ours do: from what is asked, and nothing more."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.experiment import Variables
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style import FastStyle, LearnedStyle, StyleImage, StyleObjective, Stylization
from likeness.experiments.style.painting import Stylizer
from likeness.experiments.style.terms import Term
from likeness.research.encoders import Vgg
from likeness.research.errors import UserError
from likeness.research.images.sources import Photograph
from likeness.research.losses import ActivationLoss

TINY = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(4, 6), pooling="average"))
IMAGE = np.random.default_rng(0).uniform(size=(16, 20, 3)).astype(np.float32)


class Tint(nn.Module):
    """Each style is a color, laid over the image."""

    styles: int = 2

    @nn.compact
    def __call__(self, images: Any, weights: Any) -> Any:
        colors = self.param("colors", nn.initializers.normal(), (self.styles, 3))
        return jax.nn.sigmoid(images + (weights @ colors)[:, None, None])


def tinted(**fields: Any) -> FastStyle:
    styles = tuple(LearnedStyle(image=Photograph(name=name), size=24) for name in ("flower", "china"))
    return FastStyle(**{"styles": styles, "network": Tint(), **fields})


def test_their_network_paints() -> None:
    experiment = tinted()
    assert experiment.learned_shapes().params["network"]["colors"].shape == (2, 3)
    colors = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.5]], np.float32)
    stylizer = Stylizer("here", experiment.one_pass(Variables({"network": {"colors": colors}}, {})))
    expected = 1 / (1 + np.exp(-(IMAGE + colors.mean(0))))
    np.testing.assert_allclose(stylizer(IMAGE), expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"2 styles and a Tint that paints 3"):
        tinted(network=Tint(styles=3))


def test_a_module_that_says_nothing_of_styles_is_no_painter() -> None:
    with pytest.raises(ValueError, match="which is no StyleNetwork: Dense has no `styles`. Give Johnson"):
        tinted(network=nn.Dense(3))


@dataclasses.dataclass(frozen=True)
class Blended:
    """Paints in any style: by its mean color."""

    share: Any
    styles: None = None

    def __call__(self, image: Any, weights: Any, styles: Sequence[Any], strength: float) -> Any:
        color = sum(weight * style.mean((0, 1)) for weight, style in zip(weights, styles, strict=True))
        return image + strength * self.share * (color - image)


@dataclasses.dataclass(frozen=True)
class Blending:
    """Learns how much."""

    def learned_shapes(self) -> Variables:
        return Variables(jax.ShapeDtypeStruct((), np.float32), {})

    def one_pass(self, learned: Variables) -> Blended:
        return Blended(learned.params)


def test_what_their_experiment_has_trained_paints(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = "likeness.experiments.style.painting"
    run = SimpleNamespace(experiment=Blending())
    monkeypatch.setattr(f"{home}.read_run", lambda path: run)
    monkeypatch.setattr(f"{home}.restore", lambda path, run, shapes: (1, Variables(np.float32(0.5), {})))
    stylizer = Stylizer.load(tmp_path)
    look = np.ones((4, 4, 3), np.float32)
    np.testing.assert_allclose(stylizer(IMAGE, styles=(look,), strength=0.5), IMAGE + 0.25 * (1 - IMAGE), rtol=1e-5)
    with pytest.raises(UserError, match="paints in any style, and none is given"):
        stylizer(IMAGE)
    monkeypatch.setattr(f"{home}.read_run", lambda path: SimpleNamespace(experiment=Stylization))
    with pytest.raises(UserError, match="which paints nothing in one pass"):
        Stylizer.load(tmp_path)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Silhouette(ActivationLoss):
    """Compares each place's sum over the channels, place by place."""

    layers: tuple[str, ...] = ("relu2_1",)

    def target(self, reference: Any, mask: Any = None) -> Any:
        del mask
        return {layer: reference[layer].sum(-1) for layer in self.layers}

    def __call__(self, activations: Any, target: Any, mask: Any = None) -> Any:
        total = jnp.zeros(())
        for layer in self.layers:
            errors = jnp.abs(activations[layer].sum(-1) - target[layer])
            total = total + jnp.sum(errors if mask is None else errors * mask[layer])
        return total


@dataclasses.dataclass(frozen=True, kw_only=True)
class TiledSilhouette(Silhouette):
    """Says how its places add up."""

    def cut_target(self, target: Any, activations: Any, corner: Any) -> Any:
        return {
            layer: jax.lax.dynamic_slice(kept, (0, *corner(layer)), activations[layer].shape[:3])
            for layer, kept in target.items()
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fill(ActivationLoss):
    """The share of places at which a channel is active, and no more is known of an image than these counts."""

    layers: tuple[str, ...] = ("relu1_1",)
    smallest: int = 0

    def statistics(self, activations: Any, mask: Any = None) -> Any:
        counts = {}
        for layer in self.layers:
            weights = jnp.ones(activations[layer].shape[1:3]) if mask is None else mask[layer]
            soft = jnp.tanh(activations[layer]) * weights[None, :, :, None]
            counts[layer] = soft.sum((1, 2)), weights.sum()
        return counts

    def keep(self, statistics: Any) -> Any:
        return {layer: active / places for layer, (active, places) in statistics.items()}

    def from_statistics(self, statistics: Any, target: Any) -> Any:
        kept = self.keep(statistics)
        return sum(jnp.sum((kept[layer] - target[layer]) ** 2) for layer in self.layers)

    def target(self, reference: Any, mask: Any = None) -> Any:
        return self.keep(self.statistics(reference, mask))

    def __call__(self, activations: Any, target: Any, mask: Any = None) -> Any:
        return self.from_statistics(self.statistics(activations, mask), target)

    def check_tiles(self) -> None:
        if self.smallest:
            raise ValueError("Fill(smallest=…) sees the whole image: set it to 0")


def painting(tile: int | None, content: Any, style: Any) -> Stylization:
    return Stylization(
        content=Photograph(name="china"),
        styles=(StyleImage(image=Photograph(name="flower")),),
        objective=StyleObjective(
            encoder=TINY, content_terms=(Term(loss=content),), style_terms=(Term(loss=style),), image_terms=()
        ),
        size=48,
        tile=tile,
    )


def value_and_gradient(experiment: Stylization) -> tuple[Any, Any]:
    # Who evaluates takes no part in the cost.
    data = experiment.open((TINY.variables(), None))
    constants, batch = experiment.constants(data), next(experiment.stream(data, 0))
    pixels = jnp.asarray(np.random.default_rng(1).uniform(size=(1, *data.content.shape)), jnp.float32)
    cost = lambda pixels: experiment.cost({"pixels": pixels}, {}, constants, batch, jax.random.key(0)).value  # noqa: E731
    return jax.jit(jax.value_and_grad(cost))(pixels)


@pytest.mark.slow
def test_their_losses_are_had_from_tiles() -> None:
    (whole, slope), (tiled, tiled_slope) = (
        value_and_gradient(painting(tile, TiledSilhouette(), Fill())) for tile in (None, 16)
    )
    assert whole > 0
    np.testing.assert_allclose(tiled, whole, rtol=1e-5)
    assert jnp.linalg.norm(tiled_slope - slope) < 1e-5 * jnp.linalg.norm(slope)


def test_their_losses_say_that_they_need_the_whole_image() -> None:
    with pytest.raises(ValueError, match="tile is set, but Silhouette compares places of the whole image"):
        painting(16, Silhouette(), Fill())
    with pytest.raises(ValueError, match="tile is set, but Fill.* sees the whole image: set it to 0, or leave tile out"):
        painting(16, TiledSilhouette(), Fill(smallest=1))
