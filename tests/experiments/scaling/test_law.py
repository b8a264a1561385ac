import pytest

from likeness.experiments.scaling.law import fit

GROWS = ((0,), (0, 1), (0, 1, 2))
STAYS = ((0,), (0, -1), (-1, 0, 1))
DEVICES = (2, 4, 8, 16, 32)


@pytest.mark.parametrize(
    "true, candidates, powers",
    [
        (lambda n: 7.0, GROWS, (0,)),
        (lambda n: 5.0 + 3.0 * n, GROWS, (0, 1)),
        (lambda n: 5.0 + 0.01 * n, GROWS, (0, 1)),
        (lambda n: 1e9 + 2.0 * n + 4e6 * n**2, GROWS, (0, 1, 2)),
        (lambda n: 9.0 + 64.0 / n, STAYS, (0, -1)),
        (lambda n: 64.0 / n + 1.0 + 2.0 * n, STAYS, (-1, 0, 1)),
    ],
)
def test_what_obeys_a_law_is_predicted_exactly(true, candidates, powers) -> None:
    law = fit(DEVICES, [true(n) for n in DEVICES], candidates)
    assert law.powers == powers
    for n in (1, 64, 512):
        assert law(n) == pytest.approx(true(n), rel=1e-6)


def test_what_grows_can_be_left_out() -> None:
    law = fit(DEVICES, [5.0 + 3.0 * n for n in DEVICES], GROWS)
    assert law.without_growth(512) == pytest.approx(5.0)
    assert fit(DEVICES, [3.0 * n for n in DEVICES], GROWS).without_growth(512) == pytest.approx(0.0, abs=1e-9)
    assert fit(DEVICES, [8.0 / n for n in DEVICES], STAYS).without_growth(16) == pytest.approx(0.5)


def test_few_values_get_a_short_law_and_nothing_stays_nothing() -> None:
    assert fit((2,), (3.0,), GROWS).powers == (0,)
    assert fit((2, 4), (3.0, 5.0), GROWS)(8) == pytest.approx(9.0)
    # Through three values there is always a parabola.
    assert fit((2, 4, 8), (4.0, 16.0, 64.0), GROWS).powers == (0, 1)
    assert fit(DEVICES, [0.0] * 5, GROWS)(512) == 0.0


def test_a_law_never_falls_below_nothing() -> None:
    law = fit((2, 4), (4.0, 2.0), GROWS)
    assert law(100) == 0.0


def test_another_program_for_few_devices_is_left_out() -> None:
    law = fit(DEVICES, [99.0, *(5.0 + 3.0 * n for n in DEVICES[1:])], GROWS)
    assert law(512) == pytest.approx(5.0 + 3.0 * 512)
    assert fit(DEVICES, [6.0, 4.0, 4.0, 4.0, 4.0], GROWS).powers == (0,)
    assert fit(DEVICES, [1.0, 0.0, 0.0, 0.0, 0.0], GROWS)(512) == 0.0


def test_a_little_growth_beside_much_that_does_not_is_growth() -> None:
    """What a loss over pairs adds to a large encoder: a part in 10⁵ for each device more."""
    law = fit(DEVICES, [4.5e12 + 5e7 * n for n in DEVICES], GROWS)
    assert law(4096) - law.without_growth(4096) == pytest.approx(5e7 * 4096, rel=1e-6)


def test_what_obeys_none_goes_on_as_the_last_two() -> None:
    law = fit(DEVICES, [1.0, 7.0, 2.0, 5.0, 6.0], GROWS)
    assert law(64) == pytest.approx(8.0)
