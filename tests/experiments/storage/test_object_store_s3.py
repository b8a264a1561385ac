"""A run in a store that speaks S3's protocol: moto's server, through the real s3fs."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import jax
import numpy as np
import pytest
from listener import Listener
from pixels import Pixels

from likeness.experiments.display.progress import Quiet
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.storage.object_store import ObjectStore, followed_in_store, kept_in_store
from likeness.experiments.training.evaluation import restore
from likeness.experiments.training.following import follow
from likeness.experiments.training.trainer import train
from likeness.research.errors import UserError

pytest.importorskip("s3fs", exc_type=ImportError)
moto = pytest.importorskip("moto.server", exc_type=ImportError)
pytestmark = pytest.mark.end_to_end

RUN = Run(steps=8, experiment=Pixels(size=4), log_every=1, checkpoints=Checkpoints(every=2, keep_last=2))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {"ACCESS_KEY_ID": "any", "SECRET_ACCESS_KEY": "any", "ENDPOINT_URL": f"http://{host}:{port}"}
    for name, value in settings.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    fsspec.filesystem("s3").mkdir(f"likeness-{port}")
    yield f"s3://likeness-{port}/run"
    fsspec.filesystem("s3").clear_instance_cache()
    server.stop()


def test_a_run_goes_on_in_another_copy_to_the_bit(bucket: str, tmp_path: Path) -> None:
    whole = train(RUN, tmp_path / "whole")
    with kept_in_store(bucket, Quiet()) as first:
        train(RUN, first, until=4)
    with kept_in_store(bucket, Quiet()) as second:
        went_on = Listener()
        train(RUN, second, reporter=went_on)
        assert any("going on from step 4" in said for said in went_on.said)
    with kept_in_store(bucket, Quiet()) as third:
        assert sorted(path.name for path in (third / "checkpoints").iterdir()) == ["6", "8"]
        step, variables = restore(third, RUN)
        assert step == 8
        jax.tree.map(np.testing.assert_array_equal, variables, whole.variables)


def test_it_is_followed(bucket: str, tmp_path: Path) -> None:
    trains = ObjectStore(bucket, tmp_path)
    train(RUN, tmp_path, until=2)
    trains.store()
    with followed_in_store(bucket, Quiet()) as (copy, wait):

        def goes_on(seconds: float) -> None:
            train(RUN, tmp_path)
            trains.store()
            wait(seconds)

        assert [step for step, _ in follow(copy, poll=0.01, wait=goes_on)] == [2, 6, 8]
    assert fsspec.filesystem("s3").exists(f"{bucket}/evaluations.jsonl")


def test_a_bucket_that_is_not_there_is_named(bucket: str) -> None:
    with pytest.raises(UserError, match="s3://nowhere/run"), followed_in_store("s3://nowhere/run", Quiet()):
        pass
