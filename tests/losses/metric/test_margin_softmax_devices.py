"""Class centers split over devices: the loss is what it is on one, and no device holds the matrix of all logits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_no_device_holds_the_logits_of_all_classes():
    """Value and gradient to 1e-6 on meshes of 2 × 4 and 1 × 8, all centers and sampled ones; and so in a training step."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "PYTHONPATH": str(ROOT),
    }
    script = ROOT / "tests" / "support" / "split_centers.py"
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report.pop("devices") == 8
    whole, training = report.pop("whole"), report.pop("training")
    assert len(report) == 4
    for name, found in report.items():
        assert found["value"] <= 1e-6, name
        assert found["gradient"] <= 1e-6, name
        # An eighth, with the rows that fill up; every array of the program counts, of whatever meaning.
        assert found["largest"] <= 1.01 * whole / 8, name
        assert found["logits"] <= (0.3 if name.startswith("0.25") else 1.01) * whole / 8, name
    # The batch over two times four devices, centers over four, half of them sampled.
    assert training["rows"] == 1024
    assert training["logits"] <= 0.51 * whole / 8
    assert training["value"] <= 1e-6
    assert training["centers"] <= 1e-5
