"""What is loaded is what was published: damage on a disk is noticed, and an unchanged file is hashed once."""

import dataclasses
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from likeness.research.encoders import Vgg
from likeness.research.errors import UserError
from likeness.research.weights import File, Pretrained, Published, known, own, shapes, verified, write
from likeness.research.weights.layout import flat
from likeness.research.weights.verified import digest, note_digest, noted_digest, verified_digest

ENCODER = Vgg(widths=(16, 16, 16, 16, 16), last="relu2_1")


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LIKENESS_DATA", raising=False)
    return tmp_path / "cache" / "weights"


@pytest.fixture
def hashed(monkeypatch):
    """The files that were hashed."""
    told = []

    def telling(path):
        told.append(path)
        return digest(path)

    monkeypatch.setattr(verified, "digest", telling)
    return told


@pytest.fixture
def little(monkeypatch, cache):
    """Published weights of one file, as they were fetched."""
    variables = shapes(ENCODER)
    arrays = {name: np.ones(leaf.shape, leaf.dtype) for name, leaf in flat(variables).items()}
    path = cache / "little" / "little.safetensors"
    write(path, arrays)
    file = File(name=path.name, size=path.stat().st_size, sha256=digest(path), urls=("https://example.org/little",))
    published = Published(
        name="little",
        summary="a little network",
        encoder=ENCODER,
        layouts=(own(variables),),
        editions=((file,),),
        preprocessing="none",
        licence="CC0",
        citation="nobody. Nothing",
    )
    monkeypatch.setattr(known, "KNOWN", (published, *known.KNOWN))
    return published


def damage(path):
    """4,000 bytes of zeros in its middle, and the times that it had."""
    times = path.stat()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle - 2000 : middle + 2000] = bytes(4000)
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_zeros_in_the_middle_of_a_cached_file_are_not_loaded(little):
    path = little.find()
    assert Pretrained(name="little").variables(ENCODER)
    damage(path)
    assert little.find() == path
    for load in (little.load, lambda: little.read(path), lambda: Pretrained(name="little").variables(ENCODER)):
        with pytest.raises(
            UserError, match="weights little are damaged: .*little.safetensors has not the SHA-256 .*fetch little"
        ):
            load()


def test_a_file_of_several_is_verified_too(little, cache):
    second = cache / "little" / "second"
    second.write_bytes(b"second" * 2000)
    file = File(name="second", size=12000, sha256=digest(second), urls=("https://example.org/second",))
    both = dataclasses.replace(little, editions=((little.editions[0][0], file),))
    both.verify(both.find())
    damage(second)
    with pytest.raises(UserError, match="second has not the SHA-256"):
        both.verify(both.find())


def test_an_unchanged_file_is_hashed_once(little, hashed, cache):
    for _ in range(3):
        little.load()
    assert hashed == [little.find()]
    (cache / "verified.json").write_text("[" * 100_000)
    little.load()
    little.load()
    assert len(hashed) == 2


@pytest.mark.parametrize("change", ["content", "time", "another file"])
def test_whatever_may_have_changed_is_hashed_again(tmp_path, hashed, change):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert verified_digest(path) == hashlib.sha256(b"one").hexdigest()
    if change == "content":
        times = path.stat()
        path.write_bytes(b"two")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    elif change == "time":
        os.utime(path, ns=(1, 1))
    else:
        (tmp_path / "other").write_bytes(b"two")
        (tmp_path / "other").replace(path)
    assert verified_digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(hashed) == 2


def test_without_a_place_to_remember_it_is_computed_each_time(tmp_path, hashed, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder should be")
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert verified_digest(path) == verified_digest(path)
    assert len(hashed) == 2


def test_a_note_beside_a_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert noted_digest(path) is None
    note_digest(path)
    assert Path(tmp_path / "file.sha256").read_text() == f"{digest(path)}  file\n"
    assert noted_digest(path) == digest(path)
