import dataclasses
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.research.data import Omniglot, OmniglotRuns
from likeness.research.data.duplicates import Duplicates
from likeness.research.errors import UserError


def drawing(seed: int, side: int = 105) -> tuple[np.ndarray, bytes]:
    """A one-bit image, True where there is paper, and its PNG."""
    paper = np.random.default_rng(seed).random((side, side)) < 0.8
    out = io.BytesIO()
    Image.fromarray(paper).save(out, "PNG")
    return paper, out.getvalue()


def write_zip(path: Path, prefix: str = "images_background/") -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(prefix + "Greek/", b"")
        for alphabet, characters in {"Latin": 1, "Greek": 2}.items():
            for c in range(1, characters + 1):
                for d in (1, 2):
                    name = f"{alphabet}/character{c:02d}/00{c:02d}_{d:02d}.png"
                    archive.writestr(prefix + name, drawing((1000 if alphabet == "Latin" else 0) + 10 * (c - 1) + 5 * d)[1])
                    archive.writestr(f"__MACOSX/{prefix}{name}", b"shadow")
        archive.writestr(prefix + "README", b"")


@pytest.mark.parametrize("prefix", ["images_background/", "", "python/images_background/"])
def test_a_zip_of_any_outer_layout_is_read_in_place(tmp_path, prefix):
    write_zip(tmp_path / "images_background.zip", prefix)
    images = Omniglot(path=str(tmp_path)).open()
    assert images.people == ("Greek/character01", "Greek/character02", "Latin/character01")
    assert images.groups.tolist() == [0, 0, 1]
    assert images.counts().tolist() == [2, 2, 2]
    assert images.extras["drawer"].tolist() == [1, 2] * 3
    assert images.shape == (28, 28, 1)
    assert images.names[1] == "Greek/character01/02"


def test_turned_characters_are_characters_of_their_own(tmp_path):
    write_zip(tmp_path / "images_background.zip")
    plain, turned = Omniglot(path=str(tmp_path)).open(), Omniglot(path=str(tmp_path), rotations=True).open()
    assert len(turned.people) == 4 * len(plain.people)
    assert len(set(turned.groups)) == 4 * len(set(plain.groups))
    assert turned.counts().tolist() == [2] * 12
    upright = plain.read(np.arange(len(plain)))
    for turn in range(4):
        suffix = f" turned {90 * turn}" if turn else ""
        for row, name in enumerate(plain.names):
            alphabet, character, drawer = name.split("/")
            found = list(turned.names).index(f"{alphabet}{suffix}/{character}/{drawer}")
            np.testing.assert_array_equal(turned.read(np.array([found]))[0], np.rot90(upright[row], turn))


def test_pixels_are_the_share_of_ink(tmp_path):
    """Against averaging over the 3.75 x 3.75 areas in float64."""
    write_zip(tmp_path / "images_background.zip")
    paper, _ = drawing(5)
    weights = np.clip(np.minimum.outer(np.arange(1, 29) * 3.75, np.arange(1, 106)), 0, None)
    weights -= np.maximum.outer(np.arange(28) * 3.75, np.arange(105))
    weights = np.clip(weights, 0, None) / 3.75
    np.testing.assert_allclose(weights.sum(1), 1)
    share = weights @ ~paper @ weights.T
    white = Omniglot(path=str(tmp_path)).open().read(np.array([0]))[0, :, :, 0]
    assert np.abs(white - 255 * share).max() <= 0.5 + 1e-4
    black = Omniglot(path=str(tmp_path), ink="black").open().read(np.array([0]))[0, :, :, 0]
    assert np.abs(black - 255 * (1 - share)).max() <= 0.5 + 1e-4


def test_a_dark_frame_shows_a_small_character_as_large_as_others(tmp_path):
    with zipfile.ZipFile(tmp_path / "images_background.zip", "w") as archive:
        for drawer, side in ((1, 40), (2, 80)):
            paper = np.ones((105, 105), bool)
            paper[5 : 5 + side, 20 : 20 + side] = False
            out = io.BytesIO()
            Image.fromarray(paper).save(out, "PNG")
            archive.writestr(f"Greek/character01/0001_0{drawer}.png", out.getvalue())
    seen = Omniglot(path=str(tmp_path), frame="dark").open()
    small, large = seen.read(np.array([0, 1])).astype(np.float64)
    assert np.abs(small - large).mean() < 5
    whole = Omniglot(path=str(tmp_path)).open()
    assert whole.fingerprint != seen.fingerprint
    assert whole.read(np.array([1])).sum() > 3 * whole.read(np.array([0])).sum()


def test_another_subset_is_refused():
    data = Omniglot()
    # The tests' type checker would come first.
    object.__setattr__(data, "subset", "small")
    with pytest.raises(ValueError, match="subset is 'small': choose of background, evaluation"):
        data.__post_init__()


def test_gray_copies_read_as_the_bits(tmp_path):
    out = io.BytesIO()
    Image.fromarray(np.where(drawing(5)[0], 255, 0).astype(np.uint8)).save(out, "PNG")
    with zipfile.ZipFile(tmp_path / "images_background.zip", "w") as archive:
        archive.writestr("Greek/character01/0001_01.png", out.getvalue())
    images = Omniglot(path=str(tmp_path), size=105, ink="black").open()
    np.testing.assert_array_equal(images.read(np.array([0]))[0, :, :, 0] == 255, drawing(5)[0])


def test_full_size_keeps_the_bits(tmp_path):
    write_zip(tmp_path / "images_background.zip")
    images = Omniglot(path=str(tmp_path), size=105, ink="black").open()
    np.testing.assert_array_equal(images.read(np.array([0]))[0, :, :, 0] == 255, drawing(5)[0])


def test_the_path_may_be_the_zip_itself(tmp_path):
    write_zip(tmp_path / "images_background.zip")
    assert len(Omniglot(path=str(tmp_path / "images_background.zip")).open()) == 6


def test_missing_and_damaged_zips_say_where_to_fetch_them(tmp_path):
    with pytest.raises(UserError, match=r"images_evaluation\.zip from https://github"):
        Omniglot(path=str(tmp_path), subset="evaluation").open()
    path = tmp_path / "images_background.zip"
    path.write_bytes(b"no zip")
    with pytest.raises(UserError, match="damaged"):
        Omniglot(path=str(tmp_path)).open()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README", b"")
    with pytest.raises(UserError, match="no files like"):
        Omniglot(path=str(tmp_path)).open()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Greek/character01/0001_01.png", b"no image")
    with pytest.raises(UserError, match=r"0001_01\.png cannot be used: it is not a"):
        Omniglot(path=str(tmp_path)).open()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Greek/character01/0001_01.png", drawing(0, 28)[1])
    with pytest.raises(UserError, match="only files of 105 x 105 are taken"):
        Omniglot(path=str(tmp_path)).open()


def test_a_flipped_byte_in_the_zip_is_noticed(tmp_path):
    path = tmp_path / "images_background.zip"
    write_zip(path)
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 20] ^= 255
    path.write_bytes(data)
    with pytest.raises(UserError, match="damaged"):
        Omniglot(path=str(tmp_path)).open()


def one_drawing(path: Path, *names: str, seeds: tuple[int, ...] = (), **options) -> None:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for number, name in enumerate(names):
            archive.writestr(name, drawing(seeds[number] if seeds else number)[1])


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("outer", ["", "other/"])
def test_a_drawing_that_is_there_three_times_is_refused_by_name(tmp_path, outer):
    name = "Greek/character01/0001_01.png"
    one_drawing(tmp_path / "images_background.zip", name, outer + name, 2 * outer + name, seeds=(1, 1, 1))
    with pytest.raises(UserError, match=rf"two drawings of Greek/character01 by drawer 1, {name} and {outer}{name}"):
        Omniglot(path=str(tmp_path)).open()


def test_equal_drawings_by_two_drawers_are_counted(tmp_path):
    names = [f"Greek/character0{c}/000{c}_0{d}.png" for c, d in ((1, 1), (1, 2), (1, 3), (2, 1))]
    one_drawing(tmp_path / "images_background.zip", *names, seeds=(1, 2, 1, 3))
    source = Omniglot(path=str(tmp_path))
    images = source.open()
    assert images.counts().tolist() == [3, 1]
    assert images.notes == (
        "1 of 4 images is a copy of another of the same character and is kept (Greek/character01/03 is Greek/character01/01)",
    )
    assert dataclasses.replace(source, duplicates=Duplicates(), rotations=True).open().counts().tolist() == [2, 1] * 4
    one_drawing(tmp_path / "images_background.zip", *names, seeds=(1, 2, 3, 1))
    with pytest.raises(UserError, match="2 of 4 images of .* lie under more than one character"):
        source.open()


@pytest.mark.parametrize(("place", "value", "why"), [(8, b"\1\0", "encrypted"), (10, b"\x63\0", "packed by method 99")])
@pytest.mark.parametrize("source", [Omniglot, OmniglotRuns])
def test_zips_that_python_cannot_unpack_are_refused(tmp_path, place, value, why, source):
    path = tmp_path / ("images_background.zip" if source is Omniglot else "all_runs.zip")
    write_zip(path) if source is Omniglot else write_runs(path, "")
    data = bytearray(path.read_bytes())
    start = 0
    while (start := data.find(b"PK\1\2", start)) >= 0:
        data[start + place : start + place + 2] = value
        start += 4
    path.write_bytes(data)
    with pytest.raises(UserError, match=f"is damaged .*{why}.*fetch {path.name} again"):
        source(path=str(tmp_path)).open()


@pytest.mark.parametrize("drawer", ["99999999999999", "1" * 5000])
def test_drawers_that_nobody_can_be_are_refused(tmp_path, drawer):
    one_drawing(tmp_path / "images_background.zip", f"Greek/character01/0001_{drawer}.png")
    with pytest.raises(UserError, match=f"is of drawer {drawer[:14]}.*there are 20"):
        Omniglot(path=str(tmp_path)).open()


def test_files_that_unpack_to_megabytes_are_no_drawings(tmp_path):
    name = "Greek/character01/0001_01.png"
    with zipfile.ZipFile(tmp_path / "images_background.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, drawing(1)[1] + bytes(5_000_000))
    with pytest.raises(UserError, match=f"{name} in it has 5,00"):
        Omniglot(path=str(tmp_path)).open()
    out = io.BytesIO()
    Image.new("1", (9000, 9000)).save(out, "PNG")
    with zipfile.ZipFile(tmp_path / "images_background.zip", "w") as archive:
        archive.writestr(name, out.getvalue())
    with pytest.raises(UserError, match="it has 81.0 megapixels"):
        Omniglot(path=str(tmp_path)).open()


@pytest.mark.timeout(20)
def test_a_pipe_is_no_zip(tmp_path):
    os.mkfifo(tmp_path / "images_background.zip")
    with pytest.raises(UserError, match="no Omniglot"):
        Omniglot(path=str(tmp_path)).open()


def write_runs(path: Path, prefix: str, truth: str | None = None) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for run in ("run02", "run01"):
            for i in (1, 2, 3):
                archive.writestr(f"{prefix}{run}/test/item{i:02d}.png", drawing(i)[1])
                archive.writestr(f"{prefix}{run}/training/class{i:02d}.png", drawing(10 + i)[1])
            lines = [f"{run}/test/item{i:02d}.png {run}/training/class{i % 3 + 1:02d}.png" for i in (1, 2, 3)]
            archive.writestr(f"{prefix}{run}/class_labels.txt", "\n".join(lines) + "\n" if truth is None else truth)


@pytest.mark.parametrize("prefix", ["", "all_runs/"])
def test_runs_give_support_test_and_truth(tmp_path, prefix):
    write_runs(tmp_path / "all_runs.zip", prefix)
    runs = OmniglotRuns(path=str(tmp_path), size=105, ink="black").open()
    assert [run.name for run in runs] == ["run01", "run02"]
    assert runs[0].truth.tolist() == [1, 2, 0]
    np.testing.assert_array_equal(runs[0].test[2, :, :, 0] == 255, drawing(3)[0])
    np.testing.assert_array_equal(runs[0].support[0, :, :, 0] == 255, drawing(11)[0])


@pytest.mark.parametrize(
    "truth",
    [
        "",
        "run01/test/item01.png run01/training/class01.png\n",
        "nonsense\n",
        "run01/test/item01.png run01/training/class77.png",
    ],
)
def test_damaged_truth_is_refused(tmp_path, truth):
    write_runs(tmp_path / "all_runs.zip", "", truth)
    with pytest.raises(UserError, match=r"run01/class_labels\.txt"):
        OmniglotRuns(path=str(tmp_path)).open()


@pytest.mark.parametrize("size", [0, 7, 106])
def test_illegal_sizes_are_refused(size):
    for source in (Omniglot, OmniglotRuns):
        with pytest.raises(ValueError, match="size must be"):
            source(size=size)


@pytest.mark.data
@pytest.mark.parametrize(
    ("subset", "alphabets", "characters"),
    [
        ("background_small1", 5, 136),
        ("background_small2", 5, 156),
        pytest.param("background", 30, 964, marks=pytest.mark.slow),
        pytest.param("evaluation", 20, 659, marks=pytest.mark.slow),
    ],
)
@pytest.mark.end_to_end
def test_the_official_zips_hold_what_the_paper_says(subset, alphabets, characters):
    images = Omniglot(subset=subset).open()
    assert len(images.people) == characters
    assert set(images.counts().tolist()) == {20}
    assert images.groups.max() + 1 == alphabets
    assert sorted(set(images.extras["drawer"].tolist())) == list(range(1, 21))
    share = images.read(np.arange(0, len(images), 17)).mean() / 255
    assert 0.02 < share < 0.2, "ink covers a small share of a drawing, and is white"


@pytest.mark.data
def test_the_official_runs_are_twenty_by_twenty():
    runs = OmniglotRuns().open()
    assert [run.name for run in runs] == [f"run{i:02d}" for i in range(1, 21)]
    for run in runs:
        assert run.support.shape == run.test.shape == (20, 28, 28, 1)
        assert sorted(run.truth.tolist()) == list(range(20))
    assert runs[0].truth[:4].tolist() == [7, 8, 1, 18]
