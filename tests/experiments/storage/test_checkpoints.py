"""Checkpoints without a run: what a store of them keeps, gives back and says."""

import dataclasses
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from orbax.checkpoint import v1 as ocp

from likeness.experiments.experiment import TrainState, Variables
from likeness.experiments.run import Checkpoints
from likeness.experiments.storage.checkpoints import CheckpointMismatch, CheckpointStore
from likeness.research.errors import UserError

pytestmark = pytest.mark.end_to_end

NAMES = ("a", "b", "c", "d", "e", "f")


def a_state(step, *, averaged=True):
    params = {name: jnp.full((2, 3), float(step) + at) for at, name in enumerate(NAMES)}
    average = jax.tree.map(lambda leaf: leaf + 100.0, params) if averaged else None
    return TrainState(jnp.int32(step), params, {"seen": jnp.int32(7)}, {"count": jnp.int32(step)}, average)


def abstract(state):
    """As a program has it: shapes, and where each is."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), state)


@pytest.fixture
def opened(tmp_path):
    stores = []

    def open_it(**policy):
        stores.append(CheckpointStore(tmp_path / "checkpoints", Checkpoints(**policy)))
        return stores[-1]

    yield open_it
    for store in stores:
        store.close()


@pytest.mark.parametrize("averaged", [False, True])
def test_each_array_is_written_once(opened, tmp_path, averaged):
    """The mean is one more set of parameters; without one there is no second."""
    store = opened()
    state = a_state(3, averaged=averaged)
    store.save(3, state, {}, None)
    loaded, _ = store.load(3, abstract(state))
    jax.tree.map(np.testing.assert_array_equal, loaded, state)
    store.close()
    written = {}
    with ocp.Context():
        for part in ("variables", "training"):
            written[part] = ocp.checkpointables_metadata(tmp_path / "checkpoints" / "3").metadata[part]
    arrays = [leaf for leaf in jax.tree.leaves(written, is_leaf=lambda leaf: hasattr(leaf, "shape")) if leaf.shape == (2, 3)]
    assert len(arrays) == len(NAMES) * (2 if averaged else 1)


def test_what_is_saved_is_what_is_loaded(opened):
    store = opened()
    assert (store.latest(), store.steps(), store.best(Checkpoints())) == (None, [], None)
    for step in (4, 9):
        store.save(step, a_state(step), {"position": {"at": step}, "best": None}, None)
    # A step that is there stays as it is.
    store.save(9, a_state(1), {"position": {"at": 1}}, None)
    assert (store.latest(), store.steps(), store.best(Checkpoints())) == (9, [4, 9], 9)
    assert store.record(4) == {"position": {"at": 4}, "best": None}
    state, record = store.load(9, abstract(a_state(0)))
    assert record == {"position": {"at": 9}, "best": None}
    jax.tree.map(np.testing.assert_array_equal, state, a_state(9))
    # What is used afterwards is the running mean.
    variables = store.load_variables(4)
    jax.tree.map(np.testing.assert_array_equal, variables, Variables(a_state(4).average, a_state(4).model_state))


def test_of_other_shapes_four_are_named_and_the_rest_counted(opened):
    store = opened()
    store.save(1, a_state(1), {}, None)

    def reshaped(count):
        return {name: leaf[:1] if at < count else leaf for at, (name, leaf) in enumerate(a_state(1).params.items())}

    for count, told in ((3, 3), (4, 4), (5, 4), (6, 4)):
        with pytest.raises(CheckpointMismatch) as refused:
            store.load(1, abstract(dataclasses.replace(a_state(1), params=reshaped(count))))
        message = str(refused.value)
        sentences = [f"params/{name}: float32[2, 3] in the checkpoint, float32[1, 3] in the config" for name in NAMES]
        assert [sentence in message for sentence in sentences] == [at < told for at in range(6)]
        assert message.count(" in the checkpoint") == told
        assert (f"; and {count - 4} more. Use" in message) == (count > 4)
        assert ("more. Use" in message) == (count > 4)
        with pytest.raises(CheckpointMismatch, match="params/a"):
            store.load_variables(1, abstract(Variables(reshaped(count), a_state(1).model_state)))
    other = dataclasses.replace(a_state(1), params=jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), a_state(1).params))
    with pytest.raises(
        CheckpointMismatch, match=r"params/a: float32\[2, 3\] in the checkpoint, bfloat16\[2, 3\] in the config"
    ):
        store.load(1, abstract(other))
    with pytest.raises(CheckpointMismatch, match=r"average/f: float32\[2, 3\] in the checkpoint, nothing in the config"):
        names = NAMES[:-1]
        fewer = dataclasses.replace(a_state(1), average={name: a_state(1).average[name] for name in names})
        store.load(1, abstract(fewer))


def test_weights_are_named_before_what_follows_from_them(opened):
    store = opened()
    store.save(1, a_state(1), {}, None)
    other = a_state(1)
    other = dataclasses.replace(
        other,
        params=other.params | {"f": jnp.zeros(5)},
        average=other.average | {"a": jnp.zeros(5), "f": jnp.zeros(5)},
        optimizer={"count": jnp.zeros(3)},
    )
    with pytest.raises(CheckpointMismatch) as refused:
        store.load(1, abstract(other))
    named = [part.split(": ")[-2].split(" ")[-1] for part in str(refused.value).split(" in the checkpoint")[:-1]]
    assert named == ["params/f", "average/a", "average/f", "optimizer/count"]


@pytest.mark.parametrize(
    ("steps", "without"),
    [
        ((2,), "starts over, since there is none before it"),
        ((2, 4), "goes on from step 2, the one before"),
        ((2, 4, 6), "goes on from step 4, the one before"),
    ],
)
def test_who_meets_a_damaged_one_is_told_what_comes_without_it(opened, steps, without):
    store = opened(keep_last=9)
    for step in steps:
        store.save(step, a_state(step), {}, None)
    store.close()
    (store.directory / str(steps[-1]) / "_CHECKPOINT_METADATA").write_bytes(b"")
    store = opened(keep_last=9)
    for read in (lambda: store.load(steps[-1], abstract(a_state(0))), lambda: store.record(steps[-1])):
        with pytest.raises(UserError, match=rf"checkpoints/{steps[-1]} is damaged \(.*Without it the same command {without}"):
            read()


@pytest.mark.parametrize(("mode", "used"), [("min", 6), ("max", 4)])
def test_of_equally_good_ones_the_newest_is_used(opened, mode, used):
    policy = {"keep_last": 9, "best_metric": "a/b", "mode": mode, "keep_best": 2}
    store = opened(**policy)
    for step, value in ((1, 0.5), (2, 0.2), (3, 0.9), (4, 0.9), (5, None), (6, 0.2), (7, 0.4), (8, None)):
        store.save(step, a_state(step), {}, value)
    assert store.best(Checkpoints(**policy)) == used
    # Who does not ask for the best gets the newest.
    assert store.best(Checkpoints()) == 8
    assert store.best(Checkpoints(**policy | {"keep_best": 0})) == 8


def quoted(text):
    """As TensorStore reports it: a ValueError that quotes the system."""
    return ValueError(f"Error writing: INTERNAL: {text} [tensorstore_spec=…]")


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (OSError(28, "No space left on device"), "the disk is full"),
        (quoted("No space left on device"), "the disk is full"),
        (quoted("Disk quota exceeded"), "the disk is full"),
        (quoted("Permission denied"), "permission|may not|not allowed"),
        (quoted("Read-only file system"), "permission|may not|not allowed|read-only"),
    ],
)
def test_a_step_that_cannot_be_written_is_said_to_be_so_and_leaves_nothing(opened, monkeypatch, raised, said):
    store = opened()
    store.save(1, a_state(1), {}, None)

    def partly(step, *rest, **named):
        for name in (f"{step}", f"{step}.orbax-checkpoint-tmp"):
            (store.directory / name).mkdir()
            (store.directory / name / "part").write_text("half of it")
        try:
            raise raised
        except (OSError, ValueError) as error:
            # The cause may be under another error, as what a thread raised is.
            raise ValueError("a thread failed") from error

    monkeypatch.setattr(store._checkpointer, "save_checkpointables", partly)
    with pytest.raises(UserError, match=f"(?i)checkpoints/2.*({said})"):
        store.save(2, a_state(2), {}, None)
    assert [path.name for path in store.directory.iterdir() if path.name.startswith("2")] == []
    assert opened().steps() == [1]


def test_an_error_of_another_kind_stays_what_it_is(opened, monkeypatch):
    store = opened()

    def broken(*_, **__):
        raise ValueError("a bug")

    monkeypatch.setattr(store._checkpointer, "save_checkpointables", broken)
    with pytest.raises(ValueError, match="a bug"):
        store.save(2, a_state(2), {}, None)


def test_who_only_reads_leaves_what_was_not_finished(opened, tmp_path):
    opened().save(1, a_state(1), {}, None)
    partial = tmp_path / "checkpoints" / "2.orbax-checkpoint-tmp"
    partial.mkdir()
    reader = CheckpointStore(tmp_path / "checkpoints", Checkpoints(), reading=True)
    assert (reader.latest(), partial.exists()) == (1, True)
    reader.close()
    assert opened().latest() == 1
    # Orbax does not wait until it is gone.
    ends = time.monotonic() + 30
    while partial.exists() and time.monotonic() < ends:
        time.sleep(0.05)
    assert not partial.exists()
