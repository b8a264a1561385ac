"""Finding, explaining, writing and reading configs."""

import json
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.experiments.config import describe_changes, from_json, load, to_json
from likeness.experiments.optim.lbfgs import Lbfgs
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant, ExponentialDecay, WarmupCosine
from likeness.experiments.shipped import docstring, shipped
from likeness.research.encoders import Conv4
from likeness.research.errors import UserError
from likeness.research.losses import BatchHard, Triplet

_GOOD = """
from likeness.experiments.run import Run
from likeness.experiments.optim.optimizers import Adam
import pixels

def get_config():
    return Run(experiment=pixels.Pixels(size=6), steps=3, optimizer=Adam({field}=0.5))
"""


def test_a_file_of_ones_own_is_loaded_with_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "my_size.py").write_text("SIZE = 6")
    file = tmp_path / "mine.py"
    file.write_text("import my_size\n" + _GOOD.format(field="clip_norm").replace("size=6", "size=my_size.SIZE"))
    assert load(str(file)).experiment.size == 6  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text, message",
    [
        (_GOOD.format(field="clip_nrom"), r"mine\.py, line 7: Adam has no field 'clip_nrom'. Did you mean 'clip_norm'\?"),
        (_GOOD.format(field="clip_norm").replace("Pixels", "Pixel"), r"Did you mean 'Pixels'\?"),
        (_GOOD.format(field="clip_norm").replace("import Adam", "import Adan"), r"Did you mean 'Adam'\?"),
        (_GOOD.format(field="clip_norm").replace("steps=3", "steps=0"), r"line 7: Run.steps is 0"),
        (
            _GOOD.format(field="clip_norm").replace("return Run", "return Rum"),
            r"name 'Rum' is not defined. Did you mean 'Run'\?",
        ),
        ("x = 1", r"has no get_config\(\)"),
        ("def get_config():\n    return 3", r"returned int"),
        ("def get_config(:", r"mine\.py"),
    ],
)
def test_a_mistake_in_a_config_file_is_named_with_a_suggestion(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        load(str(file))


def test_an_unknown_config_gets_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"did you mean recognition/digits\?"):
        load("recognition/digist")
    with pytest.raises(UserError, match=r"no config file nowhere\.py"):
        load("nowhere.py")


@pytest.mark.parametrize("name", shipped())
def test_a_config_survives_being_written_down(name: str) -> None:
    run = load(name)
    assert from_json(json.loads(json.dumps(to_json(run)))) == run
    assert name in docstring(name)


@given(
    st.one_of(
        st.builds(Adam, schedule=st.builds(Constant, peak_lr=st.floats(0, 1)), clip_norm=st.none() | st.floats(0.1, 9)),
        st.builds(Adam, schedule=st.builds(WarmupCosine, warmup_share=st.floats(0, 0.9)), accumulate=st.integers(1, 4)),
        st.builds(Adam, schedule=st.builds(ExponentialDecay, factor=st.floats(0.1, 1))),
        st.builds(Lbfgs, memory=st.integers(1, 30)),
        # Built in the test: beartype, which checks calls of research, draws by `random`, and no strategy may.
        st.builds(partial, st.just(Conv4), width=st.integers(1, 64), normalize=st.booleans()),
        st.builds(partial, st.just(Triplet), margin=st.floats(0, 2), rule=st.builds(BatchHard)),
    )
)
def test_any_part_survives_being_written_down(part: object) -> None:
    part = part() if isinstance(part, partial) else part
    assert from_json(json.loads(json.dumps(to_json(part)))) == part


def test_changes_are_told_by_path() -> None:
    before, after = to_json(Adam()), to_json(Adam(schedule=Constant(peak_lr=0.5), clip_norm=1.0))
    assert describe_changes(before, after) == ["schedule.peak_lr: 0.001 → 0.5", "clip_norm: null → 1.0"]
    assert describe_changes(to_json(Adam()), to_json(Lbfgs())) == [": Adam → Lbfgs"]


@pytest.mark.parametrize(
    "value, message",
    [
        ({"type": "os.system"}, "not a dataclass"),
        ({"type": "nowhere.Thing"}, "no module that is loaded"),
        ({"type": ""}, "no class of a module"),
        ({"type": "likeness.experiments.optim.optimizers.Adam", "b9": 1}, "does not fit"),
    ],
)
def test_a_written_config_that_does_not_fit_is_refused(value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_json(value)


def test_what_cannot_be_written_down_is_refused() -> None:
    with pytest.raises(UserError, match="holds a set"):
        to_json({1, 2})
