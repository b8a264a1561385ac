"""What every test shares: a compilation cache, and where real data may be."""

import ctypes
import gc
import os
import sys
import tempfile
from pathlib import Path

import jax
import pytest
from hypothesis import settings

# Tiny arrays want programs that are quick to compile, not quick to run: unfused and unoptimized they compile several times
# faster. `make test-all` sets XLA_FLAGS to nothing and so tests what users run. XLA ends a process that gives it a flag it does
# not know, so the flags are for the versions they were tried with.
_QUICK = "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1 --xla_llvm_disable_expensive_passes=true"
if jax.__version_info__[:2] in ((0, 10), (0, 12)):
    unfused = " --xla_cpu_use_fusion_emitters=false" if jax.__version_info__[:2] == (0, 10) else ""
    os.environ.setdefault("XLA_FLAGS", _QUICK + unfused)

# A run in a test is one device's; commands in processes of their own divide batches among cores as users' do.
jax.config.update("jax_num_cpu_devices", 1)

# Compiling is most of what the tests cost; a program compiled once is read back in the next run.
_CACHE = str(Path(__file__).parents[1] / ".cache" / "jax")
jax.config.update("jax_compilation_cache_dir", _CACHE)
# For commands in processes of their own, which would else keep theirs in the home directory.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", _CACHE)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)

# What tests train with is nothing that whoever runs them trusts.
_STATE = tempfile.TemporaryDirectory(prefix="likeness-state-")
os.environ["XDG_STATE_HOME"] = _STATE.name

_ROOM = 2 << 30
"""Bytes that a process of tests may hold of compiled programs, beside what remains without them."""
_held = {"without": 0}

# A test that waits for a processor is not a slow one.
settings.register_profile("likeness", deadline=None)
settings.load_profile("likeness")


@pytest.fixture
def real_data() -> Path:
    """The folder of real data sets, for tests marked ``data``."""
    return Path(os.environ["LIKENESS_DATA"])


def pytest_collection_finish() -> None:
    """Tracing makes many objects, and each collection of garbage would go through all tests and all modules."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish() -> None:
    """Compiled programs are let go before they fill the memory: those of half the tests take 7 GiB a process."""
    if sys.platform == "linux" and _resident() > _held["without"] + _ROOM:
        jax.clear_caches()
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        _held["without"] = _resident()


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked ``data`` or ``weights`` are skipped, with a reason, where there is none."""
    if os.environ.get("LIKENESS_DATA") is None:
        skip = pytest.mark.skip(reason="LIKENESS_DATA is not set: this test reads real data")
        for item in items:
            if item.get_closest_marker("data"):
                item.add_marker(skip)
    for item in items:
        if marker := item.get_closest_marker("weights"):
            from likeness.research.weights import named

            for published in map(named, marker.args):
                if published.find() is None:
                    reason = f"the weights {published.name} are not on this machine: {published.how_to_get()}"
                    item.add_marker(pytest.mark.skip(reason=reason))
