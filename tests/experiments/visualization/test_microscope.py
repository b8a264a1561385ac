"""What a network's units see, of a run and of published weights."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.visualization.microscope import Microscope
from likeness.experiments.visualization.patch_sheet import cut, draw_layer, grid, share, shown, spread, stacked
from likeness.research.data import Images
from likeness.research.data.images import ArrayReader
from likeness.research.encoders import Vgg
from likeness.research.errors import UserError
from likeness.research.geometry import ReceptiveField
from likeness.research.visualization import TopPatches

TINY = Vgg(convolutions=(1, 1), widths=(4, 6))


def a_scope(encoder=TINY):
    variables = jax.jit(encoder.init)(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
    return Microscope("tiny", encoder, variables, ModelInputs(shape=(16, 16, 3), preprocessing=None))


def some_images(count=30):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), np.uint8)
    labels = (np.arange(count) % 3).astype(np.int32)
    return Images(
        labels=labels,
        people=("ann", "bob", "cyd"),
        shape=(16, 16, 3),
        read=ArrayReader(pixels),
        names=[f"{number}.png" for number in range(count)],
        fingerprint="",
    )


@pytest.mark.slow
def test_a_look_equals_brute_force():
    """In batches that do not divide the images; only values and images that sorting everything gives."""
    scope, images = a_scope(), some_images()
    seen = scope.look(images, ("relu1_1", "relu2_1"), TopPatches(k=4), batch=7)
    pixels = images.read(np.arange(30)).astype(np.float32) / 255
    for layer in ("relu1_1", "relu2_1"):
        maps = np.asarray(scope.activations(scope.variables, jnp.asarray(pixels))[layer])
        largest = maps.reshape(30, -1, maps.shape[-1]).max(axis=1)
        order = np.argsort(-largest, axis=0, kind="stable")[:4].T
        np.testing.assert_allclose(seen[layer].patches.value, np.take_along_axis(largest.T, order, axis=1), rtol=1e-5)
        np.testing.assert_array_equal(seen[layer].patches.image, order)
        np.testing.assert_allclose(seen[layer].statistics.mean, largest.mean(axis=0), rtol=1e-5)


@pytest.mark.slow
def test_a_unit_sees_nothing_beyond_its_patch():
    """Its activation is the same with everything else of the image painted over."""
    scope, images = a_scope(), some_images()
    seen = scope.look(images, ("relu2_1",))["relu2_1"]
    for unit in np.flatnonzero(seen.statistics.active > 0):
        image, place = seen.patches.image[unit, 0], seen.patches.place[unit, 0]
        kept = np.zeros((16, 16, 1), bool)
        rows, columns = (slice(max(0, start), stop) for start, stop in (seen.field.window(int(index)) for index in place))
        kept[rows, columns] = True
        pixels = jnp.asarray(np.where(kept, images.read(np.array([image]))[0] / 255, 0.3), jnp.float32)
        found = scope.activations(scope.variables, pixels[None])["relu2_1"][0, place[0], place[1], unit]
        np.testing.assert_allclose(found, seen.patches.value[unit, 0], rtol=1e-4)


def test_a_patch_is_the_window_and_nothing_beyond_the_edge():
    image = np.arange(25, dtype=np.float32).reshape(5, 5, 1) / 25
    field = ReceptiveField(size=3, stride=1, offset=-1)
    np.testing.assert_array_equal(cut(image, field, (2, 3)), image[1:4, 2:5])
    corner = cut(image, field, (0, 4))
    assert np.isnan(corner[0]).all() and np.isnan(corner[:, 2]).all()
    np.testing.assert_array_equal(corner[1:, :2], image[:2, 3:])
    assert cut(image, ReceptiveField(size=9, stride=1, offset=-4), (2, 2)) is image


@pytest.mark.parametrize("side", [20, 200])
def test_outside_of_an_image_is_hatched_and_the_gray_of_an_image_is_not(side):
    gray = np.full((side, side, 3), 0.5, np.float32)
    gray[: side // 2] = np.nan
    drawn = grid([gray], 1)
    middle = drawn.shape[0] // 2
    np.testing.assert_allclose(drawn[middle:], 0.5, atol=1 / 255)
    assert set(np.unique(drawn[:middle])) == {np.float32(0.45), np.float32(1.0)}
    # What is projected back is gray where it is nothing, too, and hatched where there is no image.
    np.testing.assert_array_equal(np.isnan(shown(gray - 0.5)), np.isnan(gray))


def test_shares_of_places_are_told_apart_however_small():
    assert [share(value) for value in (1.0, 0.123, 0.00034, 0.0)] == ["100 %", "12 %", "0.034 %", "0 %"]


def test_gray_is_nothing_and_the_largest_hundredth_is_black_or_white():
    np.testing.assert_array_equal(shown(np.zeros((2, 2, 3))), np.full((2, 2, 3), 0.5))
    back = np.full((400, 1, 3), -1.0)
    back[0], back[1] = 50, 0
    image = shown(back)
    np.testing.assert_array_equal(image[[0, 1, 2], 0, 0], [1, 0.5, 0])


def test_a_grid_enlarges_small_patches_and_leaves_gaps_white():
    whole = grid([np.zeros((20, 20, 3), np.float32)] * 3, 2)
    assert whole.shape == (82, 82, 3)
    assert (whole[42:, 42:] == 1).all() and (whole[:40, :40] == 0).all()


def test_large_patches_are_reduced():
    assert grid([np.zeros((300, 200, 3), np.float32)], 1).shape == (96, 64, 3)


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 5])
def test_sheets_are_drawn_and_stacked(k):
    scope, images = a_scope(), some_images(3)
    seen = scope.look(images, ("relu1_1", "relu2_1"), TopPatches(k=k))
    sheets = [draw_layer(scope, images, layer, seen[layer], spread(seen[layer], 5), "guided") for layer in seen]
    whole = stacked(sheets)
    assert whole.height == sum(sheet.height for sheet in sheets)
    assert all(np.asarray(sheet).std() > 0 for sheet in sheets)


def test_what_is_written_names_images_and_windows():
    scope, images = a_scope(), some_images()
    seen = scope.look(images, ("relu1_1",), TopPatches(k=2))["relu1_1"]
    told = seen.to_json(images)
    alive = next(unit for unit in told["units"] if unit["patches"])
    number = int(alive["patches"][0]["image"].removesuffix(".png"))
    assert number == seen.patches.image[alive["unit"], 0]
    start, stop = alive["patches"][0]["window"][0]
    assert stop - start == seen.field.size == told["field"]["size"]
    assert alive["favorite"] in images.people


def test_layers_are_spread_over_the_depth_or_named():
    scope = a_scope()
    assert scope.layers((16, 16, 3)) == ("relu1_1", "relu2_1")
    assert scope.layers((16, 16, 3), ("pool1",)) == ("pool1",)
    with pytest.raises(UserError, match="no layer 'relu9' with maps: choose of .*relu2_1"):
        scope.layers((16, 16, 3), ("relu9",))


def test_what_cannot_be_looked_at_is_explained():
    with pytest.raises(UserError, match="comes without its images"):
        a_scope().own_images()
    with pytest.raises(UserError, match="no known weights 'squeeze'; nearest: squeezenet11"):
        Microscope.load("squeeze")
    blind = dataclasses.replace(a_scope(), encoder=object())
    with pytest.raises(UserError, match="no `geometry`"):
        blind.fields  # noqa: B018 - computed when asked for


@pytest.mark.parametrize("size", [0, -3, 15])
def test_published_weights_look_at_no_image_of_no_size(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """0 is no way to say that none was given."""

    class Tiny:
        encoder = TINY

        def load(self) -> tuple[object, None]:
            return a_scope().variables, None

    monkeypatch.setattr("likeness.experiments.visualization.microscope.named", lambda name: Tiny())
    with pytest.raises(UserError, match=f"The size of the images is {size}: give --size of 16"):
        Microscope.load("tiny", size)
    assert Microscope.load("tiny", 16).inputs.shape == (16, 16, 3)
    assert Microscope.load("tiny").inputs.shape == (128, 128, 3)
