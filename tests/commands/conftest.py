"""A tiny recognizer, trained once for all tests of the command line, and a way to type a command."""

import shutil
from pathlib import Path

import pytest
from small_world import CONFIG, Likeness, Said, World, draw

from likeness.experiments.commands.main import run


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    draw(root / "people", [f"person{i:02}" for i in range(24)], 6, seed=1)
    draw(root / "strangers", ["ada", "bob", "cyd"], 3, seed=2)
    config = root / "tiny_patterns.py"
    config.write_text(CONFIG.format(path=str(root / "people")))
    made = World(root / "people", root / "strangers", config, root / "run")
    assert run(["train", str(config), "--workdir", str(made.workdir)]) == 0
    return made


@pytest.fixture
def workdir(world: World, tmp_path: Path) -> Path:
    """A copy of the trained working directory, to be changed."""
    return Path(shutil.copytree(world.workdir, tmp_path / "run"))


@pytest.fixture
def likeness(capfd: pytest.CaptureFixture[str]) -> Likeness:
    """Types ``likeness ARGUMENTS`` and returns what it answers."""

    def type_in(*arguments: object) -> Said:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return Said(code, said.out, said.err)

    return type_in
