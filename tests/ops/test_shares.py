"""A batch that lies on several devices of a CPU is convolved where it lies."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.ops.shares import by_shares, summed_shares

_SCRIPT = Path(__file__).parents[1] / "support" / "shares.py"


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if name != "JAX_NUM_CPU_DEVICES"}
    done = subprocess.run([sys.executable, str(_SCRIPT)], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", ["blocks", "pointwise", "strided", "unequal shares", "tiles"])
def test_values_and_gradients_are_those_of_the_definition(case: str, report: dict[str, Any]) -> None:
    assert report["devices"] == 4
    assert max(report["convolutions"][case]["differences"]) < 1e-5


@pytest.mark.parametrize("case", ["blocks", "pointwise", "strided", "tiles"])
def test_no_device_fetches_the_batch(case: str, report: dict[str, Any]) -> None:
    """Only the gradient by the kernel is added up."""
    assert not report["convolutions"][case]["all-gather"] and report["convolutions"][case]["all-reduce"]


def test_a_run_takes_as_many_cores_as_share_its_batch_evenly(report: dict[str, Any]) -> None:
    whole = {"16×8192": [4, 4], "10×8192": [2, 2], "9×8192": [3, 4], "3×8192": [3, 4]}
    # Small shares are not worth their waiting.
    assert report["meshes"] == whole | {"16×1024": [2, 2], "16×64": [1, 2]}
    assert report["no batch"] == [1, 1, 2]


def test_one_device_has_a_network_with_many_batch_statistics(report: dict[str, Any]) -> None:
    """The others would wait at each of them. Who says how many devices there are has them."""
    assert report["statistics"] == [4, 4, 1, 2] and report["asked for"] == 4


def test_without_a_mesh_the_function_is_called_as_it_is() -> None:
    x, k = jnp.ones((3, 2)), jnp.ones((2,))
    np.testing.assert_array_equal(by_shares(lambda x, k: x * k, (x,), (k,)), x)
    np.testing.assert_array_equal(summed_shares(lambda x: x.sum(0), (x,)), [3, 3])
