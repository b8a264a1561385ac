import dataclasses
import shutil

import pytest
from pixels import Pixels

from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.storage.workdir import Workdir
from likeness.experiments.training.evaluation import read_run
from likeness.experiments.training.following import follow
from likeness.experiments.training.trainer import train
from likeness.research.errors import UserError

RUN = Run(
    experiment=Pixels(),
    steps=6,
    optimizer=Adam(schedule=Constant(peak_lr=0.05)),
    evaluate_every=2,
    checkpoints=Checkpoints(every=2, keep_last=10),
)


def found(workdir):
    return [(record["step"], record["pixels/rmse"]) for record in read_metrics(Workdir(workdir).evaluations)]


def in_training(workdir):
    return [
        (record["step"], record["pixels/rmse"])
        for record in read_metrics(Workdir(workdir).metrics)
        if record["split"] == "validation"
    ]


@pytest.mark.end_to_end
def test_each_checkpoint_is_evaluated_as_in_training_until_the_last(tmp_path):
    train(dataclasses.replace(RUN, steps=4), tmp_path)
    # Asked for more, the run goes on while it is followed.
    waited = []

    def goes_on(seconds):
        waited.append(seconds)
        train(RUN, tmp_path)

    config = Workdir(tmp_path).config
    written = config.read_text()
    config.write_text(written.replace('"steps": 4', '"steps": 6'))
    assert read_run(tmp_path).steps == 6
    steps = [step for step, _ in follow(tmp_path, poll=3.0, wait=goes_on)]
    assert steps == [2, 4, 6]
    assert waited == [3.0]
    assert found(tmp_path) == in_training(tmp_path)
    # Launched again there is nothing left to do.
    assert list(follow(tmp_path)) == []
    assert [step for step, _ in found(tmp_path)] == [2, 4, 6]


@pytest.mark.end_to_end
def test_it_goes_on_where_it_stopped_and_leaves_out_what_is_gone(tmp_path):
    train(RUN, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "checkpoints").rglob("*")}
    following = follow(tmp_path)
    assert next(following)[0] == 2
    following.close()
    shutil.rmtree(tmp_path / "checkpoints" / "4")
    told = []
    assert [step for step, _ in follow(tmp_path, tell=told.append)] == [6]
    assert told == [
        "no checkpoint of step 4 is there to be evaluated: the run keeps the last 10 of them (checkpoints.keep_last)"
    ]
    assert [step for step, _ in found(tmp_path)] == [2, 6]
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "checkpoints").rglob("*")}
    assert {path: time for path, time in before.items() if path in after and path.is_file()} == {
        path: time for path, time in after.items() if path.is_file()
    }


@pytest.mark.end_to_end
def test_reading_leaves_what_another_process_writes(tmp_path):
    train(dataclasses.replace(RUN, steps=2), tmp_path)
    half = tmp_path / "checkpoints" / "4.orbax-checkpoint-tmp-1"
    half.mkdir()
    store = CheckpointStore(tmp_path / "checkpoints", RUN.checkpoints, reading=True)
    assert store.steps() == [2]
    store.close()
    assert half.exists()


def test_a_directory_of_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="There is no working directory"):
        next(follow(tmp_path / "nowhere"))
