"""Compiled programs are kept for the next launch, and nothing fails where they cannot be."""

import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from likeness.experiments.training.compile_cache import keep_programs, mend, processor

NAMES = ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE", "JAX_COMPILATION_CACHE_MAX_SIZE")
OTHERS = ("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in NAMES + OTHERS:
        # Set first, so that what a test sets is taken back too.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    return tmp_path / "cache" / "compiled" / processor()


def chosen() -> tuple[str | None, list[str]]:
    said: list[str] = []
    keep_programs(said.append)
    return os.environ.get("JAX_COMPILATION_CACHE_DIR"), said


def test_a_folder_of_ones_own_for_each_kind_of_processor(place: Path) -> None:
    assert chosen() == (str(place), [])
    assert place.stat().st_mode & 0o777 == 0o700
    assert int(os.environ["JAX_COMPILATION_CACHE_MAX_SIZE"]) == 2**30


@pytest.mark.parametrize(("name", "value"), [("JAX_COMPILATION_CACHE_DIR", "/x"), ("JAX_ENABLE_COMPILATION_CACHE", "false")])
def test_the_environment_decides(place: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert chosen() == (os.environ.get("JAX_COMPILATION_CACHE_DIR"), [])
    assert not place.exists()
    assert "JAX_COMPILATION_CACHE_MAX_SIZE" not in os.environ


def test_where_nothing_can_be_written(place: Path) -> None:
    place.parents[1].write_text("a file, not a folder")
    directory, said = chosen()
    assert directory is None
    assert len(said) == 1
    assert "cannot keep compiled programs" in said[0]
    assert "JAX_ENABLE_COMPILATION_CACHE=false" in said[0]


def test_a_folder_that_others_write_into_is_not_trusted(place: Path) -> None:
    place.mkdir(parents=True)
    place.chmod(0o777)
    directory, (said,) = chosen()
    assert directory is None
    assert f"others can write into {place}" in said


def test_what_a_killed_process_left_is_taken_out(tmp_path: Path) -> None:
    for name in ("whole-cache", "whole-atime", "torn-cache", "fresh-cache"):
        (tmp_path / name).write_bytes(b"12345678")
    old = time.time() - 1000
    for name in ("whole-cache", "torn-cache"):
        os.utime(tmp_path / name, (old, old))
    mend(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"whole-cache", "whole-atime", "fresh-cache"}


def test_what_jax_says_of_the_cache_is_said_once(place: Path) -> None:
    said: list[str] = []
    keep_programs(said.append)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        shown = warnings.showwarning
        for program in ("a", "b"):
            text = f"Error writing persistent compilation cache entry for '{program}': OSError: No space left"
            shown(UserWarning(text), UserWarning, "compiler.py", 1)
    assert len(said) == 1
    assert "No space left" in said[0]


@pytest.mark.slow
@pytest.mark.end_to_end
def test_a_second_launch_compiles_nothing_and_says_the_same(place: Path, tmp_path: Path) -> None:
    """Also that XLA has nothing to say of programs that it reads back."""
    command = [sys.executable, "-m", "likeness.experiments.commands.main", "show", "recognition/digits"]
    kept = {**os.environ, "LIKENESS_CACHE": str(tmp_path / "cache")}
    plain = {**kept, "JAX_ENABLE_COMPILATION_CACHE": "false"}
    runs = [subprocess.run(command, capture_output=True, text=True, check=True, env=env) for env in (plain, kept, kept)]
    assert len({done.stdout for done in runs}) == 1
    assert [done.stderr for done in runs] == [""] * 3
    assert list(place.glob("*-cache"))
