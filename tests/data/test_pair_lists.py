from pathlib import Path

import numpy as np
import pytest

from likeness.research.data.pair_lists import read_pairs, rows_by_name
from likeness.research.errors import UserError


def written(tmp_path: Path, text: str | bytes, name: str = "pairs.txt") -> str:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_lfw_s_view_2_has_folds_and_names_of_files(tmp_path: Path):
    text = "2\t1\nAnn\t1\t4\nAnn\t1\tBob\t12\nZoë\t2\t3\nBob\t1\tZoë\t1\n"
    pairs = read_pairs(written(tmp_path, text))
    assert pairs.first == ("Ann/Ann_0001", "Ann/Ann_0001", "Zoë/Zoë_0002", "Bob/Bob_0001")
    assert pairs.second == ("Ann/Ann_0004", "Bob/Bob_0012", "Zoë/Zoë_0003", "Zoë/Zoë_0001")
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.folds is not None and pairs.folds.tolist() == [0, 0, 1, 1]


def test_development_pairs_have_no_folds(tmp_path: Path):
    pairs = read_pairs(written(tmp_path, "1\nAnn 1 4\nAnn 1 Bob 12\n"))
    assert pairs.folds is None and pairs.same.tolist() == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        "a/1.jpg,a/2.jpg,same\na/1.jpg,b/1.jpg,different\n",
        "left,right,label\na/1.jpg,a/2.jpg,1\na/1.jpg,b/1.jpg,0\n",
        "a/1.jpg\ta/2.jpg\tGenuine\n\n# no pair\na/1.jpg\tb/1.jpg\timpostor\n",
        "a/1.jpg a/2.jpg True\r\na/1.jpg b/1.jpg False\r\n",
        "1 a/1.jpg a/2.jpg\n-1 a/1.jpg b/1.jpg\n",
        '"a/1.jpg";"a/2.jpg";"yes"\n"a/1.jpg";"b/1.jpg";"no"\n',
        "\ufeffa/1.jpg, a/2.jpg, same\na/1.jpg, b/1.jpg, different\n",
    ],
)
def test_any_table_of_two_paths_and_a_word_is_read(tmp_path: Path, text: str):
    pairs = read_pairs(written(tmp_path, text))
    assert (pairs.first, pairs.second) == (("a/1.jpg", "a/1.jpg"), ("a/2.jpg", "b/1.jpg"))
    assert pairs.same.tolist() == [True, False]


def test_paths_may_hold_spaces_where_commas_part_them(tmp_path: Path):
    assert read_pairs(written(tmp_path, "my a/1.jpg,my a/2.jpg,same\n")).first == ("my a/1.jpg",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no line"),
        (b"\x89PNG\r\n\x1a\n\0\0", "no text in UTF-8"),
        ("10\t300\nAnn\t1\t4\n", "which are 6000, and has 1"),
        ("1\nAnn 1 4\nAnn one Bob 2\n", "Line 3"),
        ("a.jpg,b.jpg,same\na.jpg,c.jpg,perhaps\n", "no column says"),
        ("a.jpg,b.jpg,same\na.jpg,same\n", "Line 2 .* has 2 columns"),
        ("a.jpg,b.jpg,c.jpg,same\n", "has 4 columns"),
        ("a.jpg b.jpg\n", "no column says"),
    ],
)
def test_what_is_no_list_of_pairs_is_refused_by_line(tmp_path: Path, text: str | bytes, says: str):
    with pytest.raises(UserError, match=says):
        read_pairs(written(tmp_path, text))


def test_a_missing_list_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"no file .*nowhere\.txt"):
        read_pairs(str(tmp_path / "nowhere.txt"))


def test_images_are_found_by_the_end_of_their_path():
    names = ["lfw/Ann/Ann_0001.jpg", "lfw/Bob/Bob_0001.jpg", "x/1.png", "y/1.png"]
    assert rows_by_name(names, ["Bob/Bob_0001", "Ann_0001.png", "lfw/Ann/Ann_0001.jpg", "data/y/1.jpg"]).tolist() == [
        1,
        0,
        0,
        3,
    ]
    with pytest.raises(UserError, match=r"Write more of the path"):
        rows_by_name(names, ["1.png"])
    with pytest.raises(UserError, match=r"Cy/Cy_0001, which is not among the 4 images"):
        rows_by_name(names, ["Cy/Cy_0001"])
    with pytest.raises(UserError, match="not among"):
        rows_by_name(names, ["Ann/Bob_0001"])


def test_a_name_with_a_dot_keeps_it():
    assert rows_by_name(["a/v1.2", "a/v1.3"], ["a/v1.3"]).tolist() == [1]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count", "folds"), [("pairs.txt", 6000, 10), ("pairsDevTest.txt", 1000, 0), ("pairsDevTrain.txt", 2200, 0)]
)
def test_the_official_lists_of_lfw_are_read(real_data: Path, name: str, count: int, folds: int):
    pairs = read_pairs(str(real_data / "lfw" / name))
    assert len(pairs) == count and pairs.same.sum() == count // 2
    if folds:
        assert pairs.folds is not None
        assert np.bincount(pairs.folds, pairs.same).tolist() == [300] * 10
    for image in (pairs.first[0], pairs.second[-1]):
        assert (real_data / "lfw" / f"{image}.jpg").is_file()
