import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.research.data import expand_path, printable
from likeness.research.errors import UserError


@given(st.binary())
def test_any_name_can_be_printed_and_written(name):
    text = printable(name)
    assert text.isprintable()
    assert json.loads(json.dumps(text).encode()) == text
    text.encode("utf-8")


@given(st.lists(st.binary(max_size=4), unique=True))
def test_no_two_names_print_the_same(names):
    assert len({printable(name) for name in names}) == len(names)


def test_terminal_escapes_are_not_passed_on():
    assert printable("\x1b[31mred.jpg") == "\\x1b[31mred.jpg"


def test_a_surrogate_from_the_file_system_prints():
    assert printable("caf\udce9.jpg") == "caf\\xe9.jpg"


def test_home_and_variables_are_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("LIKENESS_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/ann")
    assert expand_path("$LIKENESS_DATA/orl") == tmp_path / "orl"
    assert expand_path("${LIKENESS_DATA}/orl") == tmp_path / "orl"
    assert str(expand_path("~/faces")) == "/home/ann/faces"


@pytest.mark.parametrize("path", ["$LIKENESS_DATA/orl", "${LIKENESS_DATA}/orl"])
def test_a_variable_that_is_not_set_is_named_with_the_way_out(monkeypatch, path):
    monkeypatch.delenv("LIKENESS_DATA", raising=False)
    with pytest.raises(UserError, match=r"export LIKENESS_DATA=.*field `path`"):
        expand_path(path)


def test_a_file_may_really_be_called_by_a_dollar(tmp_path):
    (tmp_path / "$cash").mkdir()
    assert expand_path(str(tmp_path / "$cash")) == tmp_path / "$cash"


def test_no_path_is_an_error_that_names_the_field():
    with pytest.raises(UserError, match="`data_dir`"):
        expand_path("", "data_dir")
