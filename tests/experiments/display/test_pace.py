"""How long a run will still take, as it is told."""

from collections.abc import Sequence

from likeness.configs.stylization.quickstart import get_config
from likeness.experiments.display.pace import Pace, StageWork
from likeness.experiments.training.stages import stages, work


def pace(total: int, evaluate_every: int | None, *noted: tuple[int, float], stages: Sequence[StageWork] = ()) -> str:
    made = Pace(total, evaluate_every, stages)
    for step, now in noted:
        made.note(step, now)
    return made.left()


def test_nothing_is_said_before_anything_was_seen() -> None:
    assert pace(60, 20) == ""
    assert pace(60, 20, (10, 100.0)) == ""


def test_evaluations_to_come_take_as_long_as_those_seen() -> None:
    """Half a second a step; seven for the evaluation at step 20; those at steps 40 and 60 are to come."""
    seen = [(10, 100.0), (20, 105.0), (30, 117.0)]
    assert pace(60, 20, *seen[:2]) == "more than 0:00:20 left"
    assert pace(60, 20, *seen) == "0:00:29 left"
    assert pace(65, 20, *seen) == "0:00:38 left"
    assert pace(60, None, (10, 100.0), (20, 105.0)) == "0:00:20 left"


def test_steps_and_evaluations_that_come_together_are_counted_together() -> None:
    """Every interval of the log has its evaluation, so what a step takes has it in it."""
    assert pace(60, 10, (10, 100.0), (20, 110.0)) == "0:00:40 left"


def test_at_the_last_step_the_last_evaluation_is_to_come() -> None:
    seen = [(10, 0.0), (20, 10.0), (30, 27.0)]
    assert pace(40, 20, *seen) == "0:00:17 left"
    assert pace(40, 20, *seen, (40, 37.0)) == "0:00:07 of evaluating left"


PYRAMID = (StageWork(10, 1.0), StageWork(20, 4.0))
"""Ten small steps, and ten of four times as many pixels."""


def test_while_one_size_has_been_seen_a_larger_one_takes_as_long_or_as_much_longer_as_it_is_larger() -> None:
    """A fifth of a second a small step: one second of the first stage is left, and two to eight of the second."""
    assert pace(20, None, (1, 30.0), (5, 30.8), stages=PYRAMID) == "0:00:03 to 0:00:09 left, and 1 stage to compile"


def test_two_sizes_say_what_a_third_takes() -> None:
    """Steps of 1 and 4 take 0.2 and 0.5 seconds, so 0.1 and 0.1 for each unit of cost: one of 16 takes 1.7."""
    three = (*PYRAMID, StageWork(30, 16.0))
    seen = [(1, 0.0), (10, 1.8), (11, 1.8), (20, 6.3)]
    assert pace(30, None, *seen, stages=three) == "0:00:17 left"


def test_a_larger_size_that_was_no_slower_says_that_a_third_is_none() -> None:
    three = (*PYRAMID, StageWork(30, 16.0))
    assert pace(30, None, (1, 0.0), (10, 1.8), (11, 1.8), (20, 3.3), stages=three) == "0:00:02 left"


def test_compiling_the_next_size_is_no_step() -> None:
    """The 31 seconds between the stages hold what is compiled; a step of the second takes half a second."""
    seen = [(1, 30.0), (10, 30.9), (11, 61.9)]
    assert pace(20, None, *seen, stages=PYRAMID) == "0:00:01 to 0:00:04 left"
    assert pace(20, None, *seen, (13, 62.9), stages=PYRAMID) == "0:00:04 left"
    assert pace(20, None, *seen, (18, 65.4), stages=PYRAMID) == "0:00:01 left"


def test_a_size_that_is_to_be_compiled_takes_as_long_to_begin_as_those_before() -> None:
    """Two seconds to enter the second stage, as many for the third, and ten steps of a tenth of a second each."""
    three = (*PYRAMID, StageWork(30, 4.0))
    seen = [(1, 30.0), (10, 30.9), (11, 32.9), (20, 33.8)]
    assert pace(30, None, *seen, stages=three) == "0:00:03 left"


def test_an_evaluation_between_two_sizes_is_counted_once() -> None:
    """The last is taken for as long as all between the stages: five seconds, after nine steps of a fifth."""
    seen = [(1, 30.0), (10, 30.9), (11, 35.9)]
    assert pace(20, 10, *seen[:2], stages=PYRAMID) == "0:00:01 to 0:00:04 left, and 1 stage to compile"
    assert pace(20, 10, *seen, stages=PYRAMID) == "0:00:06 to 0:00:09 left"
    assert pace(20, 10, *seen, (20, 37.7), stages=PYRAMID) == "0:00:05 of evaluating left"


def test_a_run_that_goes_on_in_its_last_size_knows_no_other() -> None:
    assert pace(20, None, (15, 0.0), (16, 0.5), stages=PYRAMID) == "0:00:02 left"


def test_a_painting_asks_for_the_pixels_of_each_size() -> None:
    assert work(stages(get_config())) == ((140, 80.0**2), (210, 320.0**2))
