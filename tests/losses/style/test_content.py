"""The content loss under every normalizer, against NumPy in float64, whole, in a region and in tiles."""

import jax
import numpy as np
import pytest
from float64 import MAPS, as_arrays, check, cost, maps, refuse, smooth_mask

from likeness.research.losses import Content

NORMALIZERS = ("relative", "course", "assignment", "mean")
LAYERS = tuple(MAPS)


def oracle(normalizer: str):
    def value(x, y, m, n):
        squares, share = m[..., None] * (x - y) ** 2, n.sum() * x.shape[2]
        match normalizer:
            case "relative":
                return squares.sum() / (n[..., None] * y**2).sum()
            case "course":
                return squares.sum() / 2
            case "assignment":
                return squares.sum() / (4 * share)
            case "mean":
                return squares.sum() / share

    return value


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "region"])
def test_value_and_gradient_equal_the_oracle(masked: bool):
    """S3: ½‖a(C) - a(G)‖² and the other conventions."""
    masks = {"mask": smooth_mask(3), "reference_mask": smooth_mask(4)} if masked else {}
    oracles = {Content(layers=LAYERS, normalizer=each): oracle(each) for each in NORMALIZERS}
    check(oracles, maps(0, images=2), maps(1), **masks)


def test_mean_is_the_mean_squared_error():
    x, y = maps(0), maps(1)
    assert cost(Content(layers=("relu1_1",), normalizer="mean"), x, y) == pytest.approx(
        np.mean((x["relu1_1"] - y["relu1_1"]) ** 2)
    )


def test_zero_only_for_equal_activations():
    """S3: 0 iff the activations are equal."""
    x, y = maps(0), maps(0)
    assert cost(Content(layers=LAYERS), x, y) == 0
    x["relu2_1"][0, 0, 0, 0] += 1e-2
    assert cost(Content(layers=LAYERS), x, y) > 0


@pytest.mark.parametrize("normalizer", NORMALIZERS)
def test_an_images_loss_is_the_sum_of_its_tiles(normalizer: str):
    """Each tile takes its part of the target's features and the whole target's scale."""
    loss = Content(layers=LAYERS, normalizer=normalizer)
    x, y = as_arrays(maps(0)), as_arrays(maps(1))
    target = jax.jit(loss.target)(y)
    value, gradient = jax.jit(jax.value_and_grad(loss))(x, target)
    total, slopes = 0.0, []
    for half in (slice(0, 2), slice(2, 4)):
        part = {k: {"features": t["features"][:, :, half], "scale": t["scale"]} for k, t in target.items() if k == "relu1_1"}
        part["relu2_1"] = {"features": target["relu2_1"]["features"][:, :, half], "scale": target["relu2_1"]["scale"]}
        tile, slope = jax.jit(jax.value_and_grad(loss))({k: a[:, :, half] for k, a in x.items()}, part)
        total += tile
        slopes.append(slope)
    assert total == pytest.approx(float(value), rel=1e-6)
    for layer in LAYERS:
        np.testing.assert_allclose(np.concatenate([s[layer] for s in slopes], axis=2), gradient[layer], rtol=1e-6)


def test_images_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match=r"at 'relu1_1' the target is \(1, 5, 4, 3\) and the images are \(1, 6, 4, 3\)"):
        refuse(Content(layers=("relu1_1",)), maps(0), maps(1, maps={"relu1_1": (5, 4, 3)}))
