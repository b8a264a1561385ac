from pathlib import Path

import numpy as np
import pytest
import scipy.io

from likeness.research.data.blufr import read_blufr
from likeness.research.errors import UserError


def cells(rows):
    found = np.empty((len(rows), 1), object)
    for place, row in enumerate(rows):
        found[place, 0] = row
    return found


def lists(**changes) -> dict[str, np.ndarray]:
    """Two trials of 8 images of 5 people; numbers begin at 1, as MATLAB's do."""
    columns = {
        "imageList": cells([np.array([f"p_{i}.jpg"]) for i in range(8)]),
        "labels": np.array([[1, 1, 2, 2, 3, 3, 4, 5]], np.uint16).T,
        "trainIndex": cells([np.array([[1], [2]], np.uint16)] * 2),
        "testIndex": cells([np.array([[3], [4], [5], [6], [7], [8]], np.uint16)] * 2),
        "galIndex": cells([np.array([[3], [5]], np.uint16)] * 2),
        "probIndex": cells([np.array([[4], [6], [7], [8]], np.uint16)] * 2),
    }
    return columns | changes


def saved(tmp_path: Path, columns: dict[str, np.ndarray]) -> str:
    scipy.io.savemat(tmp_path / "lists.mat", columns)
    return str(tmp_path / "lists.mat")


def test_trials_are_read_as_rows_from_0(tmp_path: Path):
    found = read_blufr(saved(tmp_path, lists()))
    assert found.names[0] == "p_0.jpg" and found.labels.tolist() == [1, 1, 2, 2, 3, 3, 4, 5]
    assert len(found.trials) == 2
    assert {name: rows.tolist() for name, rows in found.trials[1]._asdict().items()} == {
        "train": [0, 1],
        "test": [2, 3, 4, 5, 6, 7],
        "gallery": [2, 4],
        "probes": [3, 5, 6, 7],
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"trainIndex": cells([np.array([[1]]), np.array([[3]])])},
            "Trial 2 of .* 1 people are both in training and in the test",
        ),
        ({"galIndex": cells([np.array([[3], [4]])] * 2)}, "both enrolled and probes"),
        ({"galIndex": cells([np.array([[3], [3]])] * 2)}, "names one twice"),
        ({"galIndex": cells([np.array([[1]])] * 2)}, "no test image"),
        ({"testIndex": cells([np.array([[99]])] * 2)}, "numbered from 99"),
        ({"testIndex": cells([np.array([[0]])] * 2)}, "numbered from 0"),
        ({"probIndex": cells([np.array([[4], [6]])] * 2)}, "every probe shows somebody enrolled"),
        ({"trainIndex": cells([np.zeros((0, 1), np.uint16)] * 2)}, "is empty"),
        ({"probIndex": cells([np.array([[4]])])}, "lists of indices"),
        ({"labels": np.array([[1]])}, "1 labels"),
        ({"imageList": np.array([[1.0]])}, "different names"),
    ],
)
def test_lists_that_break_the_rules_are_refused(tmp_path: Path, changes: dict[str, np.ndarray], says: str):
    with pytest.raises(UserError, match=says):
        read_blufr(saved(tmp_path, lists(**changes)))


def test_other_files_are_refused(tmp_path: Path):
    other = tmp_path / "other.mat"
    scipy.io.savemat(other, {"x": np.eye(2)})
    with pytest.raises(UserError, match="has no imageList, labels"):
        read_blufr(str(other))
    other.write_bytes(Path(saved(tmp_path, lists())).read_bytes()[:300])
    with pytest.raises(UserError, match="other.mat is"):
        read_blufr(str(other))
    other.write_text("10 300")
    with pytest.raises(UserError, match="no file of MATLAB's format 5"):
        read_blufr(str(other))
    with pytest.raises(UserError, match="There is no file"):
        read_blufr(str(tmp_path / "none.mat"))


@pytest.mark.data
def test_the_official_lists_keep_the_rules(real_data: Path):
    found = read_blufr(str(real_data / "lfw" / "blufr_lfw_config.mat"))
    assert len(found.names) == 13233 and len(found.trials) == 10
    assert {len(trial.gallery) for trial in found.trials} == {1000}
