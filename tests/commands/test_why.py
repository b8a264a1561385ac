"""``likeness verify A B --why FILE``: which parts of two images decide."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from likeness.experiments.recognition.recognizer import Recognizer
from likeness.experiments.recognition.why import why

pytestmark = pytest.mark.end_to_end


def test_the_figure_is_drawn_beside_the_answer(likeness, world, tmp_path):
    images = [world.strangers / "ada" / f"{number}.png" for number in (0, 1)]
    said = likeness("verify", *images, "--model", world.workdir, "--why", tmp_path / "why.png")
    assert said.code == 0, said.err
    assert f"why      {tmp_path / 'why.png'}" in said.out
    with Image.open(tmp_path / "why.png") as drawn:
        assert drawn.width > drawn.height
    said = likeness("verify", *images, "--model", world.workdir, "--why", tmp_path / "why.txt")
    assert said.code == 2 and "a figure ends in .png" in said.err


def test_it_is_what_covering_does_to_the_distance(world):
    """Of one place, by hand: a square over the corner of the first image."""
    recognizer = Recognizer.load(world.workdir)
    first, second = world.strangers / "ada" / "0.png", world.strangers / "bob" / "0.png"
    found = why(recognizer, first, second, parts=32)
    assert found.answer.distance == pytest.approx(recognizer.verify(first, second).distance)
    # Windows of 2 pixels a pixel apart: only one covers the corner.
    covered = found.images[0].copy()
    covered[:2, :2] = 0.5
    pixels = [np.round(255 * one).astype(np.uint8) for one in (covered, found.images[1])]
    codes = recognizer.embed(np.stack(pixels))
    gained = recognizer.embedder.distance(codes[:1], codes[1:])[0, 0] - found.answer.distance
    np.testing.assert_allclose(found.likeness[0][0, 0], gained, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "note"), [("smooth_gradient", "why "), ("grad_cam", "of relu4, which has 4 x 4 places")])
def test_the_distance_is_differentiated_and_drawn(likeness, world, tmp_path, method, note):
    images = [world.strangers / "ada" / f"{number}.png" for number in (0, 1)]
    figure = tmp_path / "why.png"
    said = likeness("verify", *images, "--model", world.workdir, "--why", figure, "--why-method", method)
    assert said.code == 0, said.err
    assert figure.exists() and note in said.out


def test_the_gradient_is_that_of_the_distance(world):
    recognizer = Recognizer.load(world.workdir)
    first, second = world.strangers / "ada" / "0.png", world.strangers / "bob" / "0.png"
    found = why(recognizer, first, second, method="gradient")
    params, state = recognizer.variables

    def distance(image):
        both = jnp.stack([image, found.images[1]])
        codes = recognizer.experiment.encoder.apply({"params": params["encoder"], **state}, both)["embedding"]
        return recognizer.experiment.loss.compare(params["loss"], codes[0], codes[1])

    slope = jax.jit(jax.grad(distance))(jnp.asarray(found.images[0]))
    np.testing.assert_allclose(found.likeness[0], np.abs(slope).sum(axis=-1), rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_integrated_gradients_say_that_they_are_complete(world):
    recognizer = Recognizer.load(world.workdir)
    images = [world.strangers / name / "0.png" for name in ("ada", "bob")]
    found = why(recognizer, *images, method="integrated_gradients")
    numbers = [float(word) for word in found.note.replace("and", "of").split() if word[0] in "+-"]
    for explained, gained in zip(numbers[::2], numbers[1::2], strict=True):
        assert explained == pytest.approx(gained, abs=0.01 * max(map(abs, numbers)))
    assert float(found.likeness[0].sum()) == pytest.approx(numbers[0], abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gradient", "grad_cam"])
def test_of_two_copies_nothing_is_drawn(likeness, world, tmp_path, method):
    """Their distance has no slope: what is found is what rounding left."""
    one = world.strangers / "ada" / "0.png"
    copy = tmp_path / "copy.png"
    copy.write_bytes(one.read_bytes())
    said = likeness("verify", one, copy, "--model", world.workdir, "--why", tmp_path / "why.png", "--why-method", method)
    assert said.code == 0, said.err
    assert f"{method} finds that the distance depends on nothing to first order" in said.out
    assert "right of two copies of one image" in said.out
    found = why(Recognizer.load(world.workdir), one, copy, method=method)
    assert found.nothing and not np.any(found.likeness)
    # Two images beside their gray ones, and no scale.
    assert len(found.figure().axes) == 4
    other = why(Recognizer.load(world.workdir), one, world.strangers / "ada" / "1.png", method=method)
    assert not other.nothing and len(other.figure().axes) == 5


@pytest.mark.parametrize("layer", ["conv1", "relu1", "relu4", "pool4"])
def test_any_layer_with_places_can_be_asked(world, layer):
    images = [world.strangers / "ada" / f"{number}.png" for number in (0, 1)]
    found = why(Recognizer.load(world.workdir), *images, method="grad_cam", layer=layer)
    assert found.note.startswith(f"is of {layer}") and np.ptp(found.likeness[0]) > 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--why-method", "gradient"), "give its file with --why FILE"),
        (("--why", "x.png", "--why-layer", "pool4"), "is for --why-method grad_cam"),
        (("--why", "x.png", "--why-method", "grad_cam", "--why-layer", "relu9"), "'relu9' is none of them; choose of conv1"),
    ],
)
def test_flags_that_do_not_fit_are_explained(likeness, world, tmp_path, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    images = [world.strangers / "ada" / f"{number}.png" for number in (0, 1)]
    said = likeness("verify", *images, "--model", world.workdir, *flags)
    assert said.code == 2 and message in " ".join(said.err.split())
