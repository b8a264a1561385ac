"""What was changed in a gallery is written with the change, and stays."""

import re
import sqlite3

import numpy as np
import pytest

from likeness.research.errors import UserError
from likeness.research.gallery import EnrolledImage, Gallery, GalleryChange


@pytest.fixture
def gallery(tmp_path):
    with Gallery.create(tmp_path / "g.sqlite", "abc", 2) as made:
        yield made


def told(changes: tuple[GalleryChange, ...]) -> list[tuple]:
    return [(each.action, each.name, each.was, each.source, each.sha256) for each in changes]


def image(name: str) -> EnrolledImage:
    return EnrolledImage(f"{name}.jpg", 64 * name)


def test_every_change_is_told_with_its_file(gallery):
    gallery.add("Ada", np.eye(2), [image("a"), image("b")])
    gallery.add("Bob", [[1.0, 1.0]])
    gallery.rename("Ada", "Ada Lovelace")
    gallery.replace("Ada Lovelace", [[0.5, 1.0]], [image("c")])
    gallery.set_template("average")
    gallery.remove("Bob")
    gallery.remove_embedding(gallery.embeddings("Ada Lovelace")[0].id)
    gallery.remove("Ada Lovelace")
    changes = gallery.history()
    assert told(changes) == [
        ("added", "Ada", "", "a.jpg", 64 * "a"),
        ("added", "Ada", "", "b.jpg", 64 * "b"),
        ("added", "Bob", "", "", ""),
        ("renamed", "Ada Lovelace", "Ada", "", ""),
        ("replaced", "Ada Lovelace", "", "a.jpg", 64 * "a"),
        ("replaced", "Ada Lovelace", "", "b.jpg", 64 * "b"),
        ("added", "Ada Lovelace", "", "c.jpg", 64 * "c"),
        ("template", "average", "nearest", "", ""),
        ("removed", "Bob", "", "", ""),
        ("removed", "Ada Lovelace", "", "c.jpg", 64 * "c"),
        ("removed", "Ada Lovelace", "", "", ""),
    ]
    assert [each.id for each in changes] == list(range(1, 12))
    assert [each.embedding for each in changes] == [1, 2, 3, None, 1, 2, 4, None, 3, 4, None]
    assert [each.at for each in changes] == sorted(each.at for each in changes)
    assert str(changes[0]).endswith(f"added     Ada: embedding 1 of a.jpg, SHA-256 {64 * 'a'}")
    assert str(changes[3]).endswith("renamed   Ada Lovelace, who was Ada")
    assert str(changes[7]).endswith("template  people are compared by average, which was nearest")


def test_a_person_is_followed_through_their_names(gallery):
    gallery.add("Ada", [[1.0, 0.0]])
    gallery.add("Bob", [[0.0, 1.0]])
    gallery.rename("Ada", "Eve")
    gallery.rename("Eve", "Zoe")
    for name in ("Ada", "Eve", "Zoe"):
        assert [each.action for each in gallery.history(name)] == ["added", "renamed", "renamed"]
    assert told(gallery.history("Bob")) == [("added", "Bob", "", "", "")]


def test_of_two_people_of_one_name_each_has_a_history(gallery):
    gallery.add("Ada", [[1.0, 0.0]], [image("a")])
    gallery.rename("Ada", "Ada Lovelace")
    gallery.add("Ada", [[0.0, 1.0]], [image("b")])
    renamed = ("renamed", "Ada Lovelace", "Ada", "", "")
    assert told(gallery.history("Ada Lovelace")) == [("added", "Ada", "", "a.jpg", 64 * "a"), renamed]
    # Both were called so, and their numbers tell them apart.
    assert [(each.source, each.person) for each in gallery.history("Ada")] == [("a.jpg", 1), ("", 1), ("b.jpg", 2)]
    gallery.rename("Ada", "Ada Byron")
    assert [each.person for each in gallery.history("Ada Byron")] == [2, 2]


def test_who_takes_the_name_of_somebody_removed_is_somebody_else(gallery):
    gallery.add("Ada", [[1.0, 0.0]], [image("a")])
    gallery.remove("Ada")
    gallery.add("Ada", [[0.0, 1.0]], [image("b")])
    gallery.rename("Ada", "Eve")
    assert told(gallery.history("Eve")) == [("added", "Ada", "", "b.jpg", 64 * "b"), ("renamed", "Eve", "Ada", "", "")]


def test_a_name_that_nobody_ever_had_is_said(gallery):
    gallery.add("Ada", [[1.0, 0.0]])
    gallery.rename("Ada", "Countess")
    gallery.remove("Countess")
    gallery.set_template("average")
    for asked, meant in {
        "Adda": "Did you mean 'Ada'?",
        "Countes": "Did you mean 'Countess'?",
        "average": "Leave the name",
    }.items():
        with pytest.raises(UserError, match=re.escape(f"nobody was ever enrolled as {asked}. {meant}")):
            gallery.history(asked)


def test_the_name_that_somebody_has_is_no_change(gallery):
    gallery.add("Ada", [[1.0, 0.0]])
    gallery.rename("Ada", " Ada ")
    assert [each.action for each in gallery.history("Ada")] == ["added"]


def test_what_does_not_happen_is_not_told(gallery):
    gallery.add("Ada", [[1.0, 0.0]], [image("a")])
    before = gallery.history()
    gallery.add("Ada", [[1.0, 0.0]], [image("a")])
    gallery.set_template("nearest")
    for refused in (
        lambda: gallery.add("Bob", [[np.nan, 0.0]]),
        lambda: gallery.remove("Bob"),
        lambda: gallery.replace("Bob", [[1.0, 0.0]]),
        lambda: gallery.replace("Ada", [[1.0, 0.0, 0.0]]),
        lambda: gallery.remove_embedding(99),
        lambda: gallery.rename("Ada", ""),
    ):
        with pytest.raises(UserError):
            refused()
    with pytest.raises(ZeroDivisionError), gallery.transaction():
        gallery.add("Bob", [[1.0, 1.0]])
        gallery.remove("Ada")
        _ = 1 / 0
    assert gallery.history() == before
    assert gallery.people() == {"Ada": 1}


def test_a_change_that_cannot_be_told_does_not_happen(gallery):
    gallery._connection.execute("DROP TABLE history")
    for change in (lambda: gallery.add("Ada", [[1.0, 0.0]]), lambda: gallery.set_template("average")):
        with pytest.raises(UserError, match="Nothing was changed"):
            change()
    assert gallery.people() == {} and gallery.template == "nearest"


REPLACING = (
    "UPDATE history SET name = 'Eve'",
    "REPLACE INTO history VALUES (1, '', 'added', 1, 'Eve', '', 1, '', '')",
    "INSERT OR REPLACE INTO history VALUES (1, '', 'added', 1, 'Eve', '', 1, '', '')",
    "INSERT INTO history VALUES (1, '', 'added', 1, 'Eve', '', 1, '', '') ON CONFLICT (id) DO UPDATE SET name = 'Eve'",
)


@pytest.mark.parametrize("change", ["DELETE FROM history", *REPLACING])
def test_the_file_keeps_what_is_written(gallery, change):
    gallery.add("Ada", [[1.0, 0.0]])
    with sqlite3.connect(gallery.path) as other, pytest.raises(sqlite3.IntegrityError, match="the history is kept"):
        other.execute(change)
    other.close()
    assert told(gallery.history()) == [("added", "Ada", "", "", "")]
    # An id that the file would take for none given is refused, so that new lines are always taken.
    with sqlite3.connect(gallery.path) as other, pytest.raises(sqlite3.IntegrityError):
        other.execute("INSERT INTO history VALUES (-1, '', 'added', 1, 'Eve', '', 1, '', '')")
    other.close()
    gallery.add("Bob", [[0.0, 1.0]])
    assert len(gallery.history()) == 2


def test_a_template_is_remembered_and_no_other_word_is(gallery):
    assert gallery.template == gallery.codes().template == "nearest"
    gallery.set_template("average")
    with Gallery.open(gallery.path) as again:
        assert again.template == again.codes().template == "average"
    with pytest.raises((ValueError, TypeError)):
        gallery.set_template("mean")
    assert gallery.template == "average"
    gallery._connection.execute("UPDATE meta SET value = 'mean' WHERE key = 'template'")
    with pytest.raises(UserError, match="is damaged"):
        gallery.codes()
