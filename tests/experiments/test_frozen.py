"""One encoder with weights: it sees what it was trained on, and anybody's weights and anybody's run can be those."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.experiment import Variables
from likeness.experiments.frozen import FromRun, FrozenEncoder, LearnedEncoder, Random
from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.style import StyleObjective
from likeness.experiments.style.terms import layers
from likeness.research.data import Preprocessing
from likeness.research.encoders import Conv4, SqueezeNet, Vgg, texture_vgg
from likeness.research.errors import UserError
from likeness.research.weights import Pretrained


class Mean(nn.Module):
    """The mean color, times a number."""

    @nn.compact
    def __call__(self, images: Any) -> dict[str, Any]:
        factor = self.param("factor", nn.initializers.ones, (images.shape[-1],))
        return {"embedding": factor * jnp.mean(images, axis=(1, 2))}


@dataclasses.dataclass(frozen=True)
class Twice:
    """Weights that were trained on images of a kind."""

    preprocessing: Any = None

    def variables(self, encoder: nn.Module) -> Any:
        del encoder
        return {"params": {"factor": np.full(1 if self.preprocessing.channels == 1 else 3, 2.0, np.float32)}}


def means_of(images: Any, preprocessing: Any) -> Any:
    frozen = FrozenEncoder(encoder=Mean(), weights=Twice(preprocessing))
    return np.asarray(jax.jit(frozen)(frozen.variables(), images)["embedding"])


IMAGES = np.random.default_rng(0).uniform(size=(2, 6, 4, 3)).astype(np.float32)
LUMA = np.array([0.299, 0.587, 0.114])


def test_it_sees_images_as_its_weights_were_trained_on_them() -> None:
    mean = IMAGES.mean((1, 2))
    colored = Preprocessing(size=(6, 4))
    np.testing.assert_allclose(means_of(IMAGES, colored), 2 * mean, rtol=1e-5)
    gray = dataclasses.replace(colored, channels=1)
    np.testing.assert_allclose(means_of(IMAGES, gray), 2 * (mean @ LUMA)[:, None], rtol=1e-5)
    inverted = dataclasses.replace(gray, polarity="inverted")
    np.testing.assert_allclose(means_of(IMAGES, inverted), 2 * (1 - mean @ LUMA)[:, None], rtol=1e-5)


def test_another_size_than_that_of_its_training_is_refused() -> None:
    with pytest.raises(ValueError, match="was trained on images of 4×6 pixels and is shown 6×4"):
        means_of(IMAGES, Preprocessing(size=(4, 6)))


def test_weights_that_say_nonsense_of_their_images_are_refused() -> None:
    with pytest.raises(UserError, match=r"Twice\.preprocessing is a str"):
        FrozenEncoder(encoder=Mean(), weights=Twice("gray")).as_trained(jnp.asarray(IMAGES))


@pytest.mark.slow
def test_colors_that_the_weights_do_not_take_are_explained() -> None:
    encoder = Conv4(width=2, dimension=4)
    variables = encoder.init(jax.random.key(0), jnp.zeros((1, 16, 16, 1)))
    with pytest.raises(ValueError, match=r"cannot see images of 3 color.s. and 16×16 pixels"):
        FrozenEncoder(encoder=encoder)(variables, jnp.zeros((1, 16, 16, 3)))


@pytest.mark.slow
def test_random_weights_are_for_every_encoder_whose_geometry_has_all_filters() -> None:
    for encoder in (SqueezeNet(first=4, squeeze=(2,) * 8), Vgg(convolutions=(1,), widths=(2,), preprocessing="convolution")):
        frozen = FrozenEncoder(encoder=encoder)
        assert set(frozen(frozen.variables(), IMAGES.repeat(16, 1).repeat(16, 2))) >= {layer.name for layer in encoder.geometry}
    with pytest.raises(UserError, match="Mean has params.factor, which is no filter of a layer in its `geometry`"):
        Random().variables(Mean())


@dataclasses.dataclass(frozen=True)
class Averages:
    """A stranger's experiment: an encoder is learned, how is its own affair."""

    encoder: nn.Module = Mean()

    def encoder_variables(self, learned: Variables) -> Any:
        return {"params": learned.params["mine"]}

    def training_examples(self) -> Any:
        raise AssertionError("nobody asked")


def a_run(experiment: Any, factor: Any, monkeypatch: pytest.MonkeyPatch, workdir: Path) -> FromRun:
    """A finished one, of which only what was written is left."""
    home = "likeness.experiments.frozen"
    inputs = ModelInputs(shape=(6, 4, 1), preprocessing=None)
    monkeypatch.setattr(f"{home}.read_run", lambda path: SimpleNamespace(experiment=experiment))
    monkeypatch.setattr(f"{home}.restore", lambda path, run: (1, Variables({"mine": {"factor": factor}}, {})))
    monkeypatch.setattr(ModelInputs, "load", classmethod(lambda cls, path: inputs))
    return FromRun(workdir=str(workdir))


def test_the_encoder_of_a_strangers_run_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    weights = a_run(Averages(), np.full(1, 3.0, np.float32), monkeypatch, tmp_path)
    frozen = FrozenEncoder(encoder=Mean(), weights=weights)
    seen = frozen(frozen.variables(), jnp.asarray(IMAGES))["embedding"]
    np.testing.assert_allclose(seen, 3 * (IMAGES.mean((1, 2)) @ LUMA)[:, None], rtol=1e-5)


def test_a_checkpoint_that_does_not_fit_its_config_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a_run(Averages(), np.ones(3, np.float32), monkeypatch, tmp_path)
    with pytest.raises(UserError, match=r"does not fit its config: params/factor has the shape \(3,\) and the Mean .* \(1,\)"):
        LearnedEncoder.load(tmp_path)


def test_a_run_that_learns_no_encoder_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    @dataclasses.dataclass(frozen=True)
    class Painting:
        pass

    a_run(Painting(), None, monkeypatch, tmp_path)
    with pytest.raises(UserError, match="holds a run of Painting, which learns no encoder"):
        LearnedEncoder.load(tmp_path)


def test_an_objective_that_is_not_told_an_encoder_takes_the_one_that_comes_with_likeness():
    own = FrozenEncoder(encoder=texture_vgg(), weights=Pretrained(name="textures"))
    assert StyleObjective().encoder == own
    compared = layers((*StyleObjective().content_terms, *StyleObjective().style_terms))
    assert set(compared) <= {layer.name for layer in texture_vgg().geometry}
