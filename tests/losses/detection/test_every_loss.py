"""What every loss of a detector owes: nothing undefined reaches a gradient, and no batch makes it infinite."""

import dataclasses
import math
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from detection_losses import CASES, finite, same
from detection_truth import noise, truth

from likeness.research.losses import (
    FocalLoss,
    LandmarkLoss,
    LogisticLocalizationLoss,
    OverlapLoss,
    RoiHeadLoss,
    RpnLoss,
)

EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@EVERY
def test_what_padding_holds_changes_neither_loss_nor_gradient(case):
    """Nor does NaN in it."""
    run = jax.jit(jax.value_and_grad(case))
    for seed in range(3):
        given, outputs = truth(seed), case.outputs(3, seed)
        expected = run(outputs, given)
        assert finite(expected)
        for anything in (0.0, np.inf, -1e30, 5.0):
            other = dict(given)
            other["boxes"] = np.where(given["mask"][..., None], given["boxes"], np.float32(anything))
            other["classes"] = np.where(given["mask"], given["classes"], 10**6).astype(np.int32)
            same(run(outputs, other), expected)


@pytest.mark.slow
@EVERY
def test_batches_without_objects_are_finite(case):
    """keras-team/keras-cv#845: a batch of only padding. kuangliu/pytorch-retinanet#14: no positives, and a division by 0.
    pytorch/vision#2144: an image without objects."""
    run = jax.jit(lambda outputs, given: jax.value_and_grad(case.value_and_diagnostics, has_aux=True)(outputs, given))
    for rows in (0, 1, 4):
        given = truth(0, rows=max(rows, 1))
        given = {name: each[:, :rows] for name, each in given.items()} | {"mask": np.zeros((3, rows), bool)}
        (value, found), gradient = run(case.outputs(3, 1), given)
        assert value >= 0 and finite(((value, found), gradient))
        assert found["objects"] == found["foreground"] == found["missed"] == 0
    one_empty = truth(1)
    one_empty["mask"][1] = False
    assert finite(run(case.outputs(3, 2), one_empty))


@EVERY
def test_no_image_costs_nothing(case):
    given = {name: each[:0] for name, each in truth(0).items()}
    value, found = jax.jit(case.value_and_diagnostics)(case.outputs(0, 0), given)
    assert value == 0 and finite(found)


@EVERY
def test_degenerate_boxes_are_refused_where_they_are_known_and_harmless_where_not(case):
    """pytorch/vision#2240."""
    run = jax.jit(jax.value_and_grad(case.value_and_diagnostics, has_aux=True))
    for wrong in ([5, 5, 5, 9], [0, 0, 0, 0], [np.nan, 1, 9, 9], [3, 3, np.inf, 9], [9, 9, 3, 3], [-900, -900, -800, -800]):
        given, outputs = truth(2), case.outputs(3, 3)
        given["mask"][1, 2], given["classes"][1, 2] = True, 1
        given["boxes"][1, 2] = wrong
        (value, found), gradient = run(outputs, given)
        assert finite((value, found, gradient)) and found["missed"] >= 1
        if wrong[0] != -900:
            with pytest.raises(ValueError, match=r"box 2 of image 1 is .* no area"):
                case(outputs, given)
    given["boxes"][1, 2], given["classes"][1, 2] = [3, 3, 9, 9], 3
    if not isinstance(case.loss, RpnLoss):
        with pytest.raises(ValueError, match="box 2 of image 1 has class 3, and there are classes 0 to 2"):
            case(outputs, given)


@EVERY
def test_extreme_outputs_are_finite_and_diverged_ones_are_seen(case):
    given = truth(4)
    run = jax.jit(jax.value_and_grad(case))
    for scale in (0.0, 30.0, 1e3):
        assert finite(run(jax.tree.map(lambda each, s=scale: s * each, case.outputs(3, 4)), given)), scale
    assert np.isnan(run(jax.tree.map(lambda each: each * np.nan, case.outputs(3, 4)), given)[0])


@EVERY
def test_half_precision_is_computed_in_float32(case):
    given, half = truth(5), jax.tree.map(lambda each: jnp.asarray(each, jnp.bfloat16), case.outputs(3, 5))
    run = jax.jit(case)
    value = run(half, given)
    assert value.dtype == jnp.float32
    assert value == run(jax.tree.map(lambda each: each.astype(jnp.float32), half), given)


@EVERY
def test_forward_and_reverse_mode_agree(case):
    given, outputs = truth(6), jax.tree.map(jnp.asarray, case.outputs(3, 6))
    along = jax.tree.map(lambda each: jnp.asarray(noise(*each.shape, seed=9)), outputs)
    forward = jax.jit(lambda y, v: jax.jvp(lambda z: case(z, given), (y,), (v,))[1])(outputs, along)
    reverse = jax.jit(jax.grad(case))(outputs, given)
    products = jax.tree.leaves(jax.tree.map(lambda a, b: jnp.sum(a * b), reverse, along))
    assert forward == pytest.approx(float(sum(products)), rel=1e-4, abs=1e-5) and forward != 0


@EVERY
def test_a_step_downhill_costs_less(case):
    given, outputs = truth(7), jax.tree.map(jnp.asarray, case.outputs(3, 7))
    run = jax.jit(jax.value_and_grad(case))
    value, gradient = run(outputs, given)
    length = math.sqrt(sum(float(jnp.sum(each**2)) for each in jax.tree.leaves(gradient)))
    moved = jax.tree.map(lambda y, g: y - 1e-2 / length * g, outputs, gradient)
    assert run(moved, given)[0] < value


@EVERY
def test_the_order_of_objects_does_not_matter_where_none_collide(case):
    given, outputs = truth(8), case.outputs(3, 8)
    order = np.random.default_rng(0).permutation(5)
    turned = {name: each[:, order] for name, each in given.items()}
    run = jax.jit(case.value_and_diagnostics)
    first, second = run(outputs, given), run(outputs, turned)
    if first[1]["missed"] == second[1]["missed"] == 0:
        np.testing.assert_allclose(first[0], second[0], rtol=1e-5)


@EVERY
def test_truth_of_another_shape_or_dtype_is_refused(case):
    given, owner = truth(9), type(case.loss).__name__
    for name, wrong in (
        ("boxes", given["boxes"][0]),
        ("boxes", given["boxes"][..., :3]),
        ("boxes", given["boxes"][:2]),
        ("classes", given["classes"][:, :2]),
        ("classes", given["classes"].astype(np.float32)),
        ("mask", given["mask"][:, :3]),
        ("mask", given["mask"].astype(np.float32)),
    ):
        if name == "classes" and owner == "RpnLoss":
            continue
        with pytest.raises(ValueError, match=rf"^{owner}: {name} must be"):
            jax.eval_shape(lambda other: case(case.outputs(3, 0), other), given | {name: wrong})


@pytest.mark.parametrize(
    "loss",
    [
        *(case.loss for case in CASES.values()),
        FocalLoss(),
        LandmarkLoss(),
        LogisticLocalizationLoss(),
        OverlapLoss(),
        RoiHeadLoss(classes=3),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_every_choice_and_every_number_is_checked(loss):
    owner, hints = type(loss).__name__, typing.get_type_hints(type(loss))
    for each in dataclasses.fields(loss):
        field = each.name
        # None is allowed where it is the default, such as of landmarks.
        counts = (-1,) if each.default == 0 else (0, -1)
        wrong = {float: (math.nan, math.inf, -1.0), int: counts}.get(hints[field], ())
        if typing.get_origin(hints[field]) is typing.Literal:
            wrong = ("nothing",)
        for value in wrong:
            broken = dataclasses.replace(loss)
            object.__setattr__(broken, field, value)
            with pytest.raises(ValueError, match=rf"^{owner}\({field}={value!r}\)"):
                broken.__post_init__()
