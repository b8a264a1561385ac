"""``likeness detect``: from files to drawn boxes and COCO JSON."""

import dataclasses
import json

import numpy as np
import pytest
from faint import Bright
from PIL import Image

from likeness.experiments.detection.detector import Detector


@pytest.fixture(autouse=True)
def bright(monkeypatch):
    """A detector that needs no weights, whatever is asked for; which names were is kept."""
    asked = []

    def load(name):
        asked.append(str(name))
        return Detector(Bright(), {"gain": np.float32(1.0)}, str(name))

    monkeypatch.setattr(Detector, "load", staticmethod(load))
    return asked


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder with images in it and below it, of two sizes, one turned by EXIF, and files that are none."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    save(folder / "a.jpg", (0, 0))
    save(folder / "b.png")
    save(folder / "more" / "a.jpg", (1, 1), (0, 2), exif=6)
    (folder / "more" / "notes.txt").write_text("none")
    (folder / ".hidden.jpg").write_bytes(b"none")
    return folder


def save(path, *cells, exif=1):
    pixels = np.zeros((16, 24, 3), np.uint8)
    for row, column in cells:
        pixels[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 255
    stored = Image.fromarray(pixels)
    tags = stored.getexif()
    tags[0x0112] = exif
    stored.save(path, exif=tags, quality=95)


def size_of(path):
    with Image.open(path) as drawn:
        return drawn.size


def test_one_image_is_drawn_and_what_it_shows_is_said(likeness, photos, bright):
    said = likeness("detect", photos / "a.jpg")
    assert said.code == 0, said.err
    assert said.out.splitlines() == ["a.jpg: blue (1.00)", "image  detected.png"]
    assert size_of("detected.png") == (24, 16)
    assert bright == ["fastestdet"]


def test_a_folder_is_drawn_below_another_with_all_boxes_in_one_file(likeness, photos):
    said = likeness("detect", photos, "-o", "found")
    assert said.code == 0, said.err
    assert "3 images, 3 objects" in said.out
    drawn = {path.relative_to(photos.parent / "found").as_posix() for path in (photos.parent / "found").rglob("*.*")}
    assert drawn == {"a.jpg", "b.png", "more/a.jpg", "detections.json"}
    coco = json.loads((photos.parent / "found" / "detections.json").read_text())
    assert [each["file_name"] for each in coco["images"]] == ["a.jpg", "b.png", "more/a.jpg"]
    # Turned by its EXIF tag, as it is drawn and as its boxes are.
    assert (coco["images"][2]["height"], coco["images"][2]["width"]) == (24, 16)
    assert size_of(photos.parent / "found" / "more" / "a.jpg") == (16, 24)
    assert sorted(each["bbox"] for each in coco["annotations"] if each["image_id"] == 3) == [[0, 8, 8, 8], [8, 16, 8, 8]]


def test_what_an_earlier_call_drew_is_not_looked_at(likeness, photos):
    for _ in range(2):
        said = likeness("detect", photos, "-o", photos / "found")
        assert said.code == 0, said.err
        assert "3 images" in said.out


def test_files_of_one_name_do_not_overwrite_each_other(likeness, photos):
    said = likeness("detect", photos / "a.jpg", photos / "more" / "a.jpg", "-o", "found")
    assert said.code == 0, said.err
    assert {path.name for path in (photos.parent / "found").iterdir()} == {"a.jpg", "a_2.jpg", "detections.json"}


@pytest.mark.slow
def test_drawn_images_and_explanations_do_not_overwrite_each_other(likeness, tmp_path, monkeypatch):
    """What is drawn has other names than what is read: a.bmp becomes a.bmp.png, and a.jpg and a.png have one explanation."""
    monkeypatch.chdir(tmp_path)
    names = ("a.bmp", "a.bmp.png", "a.jpg", "a.png", "a_explained.png")
    (tmp_path / "photos").mkdir()
    for name in names:
        save(tmp_path / "photos" / name, (0, 0))
    said = likeness("detect", "photos", "-o", "found", "--explain", "--masks", 2)
    assert said.code == 0, said.err
    drawn = [path.name for path in (tmp_path / "found").glob("*.*") if path.suffix != ".json"]
    assert len(drawn) == 2 * len(names)
    listed = json.loads((tmp_path / "found" / "detections.json").read_text())["images"]
    assert [each["file_name"] for each in listed] == list(names)


def test_json_prints_the_coco_file_and_draws_nothing(likeness, photos):
    said = likeness("detect", photos, "--json")
    assert said.code == 0, said.err
    assert len(json.loads(said.out)["annotations"]) == 3
    assert {path.name for path in photos.parent.iterdir()} == {"photos"}


def test_boxes_alone_and_elsewhere(likeness, photos):
    said = likeness("detect", photos / "a.jpg", "--no-draw", "--coco", "boxes.json")
    assert said.code == 0, said.err
    assert said.out.splitlines()[-1] == "boxes   boxes.json"
    assert {path.name for path in photos.parent.iterdir()} == {"photos", "boxes.json"}


def test_flags_choose_the_detector(likeness, photos, bright):
    for flags in (["--faces"], ["--model", "yunet_s"], ["--faces", "--model", "yunet_s"]):
        assert likeness("detect", photos / "a.jpg", *flags).code == 0
    assert bright == ["yunet", "yunet_s", "yunet_s"]
    said = likeness("detect", photos / "a.jpg", "--faces", "--model", "fastestdet")
    assert said.code == 2 and "--faces is --model yunet" in said.err


@pytest.mark.parametrize(
    ("flags", "count"),
    [
        (["--score-threshold", "1"], 0),
        (["--max-detections", "1"], 1),
        (["--class-agnostic"], 2),
        (["--classes", "red"], 0),
        (["--classes", "blue", "red"], 2),
        (["--slice", "12", "--overlap", "0.5"], 2),
    ],
)
def test_flags_change_what_is_found(likeness, photos, flags, count):
    said = likeness("detect", photos / "more" / "a.jpg", "--json", *flags)
    assert said.code == 0, said.err
    assert len(json.loads(said.out)["annotations"]) == count


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["missing.jpg"], "There is no missing.jpg"),
        (["photos/more/notes.txt"], "notes.txt cannot be used"),
        (["photos/a.jpg", "-o", "drawn.txt"], "a drawn image ends in .png"),
        (["photos/a.jpg", "-o", "photos"], "--out is the folder photos"),
        (["photos/a.jpg", "-o", "photos/a.jpg"], "would be written over"),
        (["photos", "-o", "photos/a.jpg"], "--out is photos/a.jpg, a file"),
        (["photos", "-o", "photos"], "would be written over"),
        (["photos/a.jpg", "-o", "photos/b.png/x.png"], "cannot be written"),
        (["photos/a.jpg", "-o", "same.png", "--coco", "same.png"], "--coco and --out are both same.png"),
        (["photos/a.jpg", "--classes", "bleu"], "did you mean 'blue'"),
        (["photos/a.jpg", "--slice", "0"], "side"),
        (["photos/a.jpg", "--slice", "9", "--overlap", "1"], "overlap is 1"),
        (["photos/a.jpg", "--iou-threshold", "7"], "iou_threshold"),
    ],
)
def test_a_mistake_is_one_paragraph(likeness, photos, arguments, why):
    said = likeness("detect", *arguments)
    assert said.code == 2
    assert why in said.err
    assert "Traceback" not in said.err


def test_an_empty_folder_is_told(likeness, photos):
    (photos.parent / "empty").mkdir()
    said = likeness("detect", "empty")
    assert said.code == 2 and "holds no image" in said.err


def test_a_bad_file_in_a_folder_is_left_out_and_said_or_refused(likeness, photos):
    (photos / "aa.jpg").write_bytes(b"cut short")
    said = likeness("detect", photos, "-o", "found")
    assert said.code == 0
    assert "3 images, 3 objects" in said.out
    assert "left out: The image" in said.err and "aa.jpg cannot be used" in said.err
    said = likeness("detect", photos, "-o", "found", "--on-bad", "refuse")
    assert said.code == 2 and "aa.jpg cannot be used" in said.err


@pytest.mark.slow
def test_what_made_a_box_is_drawn_beside_it(likeness, photos):
    said = likeness("detect", photos / "a.jpg", "--explain", "--masks", "40", "-o", "out.png")
    assert said.code == 0, said.err
    assert said.out.splitlines()[1:] == ["image  out.png", "why    out_explained.png"]
    assert size_of("out_explained.png")[0] > 400
    assert likeness("detect", photos, "--explain", "--masks", "2", "-o", "all").code == 0
    assert (photos.parent / "all" / "more" / "a_explained.png").exists()
    for arguments, why in ((("--no-draw",), "nothing is to be drawn"), (("--masks", "0"), "give 1 or more")):
        said = likeness("detect", photos / "a.jpg", "--explain", *arguments)
        assert said.code == 2 and why in said.err


def test_the_explanation_lies_over_the_image_and_points_to_the_bright_cell(photos):
    """The map of a detector of bright cells is brightest where its box is, in an image that is laid on a larger canvas."""
    from likeness.experiments.detection.explanation import explain, explained
    from likeness.research.visualization import Drise

    detector = Detector(Bright(), {"gain": np.float32(1.0)}, "bright")
    image = np.asarray(Image.open(photos / "b.png").convert("RGB")).copy()
    image[:] = 0
    image[8:16, 16:24] = 255
    (found,) = detector.detect(image)
    known = explain(detector, image, found, Drise(masks=300, cells=8))
    assert known.heat.shape[0] == len(found) > 0
    row, column = np.unravel_index(known.heat[0].argmax(), known.heat[0].shape)
    scale = image.shape[0] / known.heat.shape[1]
    left, top, right, bottom = known.detections.xyxy[0]
    assert left - 4 <= (column + 0.5) * scale <= right + 4 and top - 4 <= (row + 0.5) * scale <= bottom + 4
    explained(known).canvas.draw()
    nothing = explain(detector, np.zeros_like(image), found[:0])
    explained(nothing).canvas.draw()
    # A strip makes no figure of many meters.
    strip = dataclasses.replace(known, image=np.zeros((3000, 4, 3), np.uint8))
    assert max(explained(strip).get_size_inches()) < 40
