"""What a person sees of a run while it goes on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import toy_run

from likeness.experiments.display.phases import tracked, watched
from likeness.experiments.display.progress import Phases, Quiet, Terminal, reporting
from likeness.experiments.recognition.embedders import RawPixels
from likeness.experiments.recognition.protocols import evaluate
from likeness.experiments.training.trainer import train
from likeness.research.data import from_arrays


def test_a_log_file_gets_the_time_left(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", iter([1000.0, 1010.0, 1020.0]).__next__)
    terminal = Terminal(30)
    for step in (10, 20, 30):
        terminal.advance(step, {"loss": 0.5})
    assert capfd.readouterr().err.splitlines() == [
        "step 10 of 30  loss 0.5",
        "step 20 of 30, 0:00:10 left  loss 0.5",
        "step 30 of 30  loss 0.5",
    ]


def test_a_log_file_gets_the_phases_with_the_time_left(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.monotonic", iter([1000.0, 1003.0, 1006.0, 1012.0, 1020.0, 1021.0]).__next__)
    with Phases() as phases:
        for done in (0, 256, 512, 768, 999):
            phases.tell("embedding images", done, 999)
        phases.tell("measuring", 0, 2)
    assert capfd.readouterr().err.splitlines() == [
        "embedding images",
        "embedding images: 512 of 999, 0:00:06 left",
        "embedding images: 768 of 999, 0:00:04 left",
        "measuring",
    ]


def test_what_comes_between_two_parts_of_a_phase_is_not_counted(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiling took a minute, and of the steps two are left, of six seconds each."""
    monkeypatch.setattr("time.monotonic", iter([1000.0, 1006.0, 1012.0, 1018.0, 1072.0, 1078.0]).__next__)
    with Phases() as phases:
        phases.tell("steps", 0, 6)
        phases.tell("steps", 1, 6)
        phases.tell("steps", 2, 6)
        phases.tell("compiling", 0, 1)
        phases.tell("steps", 3, 6)
        phases.tell("steps", 4, 6)
    assert capfd.readouterr().err.splitlines() == [
        "steps",
        "steps: 1 of 6",
        "steps: 2 of 6, 0:00:24 left",
        "compiling",
        "steps: 3 of 6",
        "steps: 4 of 6, 0:00:12 left",
    ]


def test_what_is_compiled_for_the_first_is_not_counted_for_the_others(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four minutes for the first, six seconds for each of the others."""
    monkeypatch.setattr("time.monotonic", iter([1000.0, 1240.0, 1246.0]).__next__)
    with Phases() as phases:
        for done in (0, 1, 2):
            phases.tell("asking layers", done, 16)
    assert capfd.readouterr().err.splitlines() == [
        "asking layers",
        "asking layers: 1 of 16",
        "asking layers: 2 of 16, 0:01:24 left",
    ]


def test_an_evaluation_tells_how_many_images_are_embedded() -> None:
    images = from_arrays(np.zeros((600, 8, 8, 1), np.uint8), np.arange(600) % 7)
    told: list[tuple[str, int, int]] = []
    with watched(lambda *said: told.append(said)):
        evaluate(RawPixels().fit(images), images)
    assert told == [("embedding images", done, 600) for done in (0, 256, 512, 600)]
    evaluate(RawPixels().fit(images), images)
    assert len(told) == 4


def test_a_stage_stands_before_its_loss(capfd: pytest.CaptureFixture[str]) -> None:
    with Terminal(2) as terminal:
        terminal.advance(2, {"loss": 1.08, "stage": 2})
    assert "stage 2, loss 1.08" in capfd.readouterr().err


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the one line below a notebook's cell says, one after the other."""
    lines: list[str] = []

    class Line:
        def update(self, data: dict[str, Any], raw: bool) -> None:
            assert raw
            lines.append(data["text/plain"])

    def display(data: dict[str, Any], raw: bool, display_id: bool) -> Line:
        assert raw and display_id
        lines.append(data["text/plain"])
        return Line()

    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("IPython.display.display", display)
    return lines


def test_a_notebook_has_one_line_that_says_in_the_end_what_was_reached(
    cell: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = toy_run(steps=3, log_every=1)
    train(run, tmp_path)
    assert f"working in {tmp_path}; the first step is compiled" in cell
    assert cell[-1].startswith("step 3 of 3, loss ")
    train(run, tmp_path)
    assert cell[-1] == "all 3 steps were taken before"
    said = len(cell)
    train(run, tmp_path, reporter=None)
    assert len(cell) == said and capfd.readouterr() == ("", "")


def test_a_notebooks_line_says_what_is_done_beside_the_steps_and_keeps_what_failed(cell: list[str]) -> None:
    with pytest.raises(RuntimeError), reporting("auto", 30):
        assert sum(tracked("embedding images", [3, 4], size=lambda rows: rows)) == 7
        raise RuntimeError
    assert cell == ["embedding images: 0 of 7"]


def test_progress_is_shown_where_somebody_looks_on(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    with reporting("auto", 3) as elsewhere, reporting(None, 3) as asked:
        assert type(elsewhere) is type(asked) is Quiet
    with reporting(elsewhere, 3) as own:
        assert own is elsewhere
    monkeypatch.setenv("FORCE_COLOR", "1")
    with reporting("auto", 3) as terminal, reporting(None, 3) as asked:
        assert isinstance(terminal, Terminal) and type(asked) is Quiet
    capfd.readouterr()
