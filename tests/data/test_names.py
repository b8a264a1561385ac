import os
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from likeness.research.data.names import about_names, easily_confused, identity_name
from likeness.research.errors import UserError


@given(st.binary(min_size=1, max_size=12) | st.text(min_size=1, max_size=8))
@example(b"\xba\xcc\x80")
def test_any_name_is_printable_once_and_for_all(raw):
    try:
        name = identity_name(raw)
    except UserError:
        assert not os.fsdecode(raw).strip()
        return
    assert name.isprintable()
    name.encode()
    assert identity_name(name) == name


@pytest.mark.parametrize(
    ("first", "second"),
    [("Jose\u0301", "Jos\u00e9"), ("Ada", "Ada "), ("Ada", "\u3000Ada\t\n"), ("Ada Lovelace", "Ada\u00a0Lovelace")],
)
def test_one_name_written_in_two_ways(first, second):
    assert identity_name(first) == identity_name(second)
    (said,) = about_names([first, second, "bob"])
    assert said.startswith("1 name is that of several folders, which are taken for one: ")
    assert ascii(first) in said
    assert ascii(second) in said


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b"Jos\xe9", r"Jos\xe9"),
        (b"Jos\xe9", "José"),
        (b"Jos\xe9", r"Jos\\xe9"),
        ("a\nb", r"a\nb"),
        (b"a\x85", "a\u0085b"),
        ("ada", "Ada"),
    ],
)
def test_two_names_are_two(first, second):
    assert identity_name(first) != identity_name(second)


def test_names_that_people_confuse_are_warned_of():
    fullwidth = "".join(chr(ord(c) + 0xFEE0) for c in "Ada")
    assert unicodedata.normalize("NFKC", fullwidth) == "Ada"
    assert easily_confused(["Ada", fullwidth, "ADA", "Straße", "STRASSE", "bob"]) == (
        ("ADA", "Ada", fullwidth),
        ("STRASSE", "Straße"),
    )
    (said,) = about_names(["Ada", "ADA", "bob"])
    assert said == "warning: names that differ by little are taken for different ones: ADA, Ada"
    assert about_names(["Ada", "bob"]) == ()


def test_only_the_first_few_are_listed():
    (said,) = about_names([f"p{i}{end}" for i in range(7) for end in ("", " ")])
    assert said.startswith("7 names are those of several folders")
    assert said.endswith("; and 2 more")


@pytest.mark.parametrize("blank", ["", " \t", "\u3000"])
def test_no_name_is_refused(blank):
    with pytest.raises(UserError, match="empty"):
        identity_name(blank)
