"""Several devices that each look at a part find what one device finds that looks at all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DEVICES = 3


@pytest.fixture(scope="module")
def report():
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={DEVICES}",
        "PYTHONPATH": str(ROOT),
    }
    script = ROOT / "tests" / "support" / "look_on_devices.py"
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["top True", "bottom True", "random True", "top False"])
def test_devices_together_find_what_one_finds_alone(report, case):
    """Images and places equal, ties included; activations are of size 100, and a batch of another size rounds otherwise."""
    assert report["devices"] == DEVICES
    found = report[case]
    assert found["images"] and found["places"]
    assert found["values"] < 1e-3 and found["means"] < 1e-3


@pytest.mark.slow
def test_devices_together_find_what_sorting_finds(report):
    assert report["top True"]["found"] == report["top True"]["brute"]
