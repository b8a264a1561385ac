"""The trainer on eight devices does what it does on one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh

from likeness.experiments.distributed.sharding import Mesh
from likeness.research.errors import UserError
from likeness.research.losses import MarginSoftmax

_SCRIPT = Path(__file__).parents[1] / "support" / "on_a_mesh.py"


def train_on(devices: int, data: int, fsdp: int, workdir: Path, steps: int = 4) -> dict[str, Any]:
    environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    command = [sys.executable, str(_SCRIPT), str(data), str(fsdp), str(workdir), str(steps)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_eight_devices_train_as_one_does_and_take_over_its_checkpoint(tmp_path: Path) -> None:
    one = train_on(1, 1, 1, tmp_path / "one")
    for data, fsdp in ((8, 1), (2, 4)):
        eight = train_on(8, data, fsdp, tmp_path / f"{data}x{fsdp}")
        np.testing.assert_allclose(eight["losses"], one["losses"], rtol=1e-4)
        assert eight["devices"] == [8]
        assert eight["split"] == (fsdp > 1)
    again = train_on(8, 2, 4, tmp_path / "one", steps=6)
    assert again["devices"] == [8] and len(again["losses"]) == 6 and again["losses"][:4] == one["losses"]


@pytest.mark.slow
def test_a_run_goes_on_with_as_many_devices_as_there_are(tmp_path: Path) -> None:
    """8, 4, 2 and again 8 devices in one run's life, differently arranged: the loss curve is that of one device."""
    one = train_on(1, 1, 1, tmp_path / "one", 16)
    for steps, (devices, data, fsdp) in zip((4, 8, 12, 16), ((8, 4, 2), (4, 1, 4), (2, 2, 1), (8, 2, 4)), strict=True):
        many = train_on(devices, data, fsdp, tmp_path / "many", steps)
        assert many["devices"] == [devices]
    assert len(many["losses"]) == 16
    np.testing.assert_allclose(many["losses"], one["losses"], rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "fsdp", "axis"),
    [
        # The largest axis that the devices divide, if the array is large enough to be worth it.
        ((12, 8), 4, 0),
        ((8, 12), 4, 1),
        ((15, 8), 4, 1),
        ((15, 9), 4, None),
        ((3, 8), 4, None),
        ((10, 5), 5, 0),
        ((64,), 4, 0),
        ((), 4, None),
        ((12, 8), 1, None),
    ],
)
def test_a_large_array_is_split_along_its_largest_divisible_axis(shape: tuple[int, ...], fsdp: int, axis: int | None) -> None:
    mesh: Any = AbstractMesh((2, fsdp), ("data", "fsdp"))
    places = Mesh(fsdp=fsdp, shard_above=25).state_shardings(mesh, {"leaf": jax.ShapeDtypeStruct(shape, np.float32)})
    split = [place for place, name in enumerate(places["leaf"].spec) if name == "fsdp"]
    assert split == ([] if axis is None else [axis])
    assert not any(name == "data" for name in places["leaf"].spec)


def test_a_mesh_that_does_not_fit_is_explained() -> None:
    with pytest.raises(UserError, match=r"data=3 times fsdp=5 devices and there are"):
        Mesh(data=3, fsdp=5).build()
    with pytest.raises(ValueError, match="each must be 1 or more"):
        Mesh(fsdp=0)


@pytest.mark.parametrize(
    ("mesh", "loss"),
    [
        (Mesh(fsdp=4, shard_above=100), MarginSoftmax(classes=102, shards=3)),
        (Mesh(fsdp=4, shard_above=100), MarginSoftmax(classes=100, shards=2, rate=0.5)),
    ],
)
def test_centers_that_devices_cannot_share_are_refused(mesh: Mesh, loss: MarginSoftmax) -> None:
    with pytest.raises(UserError, match=r"multiple of mesh.fsdp. Give shards=4"):
        loss.check_sharding({"centers": centers(loss)}, mesh.fsdp, mesh.shard_above)


@pytest.mark.parametrize(
    ("mesh", "loss"),
    [
        (Mesh(fsdp=4, shard_above=100), MarginSoftmax(classes=102, shards=8)),
        (Mesh(fsdp=4, shard_above=100), MarginSoftmax(classes=100)),
        (Mesh(fsdp=4), MarginSoftmax(classes=102, shards=3)),
        (Mesh(shard_above=100), MarginSoftmax(classes=102, shards=3, rate=0.5)),
    ],
    ids=["a multiple", "rows that divide", "small enough to stay whole", "nobody shares"],
)
def test_centers_that_fit_or_stay_whole_are_taken(mesh: Mesh, loss: MarginSoftmax) -> None:
    loss.check_sharding({"centers": centers(loss)}, mesh.fsdp, mesh.shard_above)


def centers(loss: MarginSoftmax) -> Any:
    return loss.init(jax.random.key(0), 8)["centers"]
