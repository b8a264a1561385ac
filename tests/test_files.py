"""Files that are written whole, with the permissions asked for, where they are meant to be; and JSON of anybody."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from likeness.research.errors import UserError
from likeness.research.files import parse_json, write_atomically


@pytest.fixture
def umask():
    before = os.umask(0o077)
    yield os.umask
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("mask", "left"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664), (0o027, 0o640)])
def test_the_umask_decides_who_may_read(tmp_path, umask, mask, left):
    umask(mask)
    write_atomically(tmp_path / "deep" / "file", "faces")
    assert mode(tmp_path / "deep" / "file") == left
    assert mode(tmp_path / "deep") == 0o777 & ~mask


@pytest.mark.parametrize("kept", [0o600, 0o640, 0o666])
def test_who_may_read_a_file_stays_as_it_was(tmp_path, kept):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(kept)
    write_atomically(path, b"new")
    assert (path.read_text(), mode(path)) == ("new", kept)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_points_to_is_written(tmp_path, there):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "file", tmp_path / "link"
    if there:
        target.write_text("old")
    link.symlink_to("elsewhere/file")
    write_atomically(link, "new")
    assert link.is_symlink() and target.read_text() == "new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["elsewhere", "file", "link"]


def test_a_pipe_is_written_into(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_atomically(tmp_path / "pipe", "through")
    reader.join(20)
    assert read == [b"through"] and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_device_is_not_replaced():
    write_atomically(Path(os.devnull), "nothing")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_a_folder_in_the_way(tmp_path):
    with pytest.raises(UserError, match="a file stands where a directory is needed"):
        write_atomically(tmp_path, "x")


def test_nothing_is_left_of_what_cannot_be_written(tmp_path):
    with pytest.raises(UserError, match="Cannot write"):
        write_atomically(tmp_path / ("x" * 300), "x")
    assert not list(tmp_path.iterdir())
    write_atomically(tmp_path / ("ü" * 120), "as long as a name may be")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "nested more than 100 deep"),
        ("[" * 102 + "]" * 102, "nested more than 100 deep"),
        ('{"a":' * 102 + "1" + "}" * 102, "nested more than 100 deep"),
        ("9" * 5000, "digits"),
        (b'{"\xff": 1}', "codec"),
        ("", "Expecting value"),
    ],
)
def test_json_that_is_none(text, why):
    with pytest.raises(ValueError, match=why):
        parse_json(text)


def test_json_that_is():
    assert parse_json("[" * 100 + "]" * 100) == json.loads("[" * 100 + "]" * 100)
    assert parse_json(b'{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}
