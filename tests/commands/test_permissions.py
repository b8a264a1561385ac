"""Whoever says by the ``umask`` that nobody else may read what they make is obeyed by whole commands."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_world import Likeness, World

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def private() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.slow
@pytest.mark.usefixtures("private")
def test_nobody_else_may_read_what_training_and_enrolling_write(likeness: Likeness, world: World, tmp_path: Path) -> None:
    """Embeddings and faces among it; a link to a file elsewhere stays one, and is written through."""
    workdir, elsewhere = tmp_path / "run", tmp_path / "elsewhere.sqlite"
    flags = ("--steps", "4", "--log-every", "2", "--checkpoints.every", "2")
    assert likeness("train", world.config, "--workdir", workdir, *flags).code == 0
    gallery = tmp_path / "gallery.sqlite"
    elsewhere.touch()
    gallery.symlink_to(elsewhere)
    said = likeness("enroll", "folder", world.strangers, "--model", workdir, "--gallery", gallery)
    assert said.code == 0, said.err
    made = [path for path in tmp_path.rglob("*") if not path.is_symlink()]
    open_to_others = {str(path.relative_to(tmp_path)) for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077}
    assert not open_to_others
    assert {"embeddings.npz", "config.json", "summary.json"} <= {path.name for path in made}
    assert any(path.suffix == ".png" and "mistakes" in path.parts for path in made)
    assert gallery.is_symlink()
    assert elsewhere.stat().st_size > 0
