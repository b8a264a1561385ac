"""The table that an evaluation is printed as."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from likeness.experiments.commands.summary import print_evaluation
from likeness.experiments.commands.train import next_commands
from likeness.experiments.experiment import Evaluation
from likeness.research.gallery import Threshold
from likeness.research.metrics.intervals import Estimate

RATE = Estimate(0.1234, 0.1, 0.15, 113_440)
WHY = "FAR 1e-3 needs 1000 different-person pairs, there are 540"
NAMES = ("verification/eer", "verification/tar@far=1e-2", "identification/fnir@fpir=1e-1", "identification/rank1")


Printed = Callable[..., list[str]]


@pytest.fixture
def printed(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Printed:
    """Prints what a run with some baselines came to, for an output of some width."""
    threshold = Threshold(
        tau=0.2911, target_far=0.01, far=RATE, tar=RATE, people=60, fingerprint="abc", distance="SquaredEuclidean()"
    )
    threshold.save(tmp_path / "threshold.json")
    (tmp_path / "summary.json").write_text(json.dumps({"figures": []}))

    def print_it(columns: int | None = 80, baselines: tuple[str, ...] = ("raw_pixels", "eigenfaces")) -> list[str]:
        if columns is None:
            monkeypatch.delenv("COLUMNS", raising=False)
        else:
            monkeypatch.setenv("COLUMNS", str(columns))
        metrics = dict.fromkeys(NAMES, RATE)
        metrics |= {f"{baseline}/{name}": RATE for baseline in baselines for name in NAMES}
        metrics |= {"verification/tar@far=1e-3": Estimate.unresolvable(540, WHY), "threshold/far": RATE, "threshold/tar": RATE}
        evaluation = Evaluation(metrics=metrics, artifacts={"threshold": threshold.to_json()}, notes=("A note.",))
        capfd.readouterr()
        print_evaluation(tmp_path, evaluation, 1.0)
        return [line for line in capfd.readouterr().out.splitlines() if str(tmp_path) not in line]

    return print_it


@pytest.mark.parametrize("baselines", [(), ("raw_pixels",), ("raw_pixels", "eigenfaces")])
def test_it_fits_an_output_of_80_columns(printed: Printed, baselines: tuple[str, ...]) -> None:
    lines = printed(80, baselines)
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for name in NAMES:
        assert name in text
    assert text.count("[10.0, 15.0]") == (1 + len(baselines)) * len(NAMES) + 3


def test_a_rate_and_its_interval_are_in_one_line_where_there_is_room(printed: Printed) -> None:
    for lines, columns in ((printed(None), 3), (printed(80, ("raw_pixels",)), 2)):
        row = next(line for line in lines if line.startswith("verification/eer"))
        assert row.count("12.34 [10.0, 15.0]") == columns


def test_each_metric_that_occurs_is_explained_once(printed: Printed) -> None:
    lines = printed()
    assert sum(line.startswith("eer ") for line in lines) == 1
    assert sum(line.startswith("tar@far=x ") for line in lines) == 1
    assert not any(line.startswith("auc ") for line in lines)
    assert f"unresolvable: verification/tar@far=1e-3: {WHY}" in " ".join(" ".join(lines).split())


def test_the_two_false_accept_rates_of_a_threshold_are_told_apart(printed: Printed) -> None:
    text = "\n".join(printed())
    assert "threshold/far  FAR at τ: pairs of two people, evaluated here, that τ accepts" in text
    assert "τ              0.2911, chosen on 60 validation people; verify and identify tell" in text
    assert f"the FAR of those: {RATE.text()}" in text


def test_a_painting_is_described_in_its_own_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "summary.json").write_text(json.dumps({"figures": []}))
    metrics = {"style/relative": 0.125, "held_out/style/relative": 0.25, "unpainted/held_out/style/relative": 0.5}
    columns = {"": "painted", "unpainted": "as it was"}
    print_evaluation(tmp_path, Evaluation(metrics=metrics, columns=columns), 0.0)
    head, _, *rows = capfd.readouterr().out.splitlines()
    # Nothing was counted, so no column says how often.
    assert head.split() == ["metric", "painted", "as", "it", "was"]
    assert [row.split() for row in rows[:2]] == [["style/relative", "0.125"], ["held_out/style/relative", "0.25", "0.5"]]
    assert any("by an encoder that has not painted" in row for row in rows)
    assert max(map(len, rows[:-1])) <= 80


def test_subjects_without_a_trained_model_among_them_are_the_only_columns(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a grid of paintings has them, whose metrics may themselves be in two parts."""
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "summary.json").write_text(json.dumps({"figures": []}))
    metrics = {"Gram/style/relative": 0.125, "Gram/held_out/style/relative": 0.25, "MRF/held_out/style/relative": 0.5}
    print_evaluation(tmp_path, Evaluation(metrics=metrics), 0.0)
    head, _, *rows = capfd.readouterr().out.splitlines()
    assert head.split() == ["metric", "Gram", "MRF"]
    assert [row.split() for row in rows[:2]] == [["style/relative", "0.125"], ["held_out/style/relative", "0.25", "0.5"]]


def test_what_a_detector_can_be_asked_next(tmp_path: Path) -> None:
    said = next_commands(tmp_path / "my run", Evaluation(metrics={}, artifacts={"detector": {}}))
    assert said == [
        f"next:    likeness detect IMAGE.jpg --model '{tmp_path}/my run' -o found.png",
        f"         likeness report '{tmp_path}/my run'",
    ]
    assert next_commands(tmp_path, Evaluation(metrics={})) == []


def test_shares_without_an_interval_are_in_percent_as_the_rates_beside_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "summary.json").write_text(json.dumps({"figures": []}))
    for name in ("pairs", "view2"):
        found = {"accuracy": RATE, "standard_error": 0.0011, "accuracy@best": 1.0, "threshold": 0.7651}
        print_evaluation(tmp_path, Evaluation(metrics={f"{name}/{each}": value for each, value in found.items()}), 0.0)
        lines = capfd.readouterr().out.splitlines()
        rows = {line.split()[0]: line.split()[1] for line in lines if line.startswith(f"{name}/")}
        shown = {"accuracy": "12.34", "standard_error": "0.11", "accuracy@best": "100.00", "threshold": "0.7651"}
        assert rows == {f"{name}/{each}": value for each, value in shown.items()}
        assert any("of that accuracy, as LFW has it" in line for line in lines)
