"""Detectors in use: images of any kind and size, thresholds, slices, and who can be loaded."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from faint import Bright
from PIL import Image

from likeness.experiments.detection.coco_file import Found, as_coco, category_ids_of
from likeness.experiments.detection.detector import PUBLISHED, Detector
from likeness.research.detectors import Candidates, DetectionModel, FastestDetDetector
from likeness.research.errors import UserError
from likeness.research.geometry import Suppression
from likeness.research.geometry.slices import Slices

VARIABLES = {"gain": np.float32(1.0)}


@pytest.fixture
def detector():
    return Detector(Bright(), VARIABLES)


def image(height, width, *cells, color=(255, 255, 0)):
    pixels = np.zeros((height, width, 3), np.uint8)
    for row, column in cells:
        pixels[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = color
    return pixels


def boxes(detections):
    return sorted(np.round(detections.xyxy, 3).tolist())


def test_images_of_many_sizes_are_answered_in_their_order(detector):
    images = [image(16, 8 * (1 + number % 3), (1, number % 3)) for number in range(11)]
    found = detector.detect(images)
    assert [boxes(one) for one in found] == [[[8.0 * (n % 3), 8, 8.0 * (n % 3) + 8, 16]] for n in range(11)]
    assert all(one.class_names == ("blue", "red") for one in found)


def test_files_and_arrays_of_all_kinds_are_taken(detector, tmp_path):
    pixels = image(16, 24, (0, 2), color=(255, 255, 255))
    Image.fromarray(pixels).save(tmp_path / "a.png")
    kinds = [tmp_path / "a.png", str(tmp_path / "a.png"), pixels, pixels / 255, pixels[..., 0], pixels[..., :1]]
    for one in detector.detect(kinds):
        assert boxes(one) == [[16, 0, 24, 8]]
    assert len(detector.detect(pixels)) == len(detector.detect(str(tmp_path / "a.png"))) == 1
    assert len(detector.detect(np.stack([pixels, pixels]))) == 2
    assert detector.detect([]) == []


def test_images_of_pillow_are_taken_in_any_mode_and_upright(detector):
    stored = Image.fromarray(image(16, 24, (0, 2), color=(255, 255, 255)))
    for mode in ("RGB", "L", "P", "CMYK", "RGBA", "LA", "1"):
        assert boxes(detector.detect(stored.convert(mode))[0]) == [[16, 0, 24, 8]], mode
    stored.getexif()[0x0112] = 6
    assert boxes(detector.detect([stored])[0]) == [[8, 16, 16, 24]]
    with pytest.raises(UserError, match="floating-point"):
        detector.detect(Image.fromarray(np.zeros((8, 8), np.float32)))


def test_an_image_is_looked_at_upright(detector, tmp_path):
    """Rectlabel#167, fiftyone#3778: the orientation in EXIF counts, and boxes are those of what people see."""
    stored = Image.fromarray(image(16, 24, (0, 0)))
    exif = stored.getexif()
    exif[0x0112] = 6
    stored.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    [seen] = detector.look(tmp_path / "turned.jpg")
    assert seen.image.shape == (24, 16, 3)
    assert boxes(seen.detections) == [[8, 0, 16, 8]]


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), np.full((4, 4, 3), 2.0), np.zeros((4, 4), int)]
)
def test_arrays_that_are_no_images_are_refused(detector, wrong):
    with pytest.raises(UserError, match=r"An image is an array|expected|uint8"):
        detector.detect([wrong])


def test_thresholds_above_the_detectors_own_need_no_other_program(detector):
    pixels = image(16, 24, (0, 0)) + image(16, 24, (1, 1), color=(0, 180, 0))
    assert len(detector.detect(pixels)[0]) == 2
    assert len(detector.detect(pixels, score_threshold=0.8)[0]) == 1
    assert len(detector.detect(pixels, score_threshold=1.0)[0]) == 0
    assert len(detector._programs) == 1
    dim = image(16, 24, (0, 1), color=(0, 60, 0))
    assert len(detector.detect(dim)[0]) == 0
    assert len(detector.detect(dim, score_threshold=0.1)[0]) == 1
    assert len(detector.detect(pixels, max_detections=1)[0]) == 1
    with pytest.raises(UserError, match="iou_threshold"):
        detector.detect(pixels, iou_threshold=2.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unsure(Bright):
    """What may be one class may be the other too, a little less likely."""

    def candidates(self, variables, canvases):
        boxes, scores, classes, points, _ = super().candidates(variables, canvases)
        return Candidates(
            *(
                jnp.concatenate(each, 1)
                for each in ((boxes, boxes), (scores, 0.9 * scores), (classes, 1 - classes), (points, points))
            )
        )


def test_an_object_has_one_class_where_that_is_asked_for():
    detector, pixels = Detector(Unsure(), VARIABLES), image(16, 24, (0, 0))
    assert detector.detect(pixels)[0].class_id.tolist() == [1, 0]
    for slices in (None, Slices(side=16)):
        assert detector.detect(pixels, class_agnostic=True, slices=slices)[0].class_id.tolist() == [1]


def test_only_some_classes_may_be_wanted(detector):
    pixels = image(16, 24, (0, 0)) + image(16, 24, (1, 1), color=(0, 255, 255))
    assert boxes(detector.detect(pixels, classes=["blue"])[0]) == [[8, 8, 16, 16]]
    with pytest.raises(UserError, match=r"no class 'bleu': did you mean 'blue'"):
        detector.detect(["there is no such file.png"], classes=["bleu"])


def test_one_class_may_be_named_alone(detector):
    pixels = image(16, 24, (0, 0))
    names = detector.class_names
    assert [len(detector.detect(pixels, classes=name)[0]) for name in names] == [
        len(detector.detect(pixels, classes=[name])[0]) for name in names
    ]
    assert len(detector.detect(pixels, classes=0)[0]) == len(detector.detect(pixels, classes=[0])[0])


def test_a_bad_file_is_named_or_skipped_where_somebody_is_told(detector, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    paths = [tmp_path / "bad.png", image(8, 8, (0, 0))]
    with pytest.raises(UserError, match=r"bad\.png cannot be used"):
        detector.detect(paths)
    told = []
    [seen] = detector.look(paths, skip=lambda index, error: told.append((index, error.name)))
    assert seen.number == 1 and len(told) == 1 and told[0][0] == 0 and told[0][1].endswith("bad.png")


def test_slices_find_what_a_shrunk_image_hides_and_count_it_once():
    """Of an image that is shown at a quarter of its size a cell is too small; slices are shown as they are."""
    detector = Detector(Bright(longest=64), VARIABLES)
    cells = [(0, 0), (3, 4), (31, 31), (12, 20), (7, 7), (8, 7)]
    pixels = image(256, 256, *cells)
    assert len(detector.detect(pixels)[0]) < len(cells)
    [found] = detector.detect(pixels, slices=Slices(side=64, overlap=0.25))
    assert boxes(found) == sorted([8.0 * j, 8.0 * i, 8.0 * j + 8, 8.0 * i + 8] for i, j in cells)
    np.testing.assert_array_equal(found.landmarks[:, 0], found.xyxy[:, :2])


def test_a_small_image_has_one_slice(detector):
    pixels = image(16, 24, (0, 2))
    whole, sliced = (detector.detect(pixels, slices=slices)[0] for slices in (None, Slices(side=64)))
    np.testing.assert_array_equal(whole.xyxy, sliced.xyxy)


def test_large_weights_are_arguments_and_small_ones_constants(monkeypatch):
    from likeness.experiments.detection import detector as module

    pixels = image(16, 24, (0, 2))
    small = Detector(Bright(), VARIABLES).detect(pixels)[0]
    monkeypatch.setattr(module, "_SMALL", 0)
    large = Detector(Bright(), VARIABLES).detect(pixels)[0]
    np.testing.assert_array_equal(small.xyxy, large.xyxy)


def test_soft_suppression_is_recompiled_for_another_threshold():
    soft = Suppression(score_threshold=0.5, max_detections=20, method="soft_linear")
    detector = Detector(dataclasses.replace(Bright(), suppression=soft), VARIABLES)
    pixels = image(16, 24, (0, 0))
    assert [len(detector.detect(pixels, score_threshold=each)[0]) for each in (None, 0.9)] == [1, 1]
    assert len(detector._programs) == 2


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_published_name_has_a_detector_and_weights(name):
    from likeness.research.weights import named, shapes

    model = PUBLISHED[name]()
    assert isinstance(model, DetectionModel)
    published = named(name)
    assert jax.tree.structure(shapes(model.network, (64, 64, 3))) == jax.tree.structure(shapes(published.encoder, (64, 64, 3)))


def test_who_cannot_be_loaded_is_told_what_can(tmp_path):
    with pytest.raises(UserError, match=r"no detector yolo: give yunet, yunet_s, mtcnn, fastestdet, or the working directory"):
        Detector.load("yolo")
    with pytest.raises(UserError):
        Detector.load(tmp_path)


def test_a_coco_file_names_images_and_classes_and_its_annotations_are_results(detector):
    first = detector.detect(image(16, 24, (0, 2), (1, 0), color=(0, 255, 255)))[0]
    found = [Found("a.jpg", (16, 24), first), Found("b.jpg", (8, 8), detector.detect(image(8, 8))[0])]
    said = as_coco(found, detector.model)
    assert [each["file_name"] for each in said["images"]] == ["a.jpg", "b.jpg"]
    assert said["images"][0] == {"id": 1, "file_name": "a.jpg", "height": 16, "width": 24}
    assert said["categories"] == [{"id": 1, "name": "blue"}, {"id": 2, "name": "red"}]
    assert [each["id"] for each in said["annotations"]] == [1, 2]
    one = said["annotations"][0]
    assert one["image_id"] == 1 and one["category_id"] == 1 and one["area"] == 64 and one["iscrowd"] == 0
    assert one["keypoints"] == [*one["bbox"][:2], 2] and one["num_keypoints"] == 1
    assert list(category_ids_of(FastestDetDetector()))[-1] == 90


@pytest.mark.data
def test_pycocotools_reads_the_file(detector, tmp_path):
    import json

    coco = pytest.importorskip("pycocotools.coco")
    found = detector.detect(image(16, 24, (0, 2), (1, 0)))[0]
    said = as_coco([Found("a.jpg", (16, 24), found)], detector.model)
    (tmp_path / "all.json").write_text(json.dumps(said))
    read = coco.COCO(str(tmp_path / "all.json"))
    assert len(read.loadRes(said["annotations"]).anns) == 2


@pytest.mark.slow
@pytest.mark.data
def test_yunet_finds_a_face_at_any_size(real_data):
    """From 40 to 3,000 pixels of the image that shows it; a large one shrinks on the way in."""
    photo = Image.open(real_data / "pictures" / "content" / "astronaut.png").convert("RGB")
    detector = Detector.load("yunet")
    for side in (128, 512, 1500, 3000):
        [faces] = detector.detect(np.asarray(photo.resize((side, side))))
        assert len(faces) == 1
        np.testing.assert_allclose(faces.xyxy[0] / side, np.array([178, 65, 269, 176]) / 512, atol=0.02)
