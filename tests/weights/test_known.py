"""The table of known weights, and those of them that are on this machine."""

import dataclasses
import hashlib
import json
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from likeness.research.encoders import Vgg, texture_vgg
from likeness.research.errors import UserError
from likeness.research.images import read_image, resize
from likeness.research.metrics.image_quality import edge_correlation
from likeness.research.weights import KNOWN, File, Pretrained, fetch, named, own, read, recognize, shapes, take, write
from likeness.research.weights.johnson import johnson_wave
from likeness.research.weights.release import megabytes

WITH_ENCODER = [published for published in KNOWN if published.encoder is not None]


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


@pytest.fixture
def alone(monkeypatch):
    """Without data, and without packages that carry weights."""
    monkeypatch.delenv("LIKENESS_DATA", raising=False)
    monkeypatch.setattr(File, "installed", lambda self: None)


def test_names_are_unique_and_nearest_ones_are_told():
    assert len({published.name for published in KNOWN}) == len(KNOWN)
    assert named("vgg19") is KNOWN[1]
    with pytest.raises(UserError, match=r"no known weights 'vgg19_prunned'; nearest: vgg19_pruned16x"):
        named("vgg19_prunned")


@pytest.mark.parametrize("published", KNOWN, ids=lambda published: published.name)
def test_each_says_what_it_is_and_how_to_get_it(published, alone):
    for field in ("summary", "preprocessing", "licence", "citation"):
        assert getattr(published, field)
    assert published.find() is None
    how = published.how_to_get()
    if published.editions:
        assert str(published.folder) in how
    if any(all(file.urls or file.text for file in edition) for edition in published.editions):
        assert f"`likeness weights fetch {published.name}`" in how
    else:
        assert f"--name {published.name}" in how


@pytest.mark.parametrize("published", WITH_ENCODER, ids=lambda published: published.name)
def test_each_layout_has_a_name_for_every_variable(published):
    variables = traverse_util.flatten_dict(shapes(published.encoder, published.image), sep="/")
    for layout in published.layouts:
        assert variables.keys() <= {entry.variable for entry in layout.entries}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("vgg19", 20_024_384),
        ("vgg16", 14_714_688),
        ("vgg19_adain", 20_024_384 + 12),
        ("squeezenet11", 722_496),
        ("squeezenet11_torchvision", 1_235_496),
        ("alexnet", 2_469_696),
        ("inception_art", 21_785_568),
        ("inception_fid", 21_785_568),
        ("mobilefacenet", 999_936),
        ("dlib_face", 5_614_592),
        ("shufflenetv2", 143_136),
        ("fastestdet", 244_490),
        ("yunet", 75_856),
        ("yunet_s", 54_608),
        ("mtcnn", 495_850),
        ("johnson_wave", 1_677_638),
        ("pastiche26", 166_104),
    ],
)
def test_the_encoders_have_the_published_size(name, parameters):
    published = named(name)
    variables = shapes(published.encoder, published.image)
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables["params"])) == parameters


def test_the_manifest_is_generated():
    manifest = johnson_wave()[-1]
    assert manifest.size == len(manifest.text)
    assert manifest.sha256 == hashlib.sha256(manifest.text.encode()).hexdigest()
    assert json.loads(manifest.text)["Variable_3"] == {"filename": "Variable_3", "shape": [3, 3, 32, 64]}
    assert len(johnson_wave()) == 49


def small():
    """Known weights of a small network, so that nothing large is written."""
    encoder = Vgg(widths=(2, 2, 2, 2, 2), last="relu5_1", preprocessing="convolution")
    return dataclasses.replace(named("vgg19_pruned16x"), encoder=encoder)


def filled(encoder):
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes(encoder))


def test_weights_under_published_and_own_names_are_read(tmp_path, alone):
    published = small()
    variables = filled(published.encoder)
    for layout in (*published.layouts, own(variables)):
        write(tmp_path / "weights.npz", take(variables, layout))
        back, report = published.read(tmp_path / "weights.npz")
        assert report.layout == layout.name
        jax.tree.map(np.testing.assert_array_equal, back, variables)


def test_imported_weights_are_found_first(tmp_path, cache, alone):
    published = small()
    with pytest.raises(UserError, match="are not on this machine: run `likeness weights fetch vgg19_pruned16x`"):
        published.load()
    variables = filled(published.encoder)
    write(published.imported, take(variables, own(variables)))
    assert published.find() == published.imported == cache / "vgg19_pruned16x.safetensors"
    back, _ = published.load(dataclasses.replace(published.encoder, pooling="average", last="relu2_1"))
    assert sorted(back["params"]) == ["conv0", "conv1_1", "conv1_2", "conv2_1"]
    np.testing.assert_array_equal(back["params"]["conv2_1"]["kernel"], variables["params"]["conv2_1"]["kernel"])


def test_an_encoder_of_other_widths_is_refused_with_name_and_shapes(tmp_path, alone):
    published = small()
    variables = filled(published.encoder)
    write(tmp_path / "weights.safetensors", take(variables, published.layouts[0]))
    with pytest.raises(UserError, match=r"weights.safetensors do not fit .* conv11.weight 2×3×3×3, 3×3×3×2 in the encoder"):
        published.read(tmp_path / "weights.safetensors", Vgg(last="relu5_1", preprocessing="convolution"))


def test_pretrained_in_a_config(tmp_path, alone):
    encoder = Vgg(convolutions=(1,), widths=(2,))
    variables = filled(encoder)
    write(tmp_path / "own.safetensors", take(variables, own(variables)))
    back = Pretrained(path=str(tmp_path / "own.safetensors")).variables(encoder)
    jax.tree.map(np.testing.assert_array_equal, back, variables)
    with pytest.raises(ValueError, match="say which weights, by `name` or by `path`"):
        Pretrained()
    with pytest.raises(ValueError, match="nearest: vgg19"):
        Pretrained(name="vgg9")
    with pytest.raises(UserError, match="not on this machine"):
        Pretrained(name="vgg16").variables(encoder)
    with pytest.raises(UserError, match="do not fit the encoder"):
        Pretrained(name="vgg16", path=str(tmp_path / "own.safetensors")).variables(Vgg(convolutions=(2, 2, 3, 3, 3)))


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["vgg19_normalised", "vgg19_pruned16x", "mobilefacenet", "shufflenetv2", "fastestdet", "yunet", "yunet_s"]
)
def test_every_array_of_the_real_files_is_accounted_for(real_data, name):
    published = named(name)
    found = published.find()
    assert found is not None
    assert found.is_relative_to(real_data)
    assert all(file.intact(path) for file, path in published.files(found))
    assert recognize(found) is published
    variables, report = published.load()
    assert report.complete
    back = take(variables, published.layouts[0])
    for key, array in back.items():
        np.testing.assert_array_equal(array, read(found)[key])


@pytest.mark.data
def test_the_published_painter_paints_waves(real_data):
    """Hokusai's palette, blue on cream, from whatever comes in, with the image still there."""
    published = named("johnson_wave")
    variables, report = published.load()
    assert report.complete
    pixels = read_image(real_data / "pictures" / "content" / "chelsea.png").pixels
    image = np.asarray(resize(jnp.asarray(pixels), (170, 256)))
    painted = np.clip(np.asarray(jax.jit(published.encoder.apply)(variables, image[None])[0]), 0, 1)
    dark, light = painted[painted.mean(2) < 0.35].mean(0), painted[painted.mean(2) > 0.7].mean(0)
    assert dark[2] > dark[0] + 0.1
    assert light[0] > light[2] + 0.05
    assert 0.3 < edge_correlation(image, painted) < 0.9


@pytest.mark.data
def test_the_real_folder_is_fetched_intact(real_data):
    published = named("johnson_wave")
    assert published.find() == real_data / "weights" / "johnson_wave"
    assert fetch(published) == published.folder
    arrays = read(published.folder)
    assert len(arrays) == 48
    assert arrays["Variable_45"].shape == (9, 9, 32, 3)


@pytest.mark.data
@pytest.mark.peers
@pytest.mark.parametrize("name", ["vgg19_normalised", "vgg19_pruned16x", "mobilefacenet"])
def test_the_pickled_editions_hold_the_same_numbers(real_data, name):
    pytest.importorskip("torch")
    published = named(name)
    first, second = (read(real_data / "weights" / edition[0].local) for edition in published.editions)
    assert first.keys() == second.keys()
    for key, array in first.items():
        np.testing.assert_array_equal(array, second[key])


@pytest.mark.data
def test_the_real_keras_file(real_data):
    pytest.importorskip("h5py")
    variables, report = named("squeezenet11").load()
    assert report.complete
    assert len(report.matched) == 50
    kernel = variables["params"]["fire2"]["expand3x3"]["kernel"]
    assert kernel.shape == (3, 3, 16, 64)


@pytest.mark.data
@pytest.mark.peers
@pytest.mark.parametrize("name", ["vgg19_normalised", "vgg19_pruned16x"])
def test_the_real_networks_are_torch_s(real_data, name):
    """Run by torch as their projects do (reflection padding, floor pooling), the last layers agree to float32's rounding."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    published = named(name)
    arrays = read(published.find())
    images = np.random.default_rng(0).uniform(size=(1, 34, 37, 3)).astype(np.float32)
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    keys = {entry.variable: entry.key for entry in published.layouts[0].entries}

    def weights(layer):
        return [torch.from_numpy(arrays[keys[f"params/{layer}/{part}"]]) for part in ("kernel", "bias")]

    x = functional.conv2d(x, *weights("conv0"))
    for layer in published.encoder.geometry:
        if layer.name.startswith("conv"):
            x = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="reflect"), *weights(layer.name))
        else:
            x = functional.relu(x) if layer.name.startswith("relu") else functional.max_pool2d(x, 2)
    variables, _ = published.load()
    activations = jax.jit(published.encoder.apply)(variables, images)
    expected = x.permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(activations[layer.name], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert 0.01 < float(activations[layer.name].mean()) < 100


@pytest.mark.slow
def test_the_weights_that_come_with_likeness_are_there_whole_and_of_one_energy():
    ours = named("textures")
    path = ours.find()
    assert path is not None
    ours.verify(path)
    assert path.stat().st_size < 4_000_000
    variables, report = ours.load()
    assert report.complete
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == 692_928
    images = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    seen: Any = texture_vgg().apply(variables, images)
    energies = [float(jnp.mean(jnp.square(seen[layer]))) for layer in ("relu1_2", "relu2_2", "relu3_3", "relu4_3")]
    # White noise is no texture that it has seen, and yet no layer is silent or loud.
    assert all(0.05 < energy < 50 for energy in energies)


def test_sizes_are_said_in_a_unit_that_shows_them():
    assert [megabytes(size) for size in (6009, 4_110_000, 553_400_000)] == ["6 kB", "4.1 MB", "553 MB"]
