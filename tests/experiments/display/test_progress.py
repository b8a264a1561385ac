"""What a person sees of a run: how long it will still take."""

import numpy as np
import pytest

from likeness.experiments.display.phases import watched
from likeness.experiments.display.progress import Pace, Phases, Terminal
from likeness.experiments.recognition.embedders import RawPixels
from likeness.experiments.recognition.protocols import evaluate
from likeness.research.data import from_arrays


def pace(total: int, evaluate_every: int | None, *noted: tuple[int, float]) -> str:
    made = Pace(total, evaluate_every)
    for step, now in noted:
        made.note(step, now)
    return made.left()


def test_nothing_is_said_before_anything_was_seen() -> None:
    assert pace(60, 20) == ""
    assert pace(60, 20, (10, 100.0)) == ""


def test_evaluations_to_come_take_as_long_as_those_seen() -> None:
    """Half a second a step; seven for the evaluation at step 20; those at steps 40 and 60 are to come."""
    seen = [(10, 100.0), (20, 105.0), (30, 117.0)]
    assert pace(60, 20, *seen[:2]) == "more than 0:00:20 of training left"
    assert pace(60, 20, *seen) == "0:00:29 of training left"
    assert pace(65, 20, *seen) == "0:00:38 of training left"
    assert pace(60, None, (10, 100.0), (20, 105.0)) == "0:00:20 of training left"


def test_steps_and_evaluations_that_come_together_are_counted_together() -> None:
    """Every interval of the log has its evaluation, so what a step takes has it in it."""
    assert pace(60, 10, (10, 100.0), (20, 110.0)) == "0:00:40 of training left"


def test_at_the_last_step_the_last_evaluation_is_to_come() -> None:
    seen = [(10, 0.0), (20, 10.0), (30, 27.0)]
    assert pace(40, 20, *seen) == "0:00:17 of training left"
    assert pace(40, 20, *seen, (40, 37.0)) == "0:00:07 of evaluating left"


def test_a_log_file_gets_the_time_left(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", iter([1000.0, 1010.0, 1020.0]).__next__)
    terminal = Terminal(30)
    for step in (10, 20, 30):
        terminal.advance(step, {"loss": 0.5})
    assert capfd.readouterr().err.splitlines() == [
        "step 10 of 30  loss 0.5",
        "step 20 of 30, 0:00:10 of training left  loss 0.5",
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
