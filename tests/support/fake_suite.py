"""A suite whose contenders only count, sleep or err, for tests of how benchmarks are measured."""

import time

import numpy as np

from likeness.experiments.benchmarks.protocol import OURS, Contender, Goal, Row, Work


def _sleeping(seconds, compiling=None):
    return lambda: Work(lambda: time.sleep(seconds), compiling, operations=1e6, moved=1e6)


def _holding(megabytes):
    def build():
        held = []

        def once():
            held.append(np.ones(megabytes << 17))
            held.pop()

        return Work(once)

    return build


def _answering(number):
    return lambda: Work(lambda: None, answer=lambda: (np.asarray([number]),))


def _dying():
    raise SystemExit("the machine is on fire")


def rows(size):
    """What the tests name."""
    assert size in ("tiny", "usual", "large")
    twice = Contender("Twice", _sleeping(0.04), ("torch",), peer=True)
    return (
        Row(
            "sleep",
            (Contender(OURS, _sleeping(0.02, 1.5)), Contender("Bound", _sleeping(0.2))),
            Goal("Bound", 2.0),
            clock="wall",
            two_threads=1.6,
            memory=False,
        ),
        Row("slow", (Contender(OURS, _sleeping(0.02)),), Goal(seconds=0.001), clock="wall", memory=False),
        Row("peer", (Contender(OURS, _sleeping(0.02)), twice), Goal("Twice", 1.0), memory=False),
        Row("memory", (Contender(OURS, _holding(64)), Contender("Half", _holding(32)))),
        Row("answers", (Contender(OURS, _answering(1.0)), Contender("Other", _answering(1.1))), tolerance=(1e-2,)),
        Row("dies", (Contender(OURS, _dying),)),
    )
