"""A run in an object store: what is fetched is whole, and goes on to the bit. The store is fsspec's, in memory."""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import fsspec
import jax
import numpy as np
import pytest
from listener import Listener
from pixels import Pixels

from likeness.experiments.commands import evaluate, train
from likeness.experiments.display.progress import Quiet
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.storage import object_store
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.storage.object_store import ObjectStore, followed_in_store, kept_in_store
from likeness.experiments.storage.workdir import Workdir
from likeness.experiments.training.evaluation import restore
from likeness.experiments.training.following import follow
from likeness.experiments.training.trainer import train as train_run
from likeness.research.errors import UserError

URL = "memory://bucket/run"


@pytest.fixture
def store() -> Any:
    files: Any = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield files
    files.store.clear()


def names(files: Any) -> set[str]:
    return {path.removeprefix("/bucket/run/") for path in files.find("/bucket/run")}


def write(folder: Path, **content: str) -> None:
    for name, text in content.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_nothing_is_written_outside_of_the_copy(store: Any, tmp_path: Path) -> None:
    store.pipe_file("/bucket/run/../../evil", b"x")
    store.store["/bucket/run/a/../../evil"] = store.store.pop(next(path for path in store.store if path.endswith("evil")))
    with pytest.raises(UserError, match="outside of the run's directory"):
        ObjectStore(URL, tmp_path / "copy").fetch()


def test_a_checkpoint_counts_once_it_is_whole(store: Any, tmp_path: Path) -> None:
    """Of one that breaks off, and of one that is being written, nothing is fetched."""
    there, back = tmp_path / "there", tmp_path / "back"
    write(there, metrics="1", checkpoints__5__a="a", checkpoints__6="", **{"checkpoints__7.tmp__a": "half"})
    (there / "checkpoints" / "6").unlink()
    (there / ".lock").touch()
    ObjectStore(URL, there).store()
    assert names(store) == {"metrics", "checkpoints/5/a", "checkpoints/5.whole"}
    store.pipe_file("/bucket/run/checkpoints/8/a", b"half")
    again = ObjectStore(URL, back)
    again.fetch()
    assert {path.relative_to(back).as_posix() for path in back.rglob("*") if path.is_file()} == {"metrics", "checkpoints/5/a"}
    write(back, checkpoints__9__a="a")
    (back / "checkpoints" / "5" / "a").unlink()
    (back / "checkpoints" / "5").rmdir()
    again.store()
    assert names(store) == {"metrics", "checkpoints/9/a", "checkpoints/9.whole"}


def test_only_what_has_changed_is_put_and_lines_before_their_checkpoint(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[str] = []
    upload = type(store).put_file
    monkeypatch.setattr(type(store), "put_file", lambda self, path, to: (put.append(Path(to).name), upload(self, path, to)))
    kept = ObjectStore(URL, tmp_path)
    write(tmp_path, config="1", metrics="1", checkpoints__5__a="a")
    kept.store()
    kept.store()
    assert put == ["config", "metrics", "a"]
    write(tmp_path, metrics="12")
    kept.store()
    assert put[3:] == ["metrics"]


@pytest.mark.end_to_end
def test_a_run_in_a_store_goes_on_to_the_bit(store: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed between two puts it goes on from what was put; its copy on the disk is gone in the end."""
    fields: dict[str, Any] = {"experiment": Pixels(size=4), "log_every": 1, "checkpoints": Checkpoints(every=2)}
    whole = train_run(Run(steps=8, **fields), tmp_path / "whole")
    with kept_in_store(URL, Quiet()) as first:
        train_run(Run(steps=8, **fields), first, until=4)
    assert not first.exists()
    with kept_in_store(URL, Quiet()) as second:
        went_on = Listener()
        train_run(Run(steps=8, **fields), second, reporter=went_on)
        assert any("going on from step 4" in said for said in went_on.said)
    with kept_in_store(URL, Quiet()) as third:
        step, variables = restore(third, Run(steps=8, **fields))
        assert step == 8
        jax.tree.map(np.testing.assert_array_equal, variables, whole.variables)
        assert [line["loss"] for line in read_metrics(third / "metrics.jsonl") if line["split"] == "train"] == [
            line["loss"] for line in read_metrics(whole.workdir / "metrics.jsonl") if line["split"] == "train"
        ]


@pytest.mark.slow
@pytest.mark.end_to_end
def test_the_commands_take_an_address(store: Any, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(Path(__file__).parents[2] / "support" / "small_digits.py")
    assert train.main([config, "--steps", "2", "--workdir", URL]) == 0
    assert {"config.json", "metrics.jsonl", "summary.json", "checkpoints/2.whole"} <= names(store)
    store.rm_file("/bucket/run/summary.json")
    assert evaluate.main([URL]) == 0
    assert "summary.json" in names(store)
    assert URL in capsys.readouterr().out
    with pytest.raises(UserError, match="give one that is free"):
        train.main([config, "--workdir", URL, "--fresh"])


@pytest.mark.end_to_end
def test_a_run_is_followed_in_the_store(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From before it begins, each checkpoint as it comes; nothing of it is put again, and what it removes goes here too."""
    run = Run(steps=6, experiment=Pixels(size=4), checkpoints=Checkpoints(every=2, keep_last=1))
    trains = ObjectStore(URL, tmp_path)
    put: list[str] = []
    upload = type(store).put_file
    there: list[set[str]] = []
    with followed_in_store(URL, Quiet()) as (copy, wait):
        wait(0.01)
        assert not list(copy.iterdir())
        train_run(run, tmp_path, until=2)
        trains.store()
        wait(0.01)

        def goes_on(seconds: float) -> None:
            train_run(run, tmp_path, until=4 if len(there) == 0 else None)
            trains.store()
            with monkeypatch.context() as watched:
                watched.setattr(
                    type(store), "put_file", lambda self, path, to: (put.append(Path(to).name), upload(self, path, to))
                )
                wait(seconds)
            there.append({path.name for path in (copy / "checkpoints").iterdir()})

        steps = [step for step, _ in follow(copy, poll=0.01, wait=goes_on)]
    assert steps == [2, 4, 6] and there == [{"4"}, {"6"}] and set(put) == {"evaluations.jsonl"}
    lines = store.cat_file("/bucket/run/evaluations.jsonl").decode().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 4, 6]
    assert not copy.exists()
    with followed_in_store(URL, Quiet()) as (again, _):
        assert list(follow(again)) == []


@pytest.mark.end_to_end
def test_the_command_waits_for_the_run_in_a_directory_and_in_a_store(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(steps=2, experiment=Pixels(size=4), checkpoints=Checkpoints(every=2))
    here, there = tmp_path / "here", tmp_path / "there"

    rest = time.sleep

    def begins(seconds: float) -> None:
        if threading.current_thread() is not threading.main_thread():
            # Of whatever another test has left running.
            rest(seconds)
            return
        assert seconds == 0.5
        monkeypatch.undo()
        train_run(run, here)
        train_run(run, there)
        ObjectStore(URL, there).store()

    for address in (str(here), URL):
        monkeypatch.setattr("time.sleep", begins)
        assert evaluate.main([address, "--follow", "--poll", "0.5"]) == 0
        said = capsys.readouterr().out
        assert f"waiting for a run to begin in {address}\n" in said and "step 2  pixels/rmse" in said
        assert f"results  {address}/evaluations.jsonl" in said
        store.rm("/bucket/run", recursive=True)
    (tmp_path / "sweep.json").write_text("{}")
    with pytest.raises(UserError, match="holds a sweep"):
        evaluate.main([str(tmp_path), "--follow"])


@pytest.mark.parametrize("failing", ["find", "get", "put_file"])
def test_a_store_that_cannot_be_reached_is_asked_again(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    write(tmp_path, **{"config.json": "{}"})
    trains, said = ObjectStore(URL, tmp_path), Listener()
    trains.store()
    with followed_in_store(URL, said) as (copy, wait):
        (copy / "evaluations.jsonl").write_text("{}")
        write(tmp_path, checkpoints__5__a="a")
        trains.store()
        with monkeypatch.context() as broken:
            broken.setattr(type(store), failing, lambda *_, **__: 1 / 0)
            wait(0.01)
        assert "cannot be reached (ZeroDivisionError" in said.warned[0]
        wait(0.01)
        assert (copy / "checkpoints" / "5" / "a").read_text() == "a" and len(said.warned) == 1
    assert "evaluations.jsonl" in names(store)


def test_a_checkpoint_that_goes_while_it_is_fetched_is_left_out(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trains = ObjectStore(URL, tmp_path)
    with followed_in_store(URL, Quiet()) as (copy, wait):
        write(tmp_path, checkpoints__5__a="a", checkpoints__5__b="b")
        trains.store()
        get = type(store).get

        def late(self: Any, *given: Any, **named: Any) -> None:
            store.rm_file("/bucket/run/checkpoints/5.whole")
            store.rm_file("/bucket/run/checkpoints/5/a")
            get(self, *given, **named)

        monkeypatch.setattr(type(store), "get", late)
        wait(0.01)
        assert not list(copy.rglob("b"))


def test_who_is_interrupted_has_put_what_was_evaluated(store: Any) -> None:
    copy: list[Path] = []
    with pytest.raises(KeyboardInterrupt), followed_in_store(URL, Quiet()) as at:
        copy.append(at[0])
        (at[0] / "evaluations.jsonl").write_text("{}")
        raise KeyboardInterrupt
    assert names(store) == {"evaluations.jsonl"} and not copy[0].exists()


def test_what_was_evaluated_stays_where_the_store_takes_nothing(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(type(store), "put_file", lambda *_, **__: 1 / 0)
    with pytest.raises(UserError, match=r"What was evaluated is in .*evaluations.jsonl"), followed_in_store(URL, Quiet()) as at:
        (at[0] / "evaluations.jsonl").write_text("{}")
    assert (at[0] / "evaluations.jsonl").read_text() == "{}"


def test_what_cannot_be_is_said(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UserError, match=r"pip install 'likeness-jax\[s3\]'"):
        ObjectStore("s3://bucket/run", tmp_path)
    with pytest.raises(UserError, match="no address of a store"):
        ObjectStore("nothing://bucket/run", tmp_path)
    with pytest.raises(UserError, match="gs://bucket/run lies in an object store"):
        Workdir(Path("gs://bucket/run"))
    monkeypatch.setattr(object_store.processes, "several", lambda: True)
    with pytest.raises(UserError, match="need a directory that all share"), kept_in_store(URL, Quiet()):
        pass


def test_a_store_that_fails_is_tried_again_and_nothing_is_lost(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Listener()

    def refuse(*given: Any) -> None:
        raise PermissionError("no credentials")

    monkeypatch.setattr(type(store), "put_file", refuse)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (
        pytest.raises(UserError, match=r"no credentials.*What the run left is in") as raised,
        kept_in_store(URL, said, 0.01) as local,
    ):
        write(local, metrics="1")
        while not said.warned:
            pass
    assert str(local) in str(raised.value)
    assert (local / "metrics").read_text() == "1"
