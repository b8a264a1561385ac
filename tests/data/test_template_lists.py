from pathlib import Path

import pytest

from likeness.research.data.template_lists import read_groups, read_template_pairs, read_templates
from likeness.research.errors import UserError


def written(tmp_path: Path, text: str) -> str:
    (tmp_path / "list").write_text(text)
    return str(tmp_path / "list")


def test_ijb_s_lists_of_images_and_media(tmp_path: Path):
    found = read_templates(written(tmp_path, "1.jpg 7 100\n2.jpg 7 100\n3.jpg 9 101\n"))
    assert found.images == ("1.jpg", "2.jpg", "3.jpg") and found.templates.tolist() == [7, 7, 9]
    assert found.media is not None and found.media.tolist() == [100, 100, 101] and found.subjects is None


def test_ijb_s_tables_with_subjects(tmp_path: Path):
    text = "TEMPLATE_ID,SUBJECT_ID,FILENAME,FACE_X\n7,3,img/1.jpg,0.5\n7,3,frames/2.jpg,0.5\n9,4,img/3.jpg,1\n"
    found = read_templates(written(tmp_path, text))
    assert found.images[1] == "frames/2.jpg" and found.templates.tolist() == [7, 7, 9]
    assert found.subjects is not None and found.subjects.tolist() == [3, 3, 4] and found.media is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1.jpg 7\n", "has 2 columns"),
        ("1.jpg seven 8\n", "Line 1 .* 'seven'"),
        ("TEMPLATE_ID,SUBJECT_ID,FILENAME\n7,3,a.jpg\n7,4,b.jpg\n", "shows two people"),
        ("TEMPLATE_ID,SUBJECT_ID,FILENAME\n", "no line below"),
        ("TEMPLATE_ID,SUBJECT_ID\n7,3\n", "none of images"),
        ("1.jpg 99999999999999999999 8\n", "whole number is expected"),
    ],
)
def test_other_lists_of_templates_are_refused(tmp_path: Path, text: str, says: str):
    with pytest.raises(UserError, match=says):
        read_templates(written(tmp_path, text))


def test_pairs_of_templates(tmp_path: Path):
    first, second, same = read_template_pairs(written(tmp_path, "1 2 1\n1 3 0\n"))
    assert first.tolist() == [1, 1] and second.tolist() == [2, 3] and same.tolist() == [True, False]
    for text, says in (("1 2\n", "Line 1"), ("1 2 1\n1 3 maybe\n", "Line 2"), ("a 2 1\n", "'a'")):
        with pytest.raises(UserError, match=says):
            read_template_pairs(written(tmp_path, text))


def test_groups_of_people(tmp_path: Path):
    assert read_groups(written(tmp_path, "person,group\nAnn Bell,a\n Bob ,b\nAnn Bell,a\n")) == {"Ann Bell": "a", "Bob": "b"}
    assert read_groups(written(tmp_path, "Ann\ta\n")) == {"Ann": "a"}
    for text, says in (("Ann,a\nAnn,b\n", "Line 2 .* another into a"), ("Ann\n", "1 columns"), ("person,group\n", "no person")):
        with pytest.raises(UserError, match=says):
            read_groups(written(tmp_path, text))
