"""The three heads differ in nothing but the head."""

import dataclasses

import jax
import numpy as np

from likeness.experiments.benchmarks.heads import HEADS, Benchmark, drawn, equal_error, run_of
from likeness.experiments.config import describe_changes, to_json
from likeness.research.metrics.paired import paired_eer
from likeness.research.metrics.pairs import Pairs


def test_every_head_starts_from_the_same_encoder_and_sees_the_same_batches():
    runs = [run_of(head, Benchmark(), seed=3) for head in HEADS]
    batch = {"images": np.zeros((2, 48, 48, 3), np.uint8)}
    started = [
        jax.jit(lambda key, of=run.experiment: of.init(key, {}, batch).params["encoder"])(jax.random.key(3)) for run in runs
    ]
    for other in started[1:]:
        jax.tree.map(np.testing.assert_array_equal, started[0], other)
    assert len({head.name for head in HEADS}) == 3


def test_the_configs_differ_in_the_loss_and_in_the_length_of_codes_alone():
    first, *others = (to_json(run_of(head, Benchmark(data="omniglot"), seed=0)) for head in HEADS)
    for other in others:
        changed = {line.partition(":")[0] for line in describe_changes(first, other)}
        assert all(name.startswith(("experiment.loss", "experiment.encoder.normalize")) for name in changed), changed


def test_the_figure_shows_every_run_and_every_difference():
    rng = np.random.default_rng(0)
    rows = np.stack(np.triu_indices(30, 1), axis=1)
    people = np.arange(30)[rows] // 3
    same = people[:, 0] == people[:, 1]
    one = [Pairs(rng.random(len(rows)) + ~same, same, people, rows) for _ in range(2)]
    pairs = {name: [dataclasses.replace(each, distances=rng.random(len(rows)) + ~same) for each in one] for name in ("a", "b")}
    found = {("a", "b"): paired_eer(pairs["a"], pairs["b"])}
    figure = drawn(pairs, found, "Noise")
    left, right = figure.axes
    assert left.get_ylim()[0] == 0 and [label.get_text() for label in right.get_yticklabels()] == ["a less b"]
    assert 0 <= equal_error(pairs["a"][0]) <= 1
