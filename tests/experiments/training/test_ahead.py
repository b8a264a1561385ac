"""A stage that another thread makes ready is the stage that would have been opened, compiled, and errs when it begins."""

import dataclasses
import threading

import jax
import pytest
from widened import Widened, staged

from likeness.experiments.display.progress import Quiet
from likeness.experiments.training.ahead import Ahead
from likeness.experiments.training.compilations import Recompilations
from likeness.experiments.training.interruption import AHEAD
from likeness.experiments.training.stages import stages
from likeness.experiments.training.trainer import train
from likeness.research.errors import UserError


class Told(Quiet):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, text: str) -> None:
        self.sentences.append(text)


def made_ready():
    for thread in threading.enumerate():
        if thread.name == AHEAD:
            thread.join()


@pytest.mark.parametrize("precision", ["float32", None])
def test_the_first_step_compiles_nothing(precision):
    second = stages(staged(steps=6, seed=31, matmul_precision=precision))[1]
    compiled = Recompilations(lambda _: None)
    ahead, told = Ahead(second), Told()
    ahead.begin()
    ahead.begin()
    made_ready()
    assert told.sentences == []
    opened = ahead.opened(told)
    assert opened.stage is second and told.sentences[0] == "stage 2 of 3: its losses do not compare with those before"
    with jax.default_matmul_precision(precision):
        state, batch = opened.start(), opened.put(opened.draw())
        before = compiled.total
        after, _ = opened.step(state, batch)
        assert compiled.total == before and int(after.step) == 1


def test_a_run_of_which_each_stage_was_made_ready_learns_what_one_that_waited_does(tmp_path, monkeypatch):
    run = staged(steps=7)
    ahead = train(run, tmp_path / "ahead", reporter=Quiet())
    monkeypatch.setattr(Ahead, "begin", lambda self: None)
    waited = train(run, tmp_path / "waited", reporter=Quiet())
    for one, other in zip(jax.tree.leaves(ahead.variables), jax.tree.leaves(waited.variables), strict=True):
        assert (one == other).all()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Missing(Widened):
    """Its second stage finds nothing."""

    def open(self) -> str:
        if self.width == 2:
            raise UserError("nothing there")
        return super().open()


def test_what_goes_wrong_is_raised_when_the_stage_begins(tmp_path):
    run = staged(steps=6)
    run = dataclasses.replace(run, experiment=Missing(widths=(1, 2, 4)))
    ahead = Ahead(stages(run)[1])
    ahead.begin()
    made_ready()
    with pytest.raises(UserError, match="nothing there"):
        ahead.opened(Told())
    # What was learned before is kept.
    with pytest.raises(UserError, match="nothing there"):
        train(run, tmp_path, reporter=Quiet())
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == 2


@pytest.mark.parametrize(("until", "made"), [(2, []), (3, [2]), (None, [2, 4])])
def test_stages_that_a_launch_reaches_are_made_ready_and_no_others(tmp_path, monkeypatch, until, made):
    opened = []
    was = Ahead.__init__
    monkeypatch.setattr(Ahead, "__init__", lambda self, stage: (opened.append(stage), was(self, stage))[1])
    train(staged(steps=6), tmp_path, until=until, reporter=Quiet())
    assert [stage.run.experiment.width for stage in opened if stage is not None] == made
    made_ready()
