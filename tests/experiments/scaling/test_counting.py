import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_digits import get_config

from likeness.experiments.distributed.sharding import Mesh
from likeness.experiments.scaling.collectives import Traffic
from likeness.experiments.scaling.counting import Batch, Count, Counts, Way, checked, laws, numbers_of_devices, positives
from likeness.experiments.scaling.machines import H100, TPU_V5E
from likeness.experiments.scaling.report import counted, figure, markdown, notes, predicted, scaled, to_json
from likeness.research.errors import UserError

GRADIENTS, EMBEDDINGS, LARGE = Way("all-reduce", "all"), Way("all-gather", "all"), Way("all-gather", "fsdp")


def a_count(devices: int, fsdp: int = 1, moved: float = 1e9) -> Count:
    """A step whose gradients are 10 MB, whose embeddings are 64 kB a device, and whose loss compares all with all."""
    traffic = {EMBEDDINGS: Traffic(2, 64_000 * devices), GRADIENTS: Traffic(3, 10_000_000)} if devices > 1 else {}
    if fsdp > 1:
        traffic |= {LARGE: Traffic(4, 5_000_000)}
    return Count(
        devices=devices,
        fsdp=fsdp,
        batch=128 * devices,
        compiled=True,
        flops=1e12 + 4e8 * devices,
        full_precision=2e8 * devices,
        moved=moved + 1e6 * devices,
        memory=2e9 + 3e6 * devices,
        traffic=traffic,
    )


def some_counts(largest: int, fsdp: int = 1) -> Counts:
    numbers = [1 << k for k in range(largest.bit_length())]
    return Counts(batch="grows", bfloat16=False, rounds=3, compiled=tuple(a_count(n, min(n, fsdp)) for n in numbers))


def test_extrapolation_is_exact_where_counts_obey_a_law() -> None:
    scaling = scaled(some_counts(16), 512)
    assert [each.devices for each in scaling.all] == [1 << k for k in range(10)]
    last, true = scaling.all[-1], a_count(512)
    assert (last.batch, last.compiled, last.traffic) == (true.batch, False, true.traffic)
    for name in ("flops", "full_precision", "moved", "memory"):
        assert getattr(last, name) == pytest.approx(getattr(true, name), rel=1e-6)
    errors = checked(scaling.counts)
    assert errors is not None and max(errors.values()) < 1e-6


def test_fewer_devices_than_the_mesh_has_on_an_axis_tell_nothing_of_more() -> None:
    """With fsdp=8 the program of 8 devices has one axis; those of 16 and 32 have two."""
    found = laws(some_counts(32, fsdp=8))
    assert found is not None
    assert found(512).traffic[LARGE] == Traffic(4, 5_000_000)
    sent = dict(zip(found(512).traffic, found(512).sent(), strict=True))
    assert (sent[LARGE].group, sent[LARGE].stride) == (8, 1)
    assert sent[GRADIENTS].group == 512
    assert laws(some_counts(16, fsdp=8)) is None
    assert len(scaled(some_counts(16, fsdp=8), 512).all) == 5


def test_a_changed_program_shows_in_the_check() -> None:
    counts = some_counts(16)
    odd = dataclasses.replace(counts.compiled[-1], moved=3e9)
    errors = checked(dataclasses.replace(counts, compiled=(*counts.compiled[:-1], odd)))
    assert errors is not None
    assert errors["moved"] == pytest.approx(1 - (1e9 + 16e6) / 3e9, rel=1e-6)
    assert errors["flops"] < 1e-6


def test_what_grows_is_told_from_what_does_not() -> None:
    scaling = scaled(some_counts(16), 512)
    shares = [scaling.grown(H100, each) for each in scaling.all]
    assert shares[0] is None
    assert np.all(np.diff([share for share in shares if share is not None]) > 0)
    at = scaling.dominated(H100)
    assert at is not None and scaling.laws is not None
    before, after = (scaling.grown(H100, scaling.laws(n)) for n in (at // 2, at))
    assert before is not None and after is not None
    assert before <= 0.5 < after
    # Without pairs there is nothing that could.
    alone = [dataclasses.replace(a_count(n), flops=1e12, full_precision=0.0, moved=1e9, traffic={}) for n in (1, 2, 4, 8)]
    steady = scaled(Counts(batch="grows", bfloat16=False, rounds=1, compiled=tuple(alone)), 512)
    assert steady.dominated(TPU_V5E) is None
    assert steady.grown(TPU_V5E, steady.all[-1]) == pytest.approx(0.0, abs=1e-9)


def test_a_report_says_everything_in_each_form() -> None:
    scaling = scaled(some_counts(16, fsdp=2), 64)
    assert counted(scaling)[0] == ["devices", "of these fsdp", "batch", "GFLOP", "GB moved", "GiB held", "all-gather",
                                   "all-gather (fsdp)", "all-reduce"]  # fmt: skip
    assert counted(scaling)[-1][:3] == ["64 *", "2", "8,192"]
    for machine in (H100, TPU_V5E):
        rows = predicted(scaling, machine)
        assert {len(row) for row in rows} == {len(rows[0])}
        assert [row[0] for row in rows[1:]] == ["1", "2", "4", "8", "16", "32 *", "64 *"]
        assert rows[1][rows[0].index("efficiency")] == "100 %"
    text = markdown(scaling, "a/config")
    for part in (
        "# Scaling of a/config",
        "64 \\*" if "\\*" in text else "64 *",
        "## Assumptions",
        "NVIDIA H100 SXM data sheet",
    ):
        assert part in text
    told = json.loads(json.dumps(to_json(scaling, "a/config")))
    assert told["counts"][-1]["devices"] == 64
    assert told["counts"][-1]["seconds"][H100.name]["most"] > told["counts"][-1]["seconds"][H100.name]["least"] > 0
    assert len(figure(scaling, "a/config").axes) == 2


def test_a_step_that_does_not_fit_is_said_so() -> None:
    counts = some_counts(4)
    large = tuple(dataclasses.replace(each, memory=5e10) for each in counts.compiled)
    said = " ".join(notes(scaled(dataclasses.replace(counts, compiled=large), 4)))
    assert f"{TPU_V5E.name} has 16 GB: too much" in said
    assert f"{H100.name} has 80 GB" not in said


@pytest.mark.parametrize("batch, numbers", [("grows", [1, 2, 4, 8, 16, 32, 64]), ("stays", [1, 2, 4, 8, 16])])
def test_devices_share_the_batch(batch: Batch, numbers: list[int]) -> None:
    run = get_config()
    assert numbers_of_devices(run, 48, batch, 64) == numbers
    with pytest.raises(UserError, match="power of 2"):
        numbers_of_devices(dataclasses.replace(run, mesh=Mesh(fsdp=3)), 48, batch, 64)


def test_positives_are_counted_in_the_batch() -> None:
    assert positives({"labels": np.array([4, 4, 4, 7, 7])}) == 2
    assert positives({"labels": np.array([4, 7])}) == 1
    assert positives({"images": np.zeros(3)}) == 1


@pytest.mark.slow
@pytest.mark.end_to_end
def test_scale_compiles_for_devices_that_are_not_there(tmp_path: Path) -> None:
    config = Path(__file__).parents[2] / "support" / "small_digits.py"
    command = [
        sys.executable,
        "-m",
        "likeness.experiments.commands.main",
        "scale",
        str(config),
        "--compiled",
        "4",
        "--devices",
        "8",
    ]
    done = subprocess.run([*command, "--output", str(tmp_path)], env=os.environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "predicted on H100" in done.stdout
    told = json.loads((tmp_path / "scaling.json").read_text())
    one, two, four, eight = told["counts"]
    assert [each["devices"] for each in told["counts"]] == [1, 2, 4, 8]
    assert [each["compiled"] for each in told["counts"]] == [True, True, True, False]
    assert not one["collectives"]

    def gathered(count: dict) -> int:
        return sum(each["bytes"] for each in count["collectives"] if each["kind"] == "all-gather")

    # 16 rows a device: their labels, and their embeddings, of 8 float32 each, three times, since a batch this small is compared
    # by differences.
    assert [gathered(each) for each in (two, four, eight)] == [n * 16 * 4 * (3 * 8 + 1) for n in (2, 4, 8)]
    assert (tmp_path / "scaling.png").stat().st_size > 10_000
    assert "| 8 * |" in (tmp_path / "scaling.md").read_text()
