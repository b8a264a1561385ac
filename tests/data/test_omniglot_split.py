import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from likeness.research.data import CountSplit, Omniglot, OmniglotSplit
from likeness.research.errors import UserError

CHARACTERS = {"background": {"Greek": 4, "Latin": 3}, "evaluation": {"Tengwar": 3}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Both official zips, small: ten characters of two drawings."""
    where = tmp_path_factory.mktemp("omniglot")
    seed = 0
    for subset, alphabets in CHARACTERS.items():
        with zipfile.ZipFile(where / f"images_{subset}.zip", "w") as archive:
            for alphabet, count in alphabets.items():
                for character in range(1, count + 1):
                    for drawer in (1, 2):
                        seed += 1
                        out = io.BytesIO()
                        Image.fromarray(np.random.default_rng(seed).random((105, 105)) < 0.9).save(out, "PNG")
                        archive.writestr(f"{alphabet}/character{character:02d}/{seed:04d}_{drawer:02d}.png", out.getvalue())
    return where


def images(folder, *, rotations=True):
    return Omniglot(path=str(folder), subset="all", size=8, rotations=rotations).open()


def upright(part):
    return {person.split(" turned")[0].split("/")[0] + "/" + person.split("/")[1] for person in part.people}


def test_all_is_background_and_evaluation(folder):
    found = images(folder, rotations=False)
    assert len(found.people) == 10
    assert {person.split("/")[0] for person in found.people} == {"Greek", "Latin", "Tengwar"}
    one = Omniglot(path=str(folder), subset="evaluation", size=8).open()
    rows = [list(found.names).index(name) for name in one.names]
    np.testing.assert_array_equal(found.read(np.array(rows)), one.read(np.arange(len(one))))


def test_a_character_and_its_turns_are_in_one_part(folder):
    parts = OmniglotSplit(validation=2, test=3)(images(folder))
    assert {name: len(part.people) for name, part in parts.items()} == {"train": 20, "validation": 8, "test": 12}
    found = [upright(part) for part in parts.values()]
    assert len(set.union(*found)) == 10 and sum(map(len, found)) == 10


def test_without_turns_it_parts_as_a_count_does(folder):
    table = images(folder, rotations=False)
    ours, counted = OmniglotSplit(validation=2, test=3, seed=4)(table), CountSplit(validation=2, test=3, seed=4)(table)
    assert all(ours[part].people == counted[part].people for part in ours)


def write_lists(folder, **lists):
    folder.mkdir()
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return str(folder)


def test_published_lists_say_who_is_where_and_what_is_on_none_is_left_out(folder, tmp_path):
    lists = write_lists(
        tmp_path / "lists",
        train=[f"Greek/character01/rot{turn:03d}" for turn in (0, 90, 180, 270)] + ["Latin/character02"],
        val=["Greek/character02"],
        test=["Tengwar/character03", "Tengwar/character03/rot090"],
    )
    parts = OmniglotSplit(lists=lists)(images(folder))
    assert upright(parts.train) == {"Greek/character01", "Latin/character02"}
    assert upright(parts.validation) == {"Greek/character02"}
    assert upright(parts.test) == {"Tengwar/character03"} and len(parts.test.people) == 4


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"train": ["Greek/character01"], "val": []}, "test.txt cannot be read"),
        ({"train": ["Greek/character01"], "val": ["Greek/character01"], "test": []}, "val.txt names .* on train.txt too"),
        ({"train": ["Greek/character01", "Greek/1"], "val": [], "test": []}, "Line 2 of .*train.txt is 'Greek/1'"),
        ({"train": ["Futhark/character01"], "val": [], "test": []}, "no character of the data"),
        ({"train": ["Greek/character01/rot045"], "val": [], "test": []}, "no character of the data"),
        ({"train": [], "val": [], "test": ["Greek/character01"]}, "train.txt is empty, so there is nothing to learn from"),
    ],
)
def test_wrong_lists_are_told_by_file_and_line(folder, tmp_path, lists, message):
    with pytest.raises(UserError, match=message):
        OmniglotSplit(lists=write_lists(tmp_path / "lists", **lists))(images(folder))


def test_lists_of_windows_are_read_too(folder, tmp_path):
    lists = write_lists(tmp_path / "lists", train=["Greek/character01"], val=[], test=[])
    (tmp_path / "lists" / "test.txt").write_bytes("\ufeffLatin/character01\r\nLatin/character02\r\n".encode())
    assert upright(OmniglotSplit(lists=lists)(images(folder)).test) == {"Latin/character01", "Latin/character02"}


def test_counts_that_leave_nobody_to_learn_from_are_refused(folder):
    with pytest.raises(UserError, match="leaves none to learn from"):
        OmniglotSplit(test=10)(images(folder))
    with pytest.raises(ValueError, match="numbers of characters"):
        OmniglotSplit(test=-1)
