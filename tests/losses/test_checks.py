"""What a field of a loss may be, and what is said of what it may not."""

from typing import Literal

import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.checks import check_choice, check_count, check_finite_nonnegative, check_finite_positive

NUMBERS = (0.5, 1, np.float32(0.5), np.array(0.5), jnp.asarray(0.5))


@pytest.mark.parametrize("check", [check_finite_nonnegative, check_finite_positive])
def test_a_number_is_one_of_python_s_or_an_array_without_axes(check):
    for number in NUMBERS:
        check("Loss", "margin", number)
    for wrong in ("0.5", None, np.array([0.5]), np.ones((1, 1)), float("inf"), float("nan"), -0.5):
        with pytest.raises(ValueError, match=r"^Loss\(margin=.*\): margin must be a finite number"):
            check("Loss", "margin", wrong)


def test_nothing_is_a_number_and_not_above_0():
    check_finite_nonnegative("Loss", "margin", 0.0)
    with pytest.raises(ValueError, match=r"^Loss\(margin=0.0\): margin must be a finite number above 0"):
        check_finite_positive("Loss", "margin", 0.0)


@pytest.mark.parametrize("least", [0, 1, 2])
def test_a_count_is_whole_and_not_too_small(least: int):
    for count in (least, np.int64(least), least + 7):
        check_count("Loss", "patch", count, least=least)
    for wrong in (least - 1, least + 0.5, float(least), "3", True, None):
        with pytest.raises(ValueError, match=rf"patch must be at least {least}, a whole number"):
            check_count("Loss", "patch", wrong, least=least)
    check_count("Loss", "patch", 1)
    with pytest.raises(ValueError, match=r"^Loss\(patch=0\): patch must be at least 1"):
        check_count("Loss", "patch", 0)


def test_a_choice_is_one_of_those_that_are_listed():
    choices = Literal["sum", "mean"]
    check_choice("Loss", "reduction", "mean", choices)
    with pytest.raises(ValueError, match=r"^Loss\(reduction='max'\): reduction must be one of 'sum', 'mean'\.$"):
        check_choice("Loss", "reduction", "max", choices)
