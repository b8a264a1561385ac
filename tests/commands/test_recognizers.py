"""Which recognizer a command takes that was given none."""

import os
from pathlib import Path

import pytest
from small_world import Likeness, World

from likeness.experiments.commands import recognizers
from likeness.experiments.commands.recognizers import DEFAULT, PUBLISHED_WEIGHTS, recognizer_dir, recognizer_named
from likeness.experiments.recognition.published import PUBLISHED


def finished(workdir: Path, at: int) -> Path:
    workdir.mkdir(parents=True)
    (workdir / "threshold.json").write_text("{}")
    os.utime(workdir / "threshold.json", (at, at))
    return workdir


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # As on a machine without any published weights.
    monkeypatch.setattr(recognizers, "at_hand", lambda name: False)
    return tmp_path


def test_what_is_given_is_taken(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished(Path("runs/mine"), 1)
    assert recognizer_dir("elsewhere") == Path("elsewhere")
    assert not capsys.readouterr().err


def test_the_quickstart_comes_first(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished(Path(DEFAULT), 1)
    finished(Path("runs/mine"), 2)
    assert recognizer_dir(None) == Path(DEFAULT)
    assert not capsys.readouterr().err


def test_without_it_the_newest_is_taken_and_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished(Path("runs/recognition/folder"), 3)
    assert recognizer_dir(None) == Path("runs/recognition/folder")
    assert "runs/recognition/folder, the only recognizer below runs" in capsys.readouterr().err
    finished(Path("runs/sweeps/digits/margin=0.2"), 5)
    Path("runs/unfinished").mkdir()
    assert recognizer_dir(None) == Path("runs/sweeps/digits/margin=0.2")
    assert "the newest of 2 recognizers" in capsys.readouterr().err


def test_a_published_recognizer_whose_weights_are_here_comes_before_runs(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(Path(DEFAULT), 1)
    assert recognizer_named(None) == DEFAULT
    monkeypatch.setattr(recognizers, "at_hand", lambda name: True)
    assert recognizer_named("runs/mine") == "runs/mine"
    assert recognizer_named(None) == "mobilefacenet"
    assert "--model is not given: mobilefacenet is used" in capsys.readouterr().err


def test_each_published_recognizer_says_its_weights() -> None:
    assert {one.name: (one.weights, one.crop.weights) for one in PUBLISHED} == PUBLISHED_WEIGHTS


def test_where_there_is_none_the_error_names_the_quickstart(here: Path, likeness: Likeness) -> None:
    said = likeness("verify", "a.png", "b.png")
    assert said.code == 2
    assert DEFAULT in said.err and "how to get mobilefacenet and yunet" in said.err
    assert "pip install 'likeness-jax[faces]'" in said.err


@pytest.mark.end_to_end
def test_verify_answers_by_the_only_run(here: Path, world: World, likeness: Likeness) -> None:
    Path("runs").mkdir()
    Path("runs/mine").symlink_to(world.workdir)
    pair = [world.workdir / "figures" / "mistakes" / f"different_1_{letter}.png" for letter in "ab"]
    said = likeness("verify", *pair)
    assert said.code == 0, said.err
    assert "runs/mine, the only recognizer" in said.err
    assert said.out == likeness("verify", *pair, "--model", world.workdir).out


def test_the_version_is_said(likeness: Likeness) -> None:
    said = likeness("--version")
    assert said.code == 0
    assert said.out.startswith("likeness ")


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    "command, without",
    [
        (("visualize", "--units", "1", "--layers", "relu1"), "the encoder that comes with Likeness (textures) is looked into"),
        pytest.param(
            ("sanity", "--images", "2", "--methods", "gradient"),
            f"There is no working directory {DEFAULT}",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_looks_into_a_network_finds_the_only_run(
    here: Path, world: World, likeness: Likeness, command: tuple[str, ...], without: str
) -> None:
    assert without in likeness(*command).err
    Path("runs").mkdir()
    Path("runs/mine").symlink_to(world.workdir)
    said = likeness(*command, "-o", "out")
    assert said.code == 0, said.err
    assert "WORKDIR is not given: runs/mine, the only recognizer below runs, is used" in said.err
    given = likeness(*command, "-o", "given", "--", world.workdir)
    assert given.out.replace("given/", "out/") == said.out
