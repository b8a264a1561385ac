import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from small_style import PRESET

from likeness.experiments.config import load
from likeness.experiments.display.phases import watched
from likeness.experiments.run import Run
from likeness.experiments.style.strengths import Strengthened, at_strengths, paint_at_strengths
from likeness.experiments.style.stylization import Stylization
from likeness.experiments.training.trainer import train


@pytest.fixture
def run(tmp_path: Path) -> Run:
    preset = tmp_path / "tiny_style_of_strengths.py"
    preset.write_text(PRESET)
    return load(str(preset))


@pytest.mark.slow
def test_a_strength_paints_what_that_beta_paints_by_the_program_of_all_others(tmp_path: Path, run: Run) -> None:
    weak, own, strong = at_strengths(run, (0.25, 1.0, 7.0))
    assert own is run
    experiment = run.experiment
    assert isinstance(experiment, Stylization)
    objective = dataclasses.replace(experiment.objective, beta=7.0)
    wanted = dataclasses.replace(run, experiment=dataclasses.replace(experiment, objective=objective))
    painted = [train(each, tmp_path / name, reporter=None) for each, name in ((strong, "a"), (wanted, "b"), (weak, "c"))]
    first, second, other = (np.asarray(each.variables.params["pixels"]) for each in painted)
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert np.abs(first - other).max() > 1e-3
    assert strong.experiment.as_compiled() == weak.experiment.as_compiled()


@pytest.mark.slow
def test_what_is_painted_is_not_painted_again_and_the_steps_that_are_left_are_told(tmp_path: Path, run: Run) -> None:
    runs = at_strengths(run, (0.5, 2.0, 4.0))
    places = [tmp_path / "half", tmp_path / "twice", tmp_path / "four"]
    paint_at_strengths(runs[:1], places[:1])
    train(runs[1], places[1], reporter=None, until=2)
    before = (places[0] / "summary.json").stat().st_mtime_ns
    told: list[tuple[str, int, int]] = []
    with watched(lambda what, done, total: told.append((what, done, total))):
        paint_at_strengths(runs, places)
    assert told[0] == ("compiling what paints the other strengths", 0, 1)
    assert [each[1:] for each in told if each[0] == "steps of 2 paintings"] == [(0, 4), (2, 4), (3, 4), (4, 4)]
    assert (places[0] / "summary.json").stat().st_mtime_ns == before
    assert (places[1] / "summary.json").is_file()


@pytest.mark.parametrize("factor", [-1.0, math.inf, math.nan])
def test_a_factor_that_is_none_is_refused(run: Run, factor: float) -> None:
    with pytest.raises(ValueError, match="Strengthened.factor"):
        at_strengths(run, (factor,))
    assert Strengthened.factor == 1.0
