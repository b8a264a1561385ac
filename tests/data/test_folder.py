import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.research.data import BadImage, Folder
from likeness.research.data.duplicates import KEEP_ALL, Duplicates
from likeness.research.errors import UserError


@pytest.fixture
def root(tmp_path) -> Path:
    """Two people, three images."""
    for name, value in {"ann/1.png": 10, "ann/2.jpg": 20, "bob/x": 30}.items():
        save(tmp_path / name, value)
    return tmp_path


def save(path: Path, value: int) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    with path.open("wb") as file:
        Image.new("L", (16, 20), value).save(file, "JPEG" if path.suffix == ".jpg" else "PNG")


def test_a_folder_is_a_person(root):
    images = Folder(str(root), size=8, channels=1).open()
    assert images.people == ("ann", "bob")
    assert images.labels.tolist() == [0, 0, 1]
    assert list(images.names) == ["ann/1.png", "ann/2.jpg", "bob/x"]
    assert images.shape == (8, 8, 1)
    assert images.skipped == ()
    assert np.abs(images.read(np.array([2, 0]))[:, 4, 4, 0].astype(int) - [30, 10]).max() <= 1


@pytest.mark.parametrize("verify", ["decode", "header"])
def test_reading_when_needed_reads_the_same(root, verify):
    cached = Folder(str(root), size=8).open()
    lazy = Folder(str(root), size=8, cache_megabytes=0.0, verify=verify).open()
    rows = np.array([2, 0, 1, 0])
    np.testing.assert_array_equal(cached.read(rows), lazy.read(rows))
    assert cached.fingerprint == lazy.fingerprint


def make_hostile(root: Path) -> dict[str, str]:
    """Adds one of each bad entry; returns its name and a word of why."""
    (root / "ann" / "text.jpg").write_text("I am no image")
    (root / "ann" / "cut.png").write_bytes((root / "ann" / "1.png").read_bytes()[:45])
    (root / "ann" / "empty.png").touch()
    Image.new("L", (1, 1)).save(root / "ann" / "dot.png")
    Image.new("L", (1200, 1000)).save(root / "ann" / "huge.png")
    (root / "ann" / "nowhere.png").symlink_to(root / "missing.png")
    (root / "ann" / "self.png").symlink_to(root / "ann" / "self.png")
    (root / "ann" / "up").symlink_to(root, target_is_directory=True)
    (root / "circle").symlink_to(root, target_is_directory=True)
    os.mkfifo(root / "ann" / "pipe.jpg")
    (root / "hollow").mkdir()
    save(root / "loose.png", 3)
    (root / "ann" / ".DS_Store").touch()
    (root / "README").write_text("about this data")
    return {
        "ann/text.jpg": "not a JPEG",
        "ann/cut.png": "damaged",
        "ann/empty.png": "not a JPEG",
        "ann/dot.png": "1 x 1",
        "ann/huge.png": "megapixels",
        "ann/nowhere.png": "cannot be opened",
        "ann/self.png": "cannot be opened",
        "ann/pipe.jpg": "pipe",
        "ann/up": "folder inside",
        "circle/ann": "folder inside",
        "circle/bob": "folder inside",
        "circle/circle": "folder inside",
        "circle/hollow": "folder inside",
        "hollow": "empty",
        "loose.png": "beside",
    }


@pytest.mark.timeout(30)
@pytest.mark.parametrize("cache", [0.0, 100.0])
def test_every_bad_entry_is_found_on_opening_and_named(root, cache):
    good = Folder(str(root), size=8).open()
    bad = make_hostile(root)
    images = Folder(str(root), size=8, max_megapixels=1.0, cache_megabytes=cache).open()
    skipped = dict(images.skipped)
    # The image at the circle's end is a good one, of a person called after the link.
    assert "circle/loose.png" not in skipped
    assert set(skipped) >= set(bad)
    for name, why in bad.items():
        assert why in skipped[name], name
    kept = [i for i, name in enumerate(images.names) if not name.startswith("circle/")]
    assert [images.names[i] for i in kept] == list(good.names)
    np.testing.assert_array_equal(images.read(np.array(kept)), good.read(np.arange(3)))


def test_refuse_stops_at_the_first_bad_image(root):
    (root / "ann" / "text.jpg").write_text("I am no image")
    with pytest.raises(BadImage, match=r"ann/text\.jpg.*not a JPEG"):
        Folder(str(root), on_bad="refuse").open()


def test_names_that_are_not_utf8_are_read_and_print(root):
    person = os.fsencode(root) + b"/jos\xe9"
    os.mkdir(person)  # noqa: PTH102 - pathlib takes no bytes
    os.link(root / "ann" / "1.png", person + b"/f\xff\n.png")
    with open(person + b"/bad\xfe.png", "wb"):  # noqa: PTH123
        pass
    images = Folder(str(root), size=8, cache_megabytes=0.0, duplicates=KEEP_ALL).open()
    assert images.people == ("ann", "bob", "jos\N{REPLACEMENT CHARACTER}xe9")
    assert images.names[3] == "jos\\xe9/f\\xff\\n.png"
    assert images.skipped[0][0] == "jos\\xe9/bad\\xfe.png"
    assert (images.read(np.array([3])) == images.read(np.array([0]))).all()


def test_one_rule_for_names(root):
    """Composed and decomposed, with a space behind, and bytes beside the text that shows them."""
    save(root / "ann " / "3.png", 40)
    for number, name in enumerate(("Jose\u0301", "Jos\u00e9", r"Jos\xe9", os.fsdecode(b"Jos\xe9"), "ANN", " ")):
        save(root / name / "1.png", 50 + 5 * number)
    images = Folder(str(root), size=8).open()
    assert images.people == ("ANN", "Jos\\xe9", "Jos\u00e9", "Jos\N{REPLACEMENT CHARACTER}xe9", "ann", "bob")
    assert images.counts().tolist() == [1, 1, 2, 1, 3, 1]
    assert images.skipped == ((" ", "the folder's name is blank, and it is the person's"),)
    assert images.notes == (
        "2 names are those of several folders, which are taken for one: "
        "Jos\u00e9 ('Jose\\u0301', 'Jos\\xe9'); ann ('ann', 'ann ')",
        "warning: names that differ by little are taken for different ones: ANN, ann",
    )


@pytest.mark.parametrize("verify", ["decode", "header"])
def test_copies_of_images_are_counted_and_those_of_others_refused(root, verify):
    """A public copy of Yale has 34 of 187 images twice."""
    source = Folder(str(root), size=8, channels=1, cache_megabytes=0.0, verify=verify)
    (root / "ann" / "copy.png").write_bytes((root / "ann" / "1.png").read_bytes())
    images = source.open()
    assert list(images.names) == ["ann/1.png", "ann/2.jpg", "bob/x"]
    copies = "1 of 4 images is a copy of another of the same person and is"
    assert images.notes == (f"{copies} left out (ann/copy.png is ann/1.png)",)
    kept = dataclasses.replace(source, duplicates=Duplicates(within="keep")).open()
    assert len(kept) == 4
    assert kept.notes == (f"{copies} kept (ann/copy.png is ann/1.png)",)
    assert kept.fingerprint != images.fingerprint
    with pytest.raises(UserError, match=r"ann/copy.png is ann/1.png.*--experiment.data.duplicates.within"):
        dataclasses.replace(source, duplicates=Duplicates(within="refuse")).open()
    (root / "bob" / "y").write_bytes((root / "ann" / "1.png").read_bytes())
    with pytest.raises(UserError, match=r"3 of 5 images of .* \(ann/1.png is ann/copy.png is bob/y\).*duplicates.across"):
        source.open()
    dropped = dataclasses.replace(source, duplicates=Duplicates(across="drop")).open()
    assert list(dropped.names) == ["ann/2.jpg", "bob/x"]
    assert dropped.notes == (
        "3 of 5 images lie under more than one person and are left out (ann/1.png is ann/copy.png is bob/y)",
    )
    assert len(dataclasses.replace(source, duplicates=KEEP_ALL).open()) == 5


def test_the_same_image_in_another_file_is_a_copy_too(root):
    with Image.open(root / "ann" / "1.png") as image:
        image.save(root / "ann" / "again.bmp")
    assert len(Folder(str(root), size=8).open()) == 3
    assert len(Folder(str(root), size=8, cache_megabytes=0.0, verify="header").open()) == 4


def test_long_files_that_begin_alike_are_no_copies(root):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (200, 200, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(root / "ann" / "1.bmp")
    pixels[0, 0] ^= 255
    Image.fromarray(pixels).save(root / "bob" / "1.bmp")
    assert (root / "ann" / "1.bmp").read_bytes()[: 1 << 16] == (root / "bob" / "1.bmp").read_bytes()[: 1 << 16]
    images = Folder(str(root), size=8, cache_megabytes=0.0, verify="header").open()
    assert len(images) == 5
    (root / "bob" / "2.bmp").write_bytes((root / "bob" / "1.bmp").read_bytes())
    assert len(Folder(str(root), size=8, cache_megabytes=0.0, verify="header").open()) == 5


def test_unreadable_folder_is_skipped_by_name(root, monkeypatch):
    real = os.scandir

    def scandir(path):
        if Path(path).name == "bob":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    images = Folder(str(root), size=8).open()
    assert images.people == ("ann",)
    assert images.skipped == (("bob", "the folder cannot be read (Permission denied)"),)


def test_a_file_without_permission_is_skipped(root):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (root / "ann" / "1.png").chmod(0)
    assert "Permission" in Folder(str(root), size=8).open().skipped[0][1]


def test_no_folder_no_people_no_images(tmp_path):
    with pytest.raises(UserError, match=r"no folder .*ann/1\.jpg"):
        Folder(str(tmp_path / "missing")).open()
    with pytest.raises(UserError, match=r"holds no images.*ann/1\.jpg"):
        Folder(str(tmp_path)).open()
    save(tmp_path / "1.png", 0)
    with pytest.raises(UserError, match=r"1\.png: it lies beside.*ann/1\.jpg"):
        Folder(str(tmp_path)).open()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"is no folder: mend the field `path`.*ann/1\.jpg"):
        Folder(str(tmp_path / "file")).open()


def test_people_one_level_deeper_are_hinted_at(tmp_path):
    save(tmp_path / "faces" / "ann" / "1.png", 0)
    with pytest.raises(UserError, match=f"give `{tmp_path}/faces` as the path"):
        Folder(str(tmp_path)).open()


def test_only_bad_images_is_an_error(tmp_path):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "1.jpg").write_text("no")
    with pytest.raises(UserError, match=r"no image that can be used.*ann/1\.jpg"):
        Folder(str(tmp_path)).open()


def test_variable_that_is_not_set(monkeypatch):
    monkeypatch.delenv("LIKENESS_DATA", raising=False)
    with pytest.raises(UserError, match="LIKENESS_DATA, which is not set"):
        Folder("$LIKENESS_DATA/orl_faces").open()


def test_the_fingerprint_follows_content_and_not_place_or_time(root, tmp_path_factory):
    before = Folder(str(root), size=8).open().fingerprint
    os.utime(root / "ann" / "1.png", (1, 1))
    moved = tmp_path_factory.mktemp("elsewhere") / "root"
    root.rename(moved)
    assert Folder(str(moved), size=8).open().fingerprint == before
    assert Folder(str(moved), size=9).open().fingerprint != before
    (moved / "ann" / "bad.png").touch()
    assert Folder(str(moved), size=8).open().fingerprint == before
    save(moved / "ann" / "1.png", 11)
    assert Folder(str(moved), size=8).open().fingerprint != before


def test_a_part_is_another_one_only_where_its_own_images_are(root):
    def parts() -> list[str]:
        images = Folder(str(root), size=8).open()
        return [images.select_people([person]).fingerprint for person in range(2)]

    before = parts()
    save(root / "bob" / "new.png", 12)
    after = parts()
    assert after[0] == before[0] and after[1] != before[1]
    save(root / "ann" / "1.png", 13)
    assert parts()[0] != before[0]


def test_an_image_that_goes_away_is_named_when_read(root):
    images = Folder(str(root), size=8, cache_megabytes=0.0).open()
    (root / "bob" / "x").unlink()
    with pytest.raises(BadImage, match="bob/x"):
        images.read(np.array([2]))


@pytest.mark.parametrize("fields", [{"size": 0}, {"cache_megabytes": -1.0}, {"max_megapixels": 0.0}, {"min_side": 0}])
def test_illegal_fields_are_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        Folder("x", **fields)


@pytest.mark.data
def test_orl_is_forty_people_of_ten(real_data):
    images = Folder("$LIKENESS_DATA/orl_faces", size=92, channels=1).open()
    assert len(images.people) == 40
    assert images.counts().tolist() == [10] * 40
    assert images.skipped == ()
    row = list(images.names).index("s7/3.pgm")
    with Image.open(real_data / "orl_faces/s7/3.pgm") as image:
        assert image.size == (92, 112)
        np.testing.assert_array_equal(images.read(np.array([row]))[0, :, :, 0], np.asarray(image)[10:102])
