"""The configs of the protocols, on people of a real data set: each says of the published weights what its protocol says."""

import dataclasses
import hashlib
import itertools
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from likeness.experiments.config import load
from likeness.experiments.run import Run
from likeness.experiments.training.trainer import Trained, train
from likeness.research.data import Everybody

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten people with four photographs each, of those with the first checksums of their names, and lists of them."""
    source = Path(os.environ["LIKENESS_DATA"]) / "lfw"
    root = tmp_path_factory.mktemp("set")
    several = [each for each in source.iterdir() if each.is_dir() and len(list(each.iterdir())) >= 4]
    chosen = sorted(several, key=lambda each: hashlib.sha256(each.name.encode()).digest())[:10]
    for person in chosen:
        (root / "people" / person.name).mkdir(parents=True)
        for file in sorted(person.iterdir())[:4]:
            shutil.copy(file, root / "people" / person.name)
    names = [sorted(path.relative_to(root / "people") for path in (root / "people" / each.name).iterdir()) for each in chosen]
    same = [f"{a},{b},same" for files in names for a, b in itertools.pairwise(files)]
    different = [f"{one[0]},{other[0]},different" for one in names for other in names if one is not other]
    (root / "pairs.csv").write_text("\n".join(same + different) + "\n")
    (root / "groups.csv").write_text("".join(f"{each.name},{'ab'[row % 2]}\n" for row, each in enumerate(chosen)))
    heading = "TEMPLATE_ID,SUBJECT_ID,FILENAME\n"
    rows = [(row, files) for row, files in enumerate(names)]
    (root / "gallery.csv").write_text(
        heading + "".join(f"{row},{row},{file}\n" for row, files in rows[:7] for file in files[:2])
    )
    (root / "probes.csv").write_text(heading + "".join(f"{row},{row},{file}\n" for row, files in rows for file in files[2:]))
    media = "".join(f"{file} {2 * row + place // 2} {row}\n" for row, files in rows for place, file in enumerate(files))
    (root / "face_tid_mid.txt").write_text(media)
    lines = [f"{2 * one} {2 * other + 1} {int(one == other)}\n" for one, _ in rows for other, _ in rows]
    (root / "template_pair_label.txt").write_text("".join(lines))
    return root


def evaluated(name: str, people: Path, where: Path, *, far: float | None = None, **files: str) -> Trained:
    run: Run = load(f"protocols/{name}")
    experiment: Any = run.experiment
    assert run.steps == 0 and experiment.split == Everybody()
    data = dataclasses.replace(experiment.data, path=str(people / "people"))
    first, *rest = experiment.test
    changes: dict[str, Any] = {field: str(people / file) for field, file in files.items()}
    if far is not None:
        changes["far"] = far
    test = (dataclasses.replace(first, **changes), *rest)
    return train(dataclasses.replace(run, experiment=dataclasses.replace(experiment, data=data, test=test)), where)


@pytest.mark.slow
def test_any_list_of_pairs(people: Path, tmp_path: Path) -> None:
    found = evaluated("pairs", people, tmp_path, pairs="pairs.csv").evaluation
    assert found.metrics["pairs/eer"].value < 0.05
    assert "no step was taken" in " ".join(found.notes) and "threshold" not in found.artifacts


@pytest.mark.slow
def test_everybody_is_looked_for_among_all(people: Path, tmp_path: Path) -> None:
    found = evaluated("retrieval", people, tmp_path).evaluation.metrics
    assert found["retrieval/p@1"].value == 1.0 and found["retrieval/p@1"].n == 40


@pytest.mark.slow
def test_groups_have_rates_of_their_own(people: Path, tmp_path: Path) -> None:
    # Ten people have too few pairs for the config's own rate.
    found = evaluated("groups", people, tmp_path, groups="groups.csv", far=0.01).evaluation.metrics
    assert {"groups/fmr@a", "groups/fnmr@a", "groups/fmr@b", "groups/fnmr@b"} <= set(found)


@pytest.mark.slow
def test_templates_are_weighted_by_how_well_faces_are_seen(people: Path, tmp_path: Path) -> None:
    run: Any = load("protocols/templates")
    experiment = run.experiment
    one, other = experiment.test
    assert one.pooling == other.pooling == "norm"
    lists = {"templates": "face_tid_mid.txt", "pairs": "template_pair_label.txt"}
    one = dataclasses.replace(one, **{field: str(people / file) for field, file in lists.items()})
    other = dataclasses.replace(other, gallery=str(people / "gallery.csv"), probes=str(people / "probes.csv"))
    data = dataclasses.replace(experiment.data, path=str(people / "people"))
    changed = dataclasses.replace(run, experiment=dataclasses.replace(experiment, data=data, test=(one, other)))
    found = train(changed, tmp_path).evaluation.metrics
    assert found["templates/rank1"].value == 1.0


def test_insightface_s_sets_are_looked_at_as_they_are_aligned() -> None:
    experiment: Any = load("protocols/insightface_bin").experiment
    (protocol,) = experiment.test
    assert protocol.bin == experiment.data
    assert experiment.data.preprocessing.size == (112, 112)
