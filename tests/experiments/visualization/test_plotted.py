"""Sheets of signals and volumes: what a unit sees is cut out where it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.visualization.examples import ExampleRows, photographs, thinned
from likeness.experiments.visualization.microscope import Microscope
from likeness.experiments.visualization.patch_sheet import draw_layer, spread
from likeness.experiments.visualization.plotted import around, signals, volumes
from likeness.research.data import Examples
from likeness.research.encoders import PlainConvNet
from likeness.research.geometry import ReceptiveField
from likeness.research.visualization import TopPatches

FIELD = ReceptiveField(size=4, stride=2, offset=-1)


def some_rows(dims):
    values = np.random.default_rng(0).random((9, *[16] * dims, 1)).astype(np.float32)
    return ExampleRows.of(Examples(values=values, labels=(np.arange(9) % 2).astype(np.int32), classes=("calm", "wild")))


@pytest.mark.parametrize("dims", [1, 3])
def test_a_look_at_signals_and_volumes_equals_brute_force_and_is_drawn(dims):
    encoder = PlainConvNet(spatial_dims=dims, widths=(3,), side=3, dimension=2)
    rows = some_rows(dims)
    variables = jax.jit(encoder.init)(jax.random.key(0), jnp.zeros((1, *rows.shape)))
    scope = Microscope("plain", encoder, variables, ModelInputs(shape=(16, 16, 1), preprocessing=None))
    seen = scope.look(rows, ("relu1",), TopPatches(k=3), batch=4)["relu1"]
    maps = np.asarray(scope.activations(variables, jnp.asarray(rows.examples.values))["relu1"]).reshape(9, -1, 3)
    np.testing.assert_array_equal(seen.patches.image, np.argsort(-maps.max(axis=1), axis=0, kind="stable")[:3].T)
    assert seen.sees == {1: "3 samples", 3: "3 x 3 x 3 voxels"}[dims]
    assert seen.to_json(rows)["units"][0]["favorite"] in ("calm", "wild")
    drawn = draw_layer(scope, rows, "relu1", seen, spread(seen, 2), "guided", columns=1)
    assert np.asarray(drawn).std() > 0


def test_a_window_holds_the_field_and_stays_inside():
    assert around(FIELD, 5, 100, 10) == (6, 16)
    assert around(FIELD, 0, 100, 10) == (0, 10)
    assert around(FIELD, 49, 100, 10) == (90, 100)
    assert around(FIELD, 5, 8, 10) == (0, 8)


def test_only_what_a_unit_sees_of_a_signal_is_shaded():
    one = np.linspace(0, 1, 96, dtype=np.float32)[:, None]
    image = signals([one], [np.zeros_like(one)], np.array([[20]]), FIELD, 1)
    shaded = np.flatnonzero((np.abs(image[10] - image[10, 61]) < 0.02).all(axis=-1)) / image.shape[1] * 96
    first, last = FIELD.window(20)
    assert first - 1.5 < shaded.min() and shaded.max() < last + 0.5


def test_volumes_are_cut_where_most_of_what_excites_lies():
    one, back = (np.zeros((16, 16, 16, 1), np.float32) for _ in range(2))
    one[10, 11, 10], back[10, 11, 10] = 1, 1
    image = volumes([one], [back], np.array([[5, 5, 5]]), FIELD, 1)
    height = (image.shape[0] - 2) // 2
    assert (image[:height] == 1).all(axis=-1).sum() >= 3 * 9
    red = (image[height + 2 :] == [1, 0, 0]).all(axis=-1)
    assert red.sum() == 3 * 9


def test_cutouts_of_photographs_are_the_same_each_time():
    one, other = photographs(32, 6), photographs(32, 6)
    np.testing.assert_array_equal(one.read(np.arange(6)), other.read(np.arange(6)))
    assert one.people == ("china", "flower") and one.shape == (32, 32, 3)


def test_thinned_takes_evenly():
    rows = thinned(some_rows(1), 3)
    assert rows.names == ["calm/0", "calm/4", "calm/8"]
    assert len(thinned(some_rows(1), 100)) == 9
