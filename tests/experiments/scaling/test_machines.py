import math

import pytest

from likeness.experiments.scaling.machines import H100, TPU_V5E, Link, Machine, Sent, seconds, step

# Numbers that are easy to reckon with.
SMALL = Machine(
    name="a node of 4",
    bfloat16=200.0,
    float32=100.0,
    full_precision=10.0,
    bandwidth=50.0,
    memory=1e3,
    near=Link(devices=4, bandwidth=40.0, latency=0.5),
    far=Link(devices=1 << 20, bandwidth=10.0, latency=2.0),
    source="made up",
    of_peak=0.5,
    of_bandwidth=0.5,
)


def test_an_all_reduce_in_a_node_is_a_ring_with_the_latency_of_a_tree() -> None:
    # Twice 3/4 of 80 bytes at 20 a second, and twice two steps of a tree of four.
    assert seconds(SMALL, Sent("all-reduce", 1, 80.0, 4, 1)) == pytest.approx(2 * 0.75 * 80 / 20 + 2 * 2 * 0.5)
    # Two that are half as large wait twice to begin.
    assert seconds(SMALL, Sent("all-reduce", 2, 80.0, 4, 1)) == pytest.approx(6.0 + 4.0)


def test_between_nodes_each_device_carries_its_part() -> None:
    # Eight devices in two nodes: in each 3/4 of the bytes, between them half of a quarter, at 5 a second.
    all_reduce = 2 * (0.75 * 80 / 20 + 0.5 * 80 / 4 / 5 + 2 * 0.5 + 1 * 2.0)
    assert seconds(SMALL, Sent("all-reduce", 1, 80.0, 8, 1)) == pytest.approx(all_reduce)
    # Rings: three steps in the node and one between them.
    gathered = 0.75 * 80 / 20 + 0.5 * 80 / 4 / 5 + 3 * 0.5 + 1 * 2.0
    assert seconds(SMALL, Sent("all-gather", 1, 80.0, 8, 1)) == pytest.approx(gathered)
    assert seconds(SMALL, Sent("reduce-scatter", 1, 10.0, 8, 1)) == pytest.approx(gathered)


def test_an_axis_whose_neighbors_are_in_other_nodes_goes_between_nodes() -> None:
    strided = seconds(SMALL, Sent("all-gather", 1, 80.0, 2, 4))
    assert strided == pytest.approx(0.5 * 80 / 5 + 2.0)
    # Every second device: two of a node, in two nodes.
    halves = seconds(SMALL, Sent("all-gather", 1, 80.0, 4, 2))
    assert halves == pytest.approx(0.5 * 80 / 20 + 0.5 * 80 / 2 / 5 + 0.5 + 2.0)


def test_all_to_all_and_permutations() -> None:
    # Each sends 10 bytes to each: 3 of them near, 4 of them far.
    assert seconds(SMALL, Sent("all-to-all", 1, 80.0, 8, 1)) == pytest.approx(30 / 20 + 40 / 5 + 0.5 + 2.0)
    assert seconds(SMALL, Sent("collective-permute", 1, 80.0, 4, 1)) == pytest.approx(80 / 20 + 0.5)
    assert seconds(SMALL, Sent("collective-permute", 1, 80.0, 8, 1)) == pytest.approx(80 / 5 + 2.0)


def test_one_device_sends_nothing() -> None:
    for machine in (SMALL, H100, TPU_V5E):
        assert seconds(machine, Sent("all-reduce", 3, 1e9, 1, 1)) == 0.0
        assert seconds(machine, Sent("all-gather", 0, 0.0, 8, 1)) == 0.0


def test_a_torus_has_half_the_bandwidth_until_its_rings_close() -> None:
    link = TPU_V5E.near
    assert link.rate(64) == link.rate(128) == link.bandwidth / 2
    assert link.rate(256) == link.bandwidth
    # Steps along one side and then the other: 2, 2x2, 2x4, 4x4, 16x16.
    assert [link.around(n) for n in (1, 2, 4, 8, 16, 256)] == [0, 1, 2, 4, 6, 30]


def test_a_step_is_its_longer_side_and_what_it_waits_for() -> None:
    sent = (Sent("all-reduce", 1, 80.0, 4, 1),)
    # 100 FLOP in full precision at 5 a second, 400 others at 50; 250 bytes at 25 a second.
    taken = step(SMALL, bfloat16=False, flops=500.0, full_precision=100.0, moved=250.0, sent=sent)
    assert taken.arithmetic == pytest.approx(400 / 50 + 100 / 5)
    assert taken.memory == pytest.approx(10.0)
    assert taken.busy == taken.arithmetic
    assert (taken.least, taken.most) == (pytest.approx(28.0), pytest.approx(28.0 + 8.0))
    # Products of bfloat16 are twice as fast; then all wait for memory.
    faster = step(SMALL, bfloat16=True, flops=500.0, full_precision=0.0, moved=250.0, sent=())
    assert (faster.arithmetic, faster.busy, faster.waits) == (pytest.approx(5.0), pytest.approx(10.0), 0.0)


def test_the_data_sheet_says_how_long_a_gigabyte_takes() -> None:
    """An all-reduce of 1 GB over 16 H100: 2 (7/8 GB / 360 GB/s + 1/2 GB / 8 / 40 GB/s) and a few steps."""
    expected = 2 * (0.875e9 / 360e9 + 0.5e9 / 8 / 40e9 + 3 * 2e-6 + 1 * 5e-6)
    assert math.isclose(seconds(H100, Sent("all-reduce", 1, 1e9, 16, 1)), expected)
