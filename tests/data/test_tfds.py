import io
import logging
from pathlib import Path

import numpy as np
import pytest
from crossing import crossed
from PIL import Image

from likeness.research.data import BadImage, Tfds
from likeness.research.errors import UserError

tfds = pytest.importorskip("tensorflow_datasets")

COLORS = [10, 40, 70, 100, 130, 160]


def image(value: int, side: int = 16) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), (value, 0, 0)).save(out, "PNG")
    return out.getvalue()


class LikenessTiny(tfds.core.GeneratorBasedBuilder):
    """Six images: named by a text as LFW's are, classed, numbered; one in the split `damaged` is cut short."""

    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = Path(__file__).parent

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "name": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=["cat", "dog", "eel"]),
            "number": np.int64,
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(), "damaged": self._generate_examples(cut=3)}

    def _generate_examples(self, cut=-1):
        for i, value in enumerate(COLORS):
            data = image(value)
            encoded = io.BytesIO(data[:45] if i == cut else data)
            yield i, {"image": encoded, "name": ["Zoë", "Bob"][i % 2], "label": i % 3, "number": 10 * (i % 2)}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> str:
    """A real ArrayRecord data set, written without TensorFlow."""
    logging.getLogger("absl").setLevel(logging.ERROR)
    folder = str(tmp_path_factory.mktemp("tfds"))
    LikenessTiny(data_dir=folder, file_format="array_record").download_and_prepare()
    return folder


def values(images, rows=range(6)):
    return images.read(np.array(rows))[:, 0, 0, 0].tolist()


def source(data_dir, **fields):
    return Tfds("likeness_tiny", data_dir=data_dir, size=8, **fields)


@pytest.mark.parametrize("cache", [0.0, 10.0])
def test_text_labels_are_people(prepared, cache):
    images = source(prepared, label_key="name", cache_megabytes=cache).open()
    assert images.people == ("Bob", "Zoë")
    assert images.counts().tolist() == [3, 3]
    assert images.shape == (8, 8, 3)
    assert sorted(values(images)) == COLORS
    for value, label in zip(values(images), images.labels, strict=True):
        assert ("Zoë", "Bob")[COLORS.index(value) % 2] == images.people[label]
    again = crossed(images.read)
    np.testing.assert_array_equal(again(np.array([4, 1])), images.read(np.array([4, 1])))


def test_class_labels_and_integers_are_people(prepared):
    assert source(prepared).open().people == ("cat", "dog", "eel")
    assert source(prepared, label_key="number").open().people == ("0", "10")


def test_a_slice_of_a_split(prepared):
    assert len(source(prepared, split="train[:50%]").open()) == 3


def test_the_fingerprint_follows_labels_images_and_size(prepared):
    base = source(prepared)
    assert base.open().fingerprint == source(prepared, cache_megabytes=0.0).open().fingerprint
    others = [
        source(prepared, label_key="name"),
        source(prepared, split="train[:50%]"),
        Tfds("likeness_tiny", data_dir=prepared),
    ]
    assert len({other.open().fingerprint for other in [base, *others]}) == 4


@pytest.mark.parametrize("cache", [0.0, 10.0])
def test_a_damaged_record_is_found_on_opening(prepared, cache):
    images = source(prepared, split="damaged", cache_megabytes=cache).open()
    assert len(images) == 5
    assert len(images.skipped) == 1
    assert "damaged" in images.skipped[0][1]
    assert sorted(values(images, range(5))) == [v for v in COLORS if v != COLORS[3]]
    with pytest.raises(BadImage, match="likeness_tiny record"):
        source(prepared, split="damaged", on_bad="refuse").open()


def test_errors_say_what_to_mend(prepared, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"split 'nosuch'.*Mend the field `split`"):
        source(prepared, split="nosuch").open()
    with pytest.raises(UserError, match=r"no feature 'face', only 'image', 'label', 'name', 'number'.*`image_key`"):
        source(prepared, image_key="face").open()
    with pytest.raises(UserError, match="`label_key`"):
        source(prepared, label_key="who").open()
    with pytest.raises(UserError, match="is not an Image"):
        source(prepared, image_key="name").open()
    with pytest.raises(UserError, match=r"knows no data set 'no_such_set'"):
        Tfds("no_such_set", data_dir=prepared).open()
    with pytest.raises(UserError, match=r"builder\('likeness_tiny', file_format='array_record'\)\.download_and_prepare\(\)"):
        source(str(tmp_path)).open()
    monkeypatch.delenv("LIKENESS_DATA", raising=False)
    with pytest.raises(UserError, match=r"LIKENESS_DATA.*`data_dir`"):
        source("$LIKENESS_DATA/tfds").open()


def test_a_stock_data_set_under_mock_data():
    """A stock builder whose records stand in for those that a machine with a network would prepare."""

    class Records:
        def __init__(self, builder, decoders):
            self.dataset_info = builder.info
            assert set(decoders) == {"image"}

        def __len__(self):
            return 4

        def __getitem__(self, row):
            return {"image": image(50 * row, 28), "label": row % 3}

        def __getitems__(self, rows):
            return [self[row] for row in rows]

    def as_data_source(builder, split=None, decoders=None, **_):
        return Records(builder, decoders)

    with tfds.testing.mock_data(as_data_source_fn=as_data_source):
        images = Tfds("mnist", size=28, channels=1, cache_megabytes=0.0).open()
    assert images.people == ("0", "1", "2")
    assert images.labels.tolist() == [0, 1, 2, 0]
    assert images.shape == (28, 28, 1)
    assert images.names[3] == "0/3"
    # ITU-R 601: 0.299 of red.
    assert values(images, [3])[0] == round(0.299 * 150)


def test_illegal_size_is_refused():
    with pytest.raises(ValueError, match=r"Tfds\.size"):
        Tfds("mnist", size=0)
