"""What every loss on activations owes: its layers and weights, masks, batches, dtypes, and clear errors."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from float64 import as_arrays, averaged, cost, maps, refuse, value_and_gradient
from hypothesis import example, given, settings
from hypothesis import strategies as st

from likeness.research.losses import (
    MRF,
    ActivationLoss,
    Content,
    Contextual,
    Covariance,
    Gram,
    Histogram,
    HypercolumnMoments,
    HypercolumnSimilarity,
    Identity,
    Laplacian,
    MeanStd,
    NearestNeighbors,
    NeuralNeighbors,
    PaletteEMD,
    RelaxedEMD,
    SelfSimilarity,
    SlicedWasserstein,
    TotalVariation,
    Wasserstein,
)
from likeness.research.losses.style.layers import mask_at, mask_of

NAMES = ("relu3_1",)
SHAPES = {"input": (16, 16, 3), "relu3_1": (8, 8, 3)}
ON_MAPS = [
    Content(layers=NAMES),
    Gram(layers=NAMES),
    Gram(layers=NAMES, normalizer="course"),
    MeanStd(layers=NAMES),
    Covariance(layers=NAMES),
    Wasserstein(layers=NAMES, eps=0.01),
    SlicedWasserstein(layers=NAMES, projections=4),
    Histogram(layers=NAMES),
    MRF(layers=NAMES),
    Contextual(layers=NAMES),
    SelfSimilarity(layers=NAMES),
    RelaxedEMD(layers=NAMES),
    HypercolumnMoments(layers=NAMES),
    HypercolumnSimilarity(layers=NAMES),
    NearestNeighbors(layers=NAMES),
    NeuralNeighbors(layers=NAMES),
    Laplacian(),
]
ALL = [*ON_MAPS, PaletteEMD(), TotalVariation()]
ONES, NONE = np.ones((16, 16), np.float32), np.zeros((16, 16), np.float32)
name = lambda loss: f"{type(loss).__name__}-{getattr(loss, 'normalizer', '')}"  # noqa: E731


def images(seed: int, count: int = 1) -> dict[str, jax.Array]:
    return as_arrays(maps(seed, images=count, maps=SHAPES))


def test_lambdas():
    assert Content(layers=("a", "b")).lambdas == (0.5, 0.5)
    assert Content(layers=("a", "b"), weights=(1.0, 3.0)).lambdas == (1.0, 3.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": ()}, "name at least one layer"),
        ({"layers": ("a", "a")}, "each only once"),
        ({"layers": ("a", "b"), "weights": (1.0,)}, "1 weights for 2 layers"),
        ({"layers": ("a",), "weights": (-1.0,)}, "finite number, at least 0"),
        ({"layers": ("a",), "weights": (float("nan"),)}, "finite number, at least 0"),
        ({"layers": ("a", "b"), "weights": (0.0, 0.0)}, "all are 0, and nothing is compared"),
    ],
)
def test_impossible_fields_are_refused(fields, message: str):
    with pytest.raises(ValueError, match=f"Gram.*{message}"):
        Gram(**fields)


def test_a_layer_that_does_not_exist():
    activations = dict.fromkeys(["input", "relu3_1", "relu4_1", "relu4_2", "pool4"], np.zeros((1, 4, 4, 3), np.float32))
    with pytest.raises(ValueError, match=r"Gram: no layer 'relu4_9'; nearest: relu3_1, relu4_1, relu4_2\."):
        refuse(Gram(layers=("relu4_9",)), activations, activations)
    with pytest.raises(ValueError, match=r"no layer 'mixed'; there are: input, pool4, relu3_1, relu4_1, relu4_2\."):
        refuse(Gram(layers=("mixed",)), activations, activations)


@pytest.mark.parametrize("loss", [*ALL, Identity()], ids=name)
def test_protocol(loss):
    assert isinstance(loss, ActivationLoss)
    assert hash(loss) == hash(dataclasses.replace(loss))


@pytest.mark.parametrize("loss", ALL, ids=name)
def test_the_loss_of_a_batch_is_the_mean(loss):
    """Each image has its own reference, or one serves all."""
    x, y = maps(0, images=2, maps=SHAPES), maps(1, images=2, maps=SHAPES)
    each = [{layer: a[i : i + 1] for layer, a in z.items()} for z in (x, y) for i in (0, 1)]
    together = jax.jit(lambda x, y, first: (loss(x, loss.target(y)), loss(x, loss.target(first))))
    own, shared = together(as_arrays(x), as_arrays(y), as_arrays(each[2]))
    assert own == pytest.approx((cost(loss, each[0], each[2]) + cost(loss, each[1], each[3])) / 2, rel=1e-5)
    assert shared == pytest.approx((cost(loss, each[0], each[2]) + cost(loss, each[1], each[2])) / 2, rel=1e-5)


@pytest.mark.parametrize("loss", ALL, ids=name)
def test_bfloat16_in_float32_out(loss):
    x = {layer: a.astype(jnp.bfloat16) for layer, a in images(0).items()}
    value, gradient = jax.eval_shape(value_and_gradient(loss), x, x, None, None)
    assert value.dtype == jnp.float32
    assert all(slope.dtype == jnp.bfloat16 for slope in gradient.values())


@pytest.mark.parametrize("loss", ALL, ids=name)
def test_degenerate_images_have_finite_gradients(loss):
    """Black or constant images, against a black reference and against a real one; the reference itself."""
    y = images(1)
    black, gray = ({k: jnp.full_like(a, v) for k, a in y.items()} for v in (0.0, 0.5))
    for a, b in [(black, black), (black, y), (y, black), (gray, gray), (y, y)]:
        finite(value_and_gradient(loss)(a, b, None, None))


@pytest.mark.parametrize("loss", ON_MAPS, ids=name)
def test_a_mask_of_ones_is_no_mask_and_one_of_zeros_is_finite(loss):
    x, y = images(0), images(1)
    assert cost(loss, x, y, ONES, ONES) == pytest.approx(cost(loss, x, y), rel=1e-5)
    for mask, reference_mask in [(NONE, NONE), (NONE, ONES), (ONES, NONE)]:
        finite(value_and_gradient(loss)(x, y, mask, reference_mask))


@pytest.mark.parametrize("loss", ON_MAPS[:-1], ids=name)
def test_half_a_mask_is_half_the_image(loss):
    """Cut at the layer's resolution: the left half of the image, the upper half of the reference."""
    x, y = images(0), images(1)
    left, upper = NONE.copy(), NONE.copy()
    left[:, :8], upper[:8] = 1, 1
    half = {layer: a[:, :, : a.shape[2] // 2] for layer, a in x.items()}
    if isinstance(loss, Content | SelfSimilarity | HypercolumnSimilarity) or getattr(loss, "normalizer", "") == "course":
        upper, reference = left, {layer: a[:, :, : a.shape[2] // 2] for layer, a in y.items()}
    else:
        reference = {layer: a[:, : a.shape[1] // 2] for layer, a in y.items()}
    assert cost(loss, x, y, left, upper) == pytest.approx(cost(loss, half, reference), rel=1e-5)


def test_a_mask_of_each_layer_is_taken_as_it_is_and_must_be_of_its_size():
    features = {"relu3_1": jnp.ones((2, 8, 6, 3)), "relu4_1": jnp.ones((2, 4, 3, 5))}
    masks = {"relu3_1": np.random.default_rng(0).random((8, 6)).astype(np.float32), "relu4_1": np.eye(4, 3) > 0}
    for layer, mask in masks.items():
        np.testing.assert_array_equal(mask_of(masks, layer, features), mask.astype(np.float32))
    # One mask for all of them is averaged down.
    shared = averaged(masks["relu3_1"], (4, 3))
    np.testing.assert_allclose(mask_of(masks["relu3_1"], "relu4_1", features), shared, rtol=1e-6)
    with pytest.raises(ValueError, match="There is no mask for the layer 'relu4_1', only for relu3_1"):
        mask_of({"relu3_1": masks["relu3_1"]}, "relu4_1", features)
    with pytest.raises(ValueError, match="only for none"):
        mask_of({}, "relu4_1", features)
    for wrong in (np.ones((8, 6)), np.ones((3, 4)), np.ones((4, 3, 1)), np.ones((4, 3), int), np.ones((8, 6)) > 0):
        with pytest.raises(ValueError, match="the mask's (numbers|pixels) at 'relu4_1'"):
            mask_of({"relu4_1": wrong}, "relu4_1", features)


def finite(found: tuple[jax.Array, dict[str, jax.Array]]) -> None:
    value, gradient = found
    assert np.isfinite(value)
    assert all(np.isfinite(slope).all() for slope in gradient.values())


@settings(max_examples=12, deadline=None)
@given(sizes=st.tuples(*[st.sampled_from([1, 2, 3, 5, 8, 9])] * 4))
@example(sizes=(1, 9, 9, 1))
@example(sizes=(8, 8, 3, 5))
@example(sizes=(2, 3, 8, 9))
def test_masks_are_averaged_over_each_cells_area(sizes: tuple[int, ...]):
    rows, columns, height, width = sizes
    mask = np.random.default_rng(rows + 10 * columns).random((rows, columns)).astype(np.float32)
    found = jax.jit(lambda mask, x: mask_at(mask, x, {}))(mask, np.zeros((1, height, width, 1), np.float32))
    np.testing.assert_allclose(found, averaged(mask, (height, width)), rtol=1e-5)


@pytest.mark.parametrize("loss", ON_MAPS, ids=name)
def test_masks_of_another_size_are_refused(loss):
    x = images(0)
    for masks in ((ONES[:9], None), (None, ONES[:9])):
        with pytest.raises(ValueError, match="The mask is 9×16 and the image 16×16: resize the mask"):
            refuse(loss, x, x, *masks)


@pytest.mark.parametrize("loss", ON_MAPS, ids=name)
def test_targets_of_another_encoder_or_number_are_refused(loss):
    x = images(0, 2)
    if not isinstance(loss, SlicedWasserstein | SelfSimilarity | Laplacian):  # which do not keep the channels
        wide = {**x, "relu3_1": jnp.ones((2, 8, 8, 5))}
        with pytest.raises(ValueError, match=rf"{type(loss).__name__}: at 'relu3_1' the target is .* same encoder"):
            refuse(loss, x, wide)
    with pytest.raises(ValueError, match="of one reference or of one for each image"):
        refuse(loss, x, images(0, 3))


@pytest.mark.parametrize("loss", ALL, ids=name)
def test_embeddings_are_no_maps(loss):
    x = {layer: np.ones((2, 4), np.float32) for layer in (*NAMES, "input")}
    with pytest.raises(ValueError, match="this loss reads maps"):
        refuse(loss, x, x)
