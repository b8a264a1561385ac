"""Figures draw whatever a run may hold, and are written whole or not at all."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from likeness.experiments.display import figures
from likeness.research.metrics.identification import Cmc
from likeness.research.metrics.random_galleries import in_random_galleries
from likeness.research.metrics.verification import RocBand


def drawn(figure):
    """The figure's pixels; rendering is where Matplotlib raises."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    return np.asarray(Image.open(buffer).convert("RGB"))


def colored(pixels, color):
    wanted = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    return (np.abs(pixels.astype(int) - wanted).max(axis=-1) < 30).any()


def band(points=20, low=0.0):
    tar = np.linspace(low + 0.05, 0.95, points)
    return RocBand(np.geomspace(1e-3, 1, points), tar, tar - 0.05, tar + 0.05)


PAIR_DISTANCES = np.array([0.9, 0.7, 0.2, 0.4])
PAIR_SAME = np.array([True, True, False, False])


def test_roc():
    pixels = drawn(figures.roc(band()))
    assert colored(pixels, figures.BLUE)
    assert not colored(pixels, figures.ORANGE)
    both = figures.roc({"Triplet": band(), "Pixels": band(low=0.4)})
    assert [text.get_text() for text in both.axes[0].get_legend().get_texts()] == ["Triplet", "Pixels", "chance"]
    assert colored(drawn(both), figures.ORANGE)


def test_distances_tell_what_tau_gets_wrong():
    rng = np.random.default_rng(0)
    same = np.arange(400) < 100
    figure = figures.distances(rng.normal(size=400) + 2 * ~same, same, tau=0.0)
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert "same person (100)" in texts[0]
    assert "rejected" in texts[0]
    assert "different people (300)" in texts[1]
    assert "accepted" in texts[1]
    assert colored(drawn(figure), figures.ORANGE)


def test_where_a_stage_begins_the_curve_breaks_and_says_so():
    train = [{"step": 2 * i, "split": "train", "loss": 1.0 / i, "stage": 1 + (i > 3)} for i in range(1, 7)]
    evaluated = [{"step": 4 * i, "split": "validation", "style/relative": 0.5} for i in range(1, 4)]
    figure = figures.training_curves([*train, *evaluated])
    assert figures.stage_ends(train) == [6.0] and figures.stage_ends(evaluated) == []
    loss, validation = figure.axes
    drawn = [
        [line.get_xdata().tolist() for line in axes.lines if len(line.get_xdata()) and line.get_linestyle() == "-"]
        for axes in (loss, validation)
    ]
    assert drawn == [[[2, 4, 6], [8, 10, 12]], [[4], [8, 12]]]
    assert [text.get_text() for text in loss.texts] == ["stage 2"]
    assert [list(line.get_xdata()) for line in validation.lines if line.get_linestyle() != "-"] == [[6, 6]]


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("tau", [None, 0.5])
def test_distances_of_few_pairs(count, tau):
    assert drawn(figures.distances(np.full(count, 0.5), np.ones(count, bool), tau)).any()


def test_infinite_distances_do_not_stretch_the_histogram():
    figure = figures.distances(np.array([0.1, 0.2, np.inf]), np.array([True, False, False]))
    assert figure.axes[0].get_xlim()[1] < 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_mistakes_are_marked_by_tau(channels, kind):
    shape = (4, 12, 10, channels)
    images = (np.random.default_rng(0).random(shape) * (255 if kind == np.uint8 else 1)).astype(kind)
    figure = figures.mistakes(images, images, PAIR_DISTANCES, PAIR_SAME, tau=0.3)
    labels = [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]
    assert labels == ["0.9, told apart", "0.7, told apart", "0.2, taken for one", "0.4"]
    assert drawn(figure).any()


@pytest.mark.parametrize("count", [0, 1])
def test_mistakes_of_few_pairs(count):
    images = np.zeros((count, 8, 8, 1), np.uint8)
    figure = figures.mistakes(images, images, PAIR_DISTANCES[:count], PAIR_SAME[:count])
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts.count("no such pairs") == 2 - count
    assert drawn(figure).any()


def test_training_curves_prefer_the_error_rate_and_draw_its_interval():
    records = [{"step": step, "split": "train", "loss": 1 / (step + 1), "rate": 1e-3} for step in range(100)]
    for step in (0, 50, 99):
        eer = {"value": 0.3 - step / 1000, "low": 0.1, "high": 0.4, "n": 90}
        records.append({"step": step, "split": "validation", "verification/auc": 0.9, "verification/eer": eer})
    figure = figures.training_curves(records)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Training loss", "Validation: verification/eer"]
    assert colored(drawn(figure), figures.GREEN)
    chosen = figures.training_curves(records, metric="verification/auc")
    assert chosen.axes[1].get_title(loc="left") == "Validation: verification/auc"


@pytest.mark.parametrize(
    "records",
    [
        [],
        [{"step": 3, "split": "train", "loss": 0.5}],
        [{"step": 3, "split": "train", "loss": float("nan")}],
        [{"step": 3, "split": "train", "loss": 0.5}, {"step": 3, "split": "validation", "one_shot/error": 0.5}],
        [{"step": 3, "split": "validation", "verification/eer": {"value": None, "low": None, "high": None, "n": 0}}],
    ],
)
def test_training_curves_of_short_runs(records):
    assert drawn(figures.training_curves(records)).any()


@pytest.mark.parametrize("count", [1, 20])
def test_cmc(count):
    rate = np.linspace(0.5, 1, count)
    assert colored(drawn(figures.cmc(Cmc(np.arange(1, count + 1), rate, rate - 0.1, rate, 50))), figures.BLUE)


def test_random_galleries_are_drawn_beside_their_law():
    codes = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    found = in_random_galleries(codes, np.arange(60) // 3, sizes=(2, 5, 20))
    drawn_once = drawn(figures.random_galleries({"one": found}))
    assert colored(drawn_once, figures.BLUE) and colored(drawn_once, figures.ORANGE)
    assert drawn(figures.random_galleries({"one": found, "another": found})).shape[1] > 1.5 * drawn_once.shape[1]


def test_saving_replaces_whole_files(tmp_path):
    target = tmp_path / "figures" / "roc.png"
    assert figures.save(figures.roc(band()), target) == target
    with Image.open(target) as image:
        assert image.size[0] == 6 * figures.PIXELS_PER_INCH
    figures.save(figures.distances(PAIR_DISTANCES, PAIR_SAME), target)
    assert [path.name for path in target.parent.iterdir()] == ["roc.png"]
    assert target.stat().st_mode & 0o044


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "roc.png"
    target.write_bytes(b"old")

    class Broken(Figure):
        def savefig(self, file, **_):
            file.write(b"half")
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        figures.save(Broken(), target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["roc.png"]


def test_nothing_global_is_touched():
    before = dict(mpl.rcParams)
    drawn(figures.roc(band()))
    assert dict(mpl.rcParams) == before
