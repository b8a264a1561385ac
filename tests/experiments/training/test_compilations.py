import threading

import jax
import jax.numpy as jnp
import pytest

from likeness.experiments.training.compilations import Recompilations


class Watched:
    """Steps of a program that is given a state and a batch, and what was said of them."""

    def __init__(self):
        self.warned = []
        self.recompilations = Recompilations(self.warned.append)
        self.program = jax.jit(lambda state, batch: jax.tree.map(lambda leaf: leaf + 1, (state, batch)))
        self.step = 0

    def take(self, state, batch, beside=lambda: None):
        with self.recompilations.watched(self.step):
            beside()
            self.recompilations.given(state=state, batch=batch)
            self.program(state, batch)
        self.step += 1


BATCH = {"images": jnp.zeros((4, 2)), "labels": jnp.zeros(4, jnp.int32)}


@pytest.mark.parametrize(
    ("state", "batch", "changed"),
    [
        ({"far": jnp.full((), jnp.inf)}, BATCH, "state far was float32[] and is float32[], weakly typed"),
        ({"far": jnp.zeros(1)}, BATCH, "state far was float32[] and is float32[1]"),
        ({"far": jnp.zeros((), jnp.int32)}, BATCH, "state far was float32[] and is int32[]"),
        ({}, BATCH, "state far was float32[] and is gone"),
        (
            {"far": jnp.zeros(()), "near": jnp.zeros(2)},
            {"images": jnp.zeros((3, 2)), "labels": jnp.zeros(3, jnp.int32)},
            "batch images was float32[4, 2] and is float32[3, 2]; batch labels was int32[4] and is int32[3]; "
            "state near was not there and is float32[2]",
        ),
    ],
)
def test_what_compiles_a_step_again_is_named(state, batch, changed):
    watched = Watched()
    watched.take({"far": jnp.zeros(())}, BATCH)
    watched.take({"far": jnp.zeros(())}, BATCH)
    assert watched.warned == []
    watched.take(state, batch)
    (warning,) = watched.warned
    assert warning.startswith("step 2 compiled again (1 so far): ")
    assert sorted(warning.partition(": ")[2].split("; ")) == changed.split("; ")


def test_of_many_leaves_the_first_are_named():
    watched = Watched()
    for size in (1, 2):
        watched.take([jnp.zeros(size) for _ in range(5)], {})
    assert watched.warned[0].endswith("; state 2 was float32[1] and is float32[2]; and 2 more")


def test_what_is_compiled_beside_the_step_is_not_blamed_on_it():
    watched = Watched()
    watched.take({}, BATCH)
    watched.take({}, {"images": jnp.zeros((5, 2))})
    # The program for this batch is known already; the stream computes something.
    watched.take({}, BATCH, beside=lambda: jax.jit(lambda x: x - 3)(jnp.zeros(7)))
    assert watched.warned[1:] == [
        "step 2 compiled again (2 so far): all that the step is given is as before, so something beside it was compiled, such "
        "as in the data's stream"
    ]


def test_what_another_thread_compiles_is_not_the_step_s():
    watched = Watched()
    for _ in range(3):
        other = threading.Thread(target=lambda: jax.jit(lambda x: x * 3)(jnp.zeros(7)).block_until_ready())
        watched.take({}, BATCH, beside=lambda other=other: (other.start(), other.join()))
    assert watched.warned == []
