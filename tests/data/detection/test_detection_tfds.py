"""Annotated images of TensorFlow Datasets: a real data set in ArrayRecord, written without TensorFlow."""

import io
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.research.data.detection import DetectionSource, DetectionTfds, OfficialParts
from likeness.research.errors import UserError

tfds = pytest.importorskip("tensorflow_datasets")

WIDTH, HEIGHT = 40, 20


def encoded(value: int) -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), (value, 0, 0)).save(out, "PNG")
    return io.BytesIO(out.getvalue())


class LikenessBoxes(tfds.core.GeneratorBasedBuilder):
    """Images with one box more than their number; one has a box without area, and one file is no image."""

    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = Path(__file__).parent

    def _info(self):
        label = tfds.features.ClassLabel(names=["cat", "dog"])
        objects = {"bbox": tfds.features.BBoxFeature(), "label": label, "is_difficult": np.bool_}
        features = {"image": tfds.features.Image(shape=(None, None, 3)), "objects": tfds.features.Sequence(objects)}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples(0, 4),
            "validation": self._generate_examples(4, 6),
            "test": self._generate_examples(6, 9),
        }

    def _generate_examples(self, first, last):
        for i in range(first, last):
            boxes = [tfds.features.BBox(ymin=0.1, xmin=0.25, ymax=0.6, xmax=0.5 + 0.125 * k) for k in range(i % 3 + 1)]
            objects = [{"bbox": box, "label": k % 2, "is_difficult": k == 2} for k, box in enumerate(boxes)]
            if i == 1:
                objects.append(
                    {"bbox": tfds.features.BBox(ymin=0.5, xmin=0.5, ymax=0.5, xmax=0.9), "label": 0, "is_difficult": False}
                )
            yield i, {"image": io.BytesIO(b"no image") if i == 3 else encoded(20 * i), "objects": objects}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> str:
    logging.getLogger("absl").setLevel(logging.ERROR)
    folder = str(tmp_path_factory.mktemp("tfds"))
    LikenessBoxes(data_dir=folder, file_format="array_record").download_and_prepare()
    return folder


def source(data_dir: str, **fields) -> DetectionTfds:
    return DetectionTfds("likeness_boxes", data_dir=data_dir, **fields)


@pytest.mark.parametrize("cache", [0.003, 10.0])
def test_boxes_parts_and_pixels(prepared: str, cache: float) -> None:
    examples = source(prepared, cache_megabytes=cache).open()
    assert isinstance(source(prepared), DetectionSource)
    assert examples.class_names == ("cat", "dog")
    assert examples.in_memory == (cache == 10.0)
    assert sorted(set(examples.parts)) == ["test", "train", "validation"]
    assert [len(part) for part in OfficialParts()(examples)] == [3, 2, 3]
    assert sorted(examples.problem_counts().items()) == [("unreadable_image", 1), ("zero_area", 1)]
    assert (examples.sizes == (HEIGHT, WIDTH)).all()
    for row in range(len(examples)):
        number = int(examples.read(row)[0, 0, 0]) // 20
        boxes, count = examples.boxes_of(row), number % 3 + 1
        np.testing.assert_allclose(boxes, [[10, 2, 20 + 5 * k, 12] for k in range(count)], atol=1e-5)
        assert examples.classes_of(row).tolist() == [k % 2 for k in range(count)]
        assert examples.difficult[examples.objects(row)].tolist() == [k == 2 for k in range(count)]
    assert examples.fingerprint == source(prepared).open().fingerprint


def test_pixels_that_are_counted_from_one_begin_a_pixel_earlier(prepared: str) -> None:
    examples = source(prepared, voc_pixels="one_based").open()
    np.testing.assert_allclose(examples.boxes_of(0)[0], [9, 1, 20, 12], atol=1e-5)


def test_a_part_that_is_not_named_is_not_read(prepared: str) -> None:
    examples = source(prepared, validation="", test="train[:25%]", train="train[50%:]").open()
    assert set(examples.parts) == {"train", "test"}


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"train": "nosuch"}, "split 'nosuch'"),
        ({"image_key": "face"}, "`image_key`"),
        ({"objects_key": "things"}, "`objects_key`"),
        ({"box_key": "rectangle"}, "only 'bbox', 'is_difficult', 'label'"),
        ({"label_key": "bbox"}, "is no ClassLabel"),
    ],
)
def test_errors_say_what_to_mend(prepared: str, fields: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        source(prepared, **fields).open()


def test_fields_out_of_range_are_refused() -> None:
    for fields in ({"train": ""}, {"cache_megabytes": -1.0}, {"min_box_side": -1.0}):
        with pytest.raises(ValueError, match="DetectionTfds"):
            source("x", **fields)
