"""A batch sharded over eight devices has the loss and gradient that it has on one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_loss_and_rule_is_the_same_on_eight_devices_as_on_one():
    """Value and gradient to 1e-6, random draws included."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "PYTHONPATH": str(ROOT),
    }
    script = ROOT / "tests" / "support" / "eight_devices.py"
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report.pop("devices") == 8
    assert len(report) == 28
    for name, found in report.items():
        assert found["value"] > 0, name
        assert found["gradient"] > 1e-4, name
        assert found["value_difference"] <= 1e-6, name
        assert found["gradient_difference"] <= 1e-6, name
