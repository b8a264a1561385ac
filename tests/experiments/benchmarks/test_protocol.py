"""How benchmarks are measured and what their results say, by contenders that only sleep."""

import dataclasses
import json
import time

import numpy as np
import pytest

from likeness.experiments.benchmarks.machine import copy_rate, matrix_rate, middle, processor_seconds
from likeness.experiments.benchmarks.measuring import alternate, build
from likeness.experiments.benchmarks.protocol import OURS, Contender, Goal, Machine, Measured, Result, Row, Times, Work
from likeness.experiments.benchmarks.running import merged, read_results
from likeness.experiments.benchmarks.table import goal_line, lines, markdown, threads_lines
from likeness.experiments.benchmarks.verdict import of_bandwidth, of_matrix_rate, seconds, speed, verdict, with_two_threads
from likeness.research.errors import UserError


def nothing(text):
    del text


def result(ours=(2.0, 2.0, 4.0), theirs=(1.0, 1.0, 2.0), goal=None, threads=1, **fields):
    contenders = (
        Measured(OURS, peer=False, times=Times(ours, ours), compiling=1.0, operations=1e9, moved=1e9, memory=10_000_000),
        Measured("Peer", peer=True, times=Times(theirs, theirs)),
    )
    machine = Machine("a processor", threads, {"jax": "0"}, operations=1e10, moved=2e9)
    whole = Result("training", "a step", "processor", goal, 1.6, contenders, machine, "2026-11-29T00:00:00+00:00")
    return dataclasses.replace(whole, **fields)


def test_contenders_alternate_and_warm_up():
    order = []

    def work(name):
        return Work(lambda: (order.append(name), time.sleep(0.06))[0])

    times = alternate({"a": work("a"), "b": work("b")}, 3, 10.0, nothing)
    # Each warms up, is looked at once for how long it takes, and then every other round goes backwards.
    assert order == ["a", "a", "b", "b", "a", "b", "b", "a", "a", "b"]
    assert all(taken >= 0.06 for one in times.values() for taken in one.wall)
    assert all(taken < 0.05 for one in times.values() for taken in one.processor)


def test_what_is_short_is_done_several_times_in_a_round():
    calls = []
    alternate({"a": Work(lambda: (calls.append(1), time.sleep(0.001))[1])}, 3, 10.0, nothing)
    assert len(calls) > 5


def test_no_round_begins_after_its_time_but_three_are_taken():
    assert len(alternate({"a": Work(lambda: time.sleep(0.05))}, 50, 0.01, nothing)["a"].wall) == 3


@pytest.mark.parametrize("said", [1e-6, 7.0])
def test_seconds_that_the_work_says_count_in_place_of_those_it_took(said):
    calls = []
    times = alternate({"a": Work(lambda: (calls.append(1), time.sleep(0.06), said)[2])}, 3, 10.0, nothing)
    assert times["a"].wall == (said, said, said)
    # How often it is done in a round depends on those that it took.
    assert len(calls) == 5


def test_processor_time_counts_what_is_computed():
    before, own = processor_seconds(), time.process_time()
    while time.process_time() - own < 0.1:
        np.sort(np.random.default_rng(0).random(1000))
    assert processor_seconds() - before >= 0.09


def test_the_machine_has_rates():
    assert 1e8 < matrix_rate(1, 256, 1) < 1e14
    assert 1e8 < copy_rate(8, 1) < 1e13


@pytest.mark.parametrize("answers", [(1.0, 1.1), (1.0, float("nan"))])
def test_those_who_do_not_agree_are_not_compared(answers):
    def contender(name, number):
        return Contender(name, lambda: Work(lambda: None, answer=lambda: (np.asarray([number]),)))

    row = Row("sums", tuple(map(contender, (OURS, "Other"), answers)), tolerance=(1e-2,))
    with pytest.raises(UserError, match="sums: Likeness and Other do not compute the same"):
        build(row, row.contenders, nothing)
    same = dataclasses.replace(row, tolerance=(0.2,))
    assert len(build(same, same.contenders[:1], nothing)) == 1


def test_medians_have_quartiles():
    assert middle((3.0,)) == (3.0, 3.0, 3.0)
    assert middle((1.0, 2.0, 3.0, 4.0, 5.0)) == (3.0, 2.0, 4.0)


def test_rounds_are_compared_one_by_one():
    """A round that others on the machine lengthen is long for both."""
    measured = result(ours=(1.0, 10.0, 1.0), theirs=(2.0, 20.0, 2.0))
    assert speed(measured, measured.contenders[1]).low == 2.0
    assert speed(measured, measured.contenders[1]).high == 2.0


@pytest.mark.parametrize(
    ("goal", "met"),
    [(Goal("Peer", 0.5), True), (Goal("Peer", 0.51), False), (Goal(seconds=2.0), True), (Goal(seconds=1.9), False)],
)
def test_a_goal_is_met_or_missed(goal, met):
    measured = result(goal=goal)
    judged = verdict(measured)
    assert judged is not None
    assert judged.met == met
    word = "met" if met else "missed"
    assert goal_line(measured).endswith(word)
    assert word in markdown([measured])


def test_shares_of_what_the_machine_can_do():
    measured = result()
    ours, theirs = measured.contenders
    assert of_matrix_rate(measured, ours) == pytest.approx(1e9 / 2.0 / 1e10)
    # The work is the same, so its operations are.
    assert of_matrix_rate(measured, theirs) == pytest.approx(1e9 / 1.0 / 1e10)
    assert of_bandwidth(measured, ours) == pytest.approx(1e9 / 2.0 / 2e9)
    assert of_bandwidth(measured, theirs) is None


def test_slower_stands_as_plain_as_faster():
    slower, faster = result(), result(ours=(1.0, 1.0, 1.0), theirs=(2.0, 2.0, 2.0))
    assert lines(slower)[1][3].startswith("0.50×")
    assert lines(faster)[1][3].startswith("2.00×")
    assert "| 0.50× [0.50, 0.50] |" in markdown([slower])


def test_what_the_second_thread_brings():
    one, two = result(), result(ours=(1.0, 1.0, 1.0), threads=2)
    assert with_two_threads([one]) == {}
    assert threads_lines([one, two]) == ["training: a step: two threads are 2.00× as fast as one (≥ 1.60× one thread: met)"]


def test_results_are_kept_and_replaced(tmp_path):
    path = tmp_path / "results.json"
    assert read_results(path) == []
    first, other = result(goal=Goal("Peer", 0.9)), result(row="another")
    path.write_text(json.dumps([first.to_json(), other.to_json()]))
    assert read_results(path) == [first, other]
    again = result(ours=(9.0, 9.0, 9.0))
    assert merged([first, other], [again]) == [again, other]
    path.write_text('[{"suite": "training"}]')
    with pytest.raises(UserError, match=r"results.json holds no results"):
        read_results(path)


def test_a_row_and_a_goal_refuse_what_makes_no_sense():
    one = Contender(OURS, lambda: Work(lambda: None))
    for contenders in ((), (one, one), (dataclasses.replace(one, peer=True),)):
        with pytest.raises(ValueError, match="the first is ours"):
            Row("a", contenders)
    with pytest.raises(ValueError, match="who is not in it"):
        Row("a", (one,), Goal("Nobody", 1.0))
    for fields in ({}, {"speed": 1.0}, {"against": "Peer"}, {"against": "Peer", "speed": 1.0, "seconds": 1.0}):
        with pytest.raises(ValueError, match="A goal is a speed against somebody or a time"):
            Goal(**fields)


def test_seconds_are_of_the_clock_that_counts():
    measured = result()
    ours = dataclasses.replace(measured.contenders[0], times=Times((1.0,) * 3, (2.0,) * 3))
    measured = dataclasses.replace(measured, contenders=(ours, *measured.contenders[1:]))
    assert seconds(measured, ours).median == 1.0
    assert seconds(dataclasses.replace(measured, clock="wall"), ours).median == 2.0


def test_what_a_save_takes_from_training():
    from likeness.experiments.benchmarks.suites.checkpoints import stall

    # Steps of one second; the first of each five is followed by a save of two, which slows the step after it down by a half.
    times, now = [], 0.0
    for step in range(25):
        now += 1.0 + 2.0 * (step % 5 == 0) + 0.5 * (step % 5 == 1)
        times.append(now)
    assert stall(times, 5) == pytest.approx(2.5)
