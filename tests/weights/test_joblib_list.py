"""Lists of arrays as joblib writes them, whole, damaged, and with what must not be run."""

import collections
import pickle

import numpy as np
import pytest

from likeness.research.errors import UserError
from likeness.research.weights import named, read
from likeness.research.weights.joblib_list import is_lz4

frame = pytest.importorskip("lz4.frame")
joblib = pytest.importorskip("joblib")
RNG = np.random.default_rng(0)
ARRAYS = [RNG.normal(size=shape).astype(np.float32) for shape in ((3, 3, 2, 4), (4,), (1, 1, 4), (4,))]


@pytest.fixture
def path(tmp_path):
    joblib.dump(ARRAYS, tmp_path / "net.lz4", compress=("lz4", 3))
    return tmp_path / "net.lz4"


def test_arrays_are_called_by_their_places(path):
    assert is_lz4(path.read_bytes()[:16])
    for place, (name, array) in enumerate(read(path).items()):
        assert name == str(place)
        np.testing.assert_array_equal(array, ARRAYS[place])


def test_those_of_a_folder_are_called_by_their_files_too(path):
    joblib.dump(ARRAYS[:1], path.with_name("other.lz4"), compress=("lz4", 3))
    assert list(read(path.parent)) == ["net/0", "net/1", "net/2", "net/3", "other/0"]


@pytest.mark.parametrize("order", ["C", "F"])
def test_both_orders_are_read(tmp_path, order):
    array = np.asarray(ARRAYS[0], order=order)
    joblib.dump([array], tmp_path / "one.lz4", compress=("lz4", 3))
    np.testing.assert_array_equal(read(tmp_path / "one.lz4")["0"], array)


class Runs:
    def __reduce__(self):
        return print, ("it was run",)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([Runs()], r"it asks for builtins\.print"),
        (collections.OrderedDict(), "it asks for collections.OrderedDict"),
        (b"bytes", "holds SHORT_BINBYTES"),
        ([1.5], "it holds BINFLOAT"),
        ([1], "its list holds something else than arrays"),
        ({"a": 1}, "it holds something else than a list of arrays"),
        ([[]], "its list holds something else than arrays"),
    ],
)
def test_what_is_no_list_of_arrays_is_refused_and_never_run(tmp_path, capsys, content, why):
    (tmp_path / "odd.lz4").write_bytes(frame.compress(pickle.dumps(content, protocol=4)))
    with pytest.raises(UserError, match=rf"odd\.lz4 cannot be read: .*{why}"):
        read(tmp_path / "odd.lz4")
    assert "it was run" not in capsys.readouterr().out


def test_arrays_of_other_numbers_are_refused(tmp_path):
    for array in (np.zeros(3), np.zeros(3, np.int32), np.zeros(3, ">f4"), np.array([None])):
        joblib.dump([array], tmp_path / "odd.lz4", compress=("lz4", 3))
        with pytest.raises(UserError, match=r"odd\.lz4 cannot be read"):
            read(tmp_path / "odd.lz4")


def test_no_byte_that_is_changed_raises_anything_else(path):
    plain = frame.decompress(path.read_bytes())
    for _ in range(400):
        changed = bytearray(plain)
        changed[RNG.integers(len(changed))] = RNG.integers(256)
        path.write_bytes(frame.compress(bytes(changed)))
        try:
            read(path)
        except UserError as error:
            assert "net.lz4" in str(error)


def test_a_file_that_is_cut_short_is_said_to_be(path):
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"net\.lz4 cannot be read"):
        read(path)


@pytest.mark.weights("mtcnn")
def test_every_array_of_the_package_is_accounted_for():
    published = named("mtcnn")
    variables, report = published.load()
    assert report.complete and len(report.matched) == 50
    assert variables["params"]["output"]["dense"]["kernel"].shape == (1152, 256)
    assert all(file.intact(path) for file, path in published.files(published.find()))


@pytest.mark.data
@pytest.mark.weights("mtcnn")
def test_they_are_those_of_facenet_turned_over(real_data):
    """The package took them from davidsandberg/facenet, whose rows and columns are exchanged."""
    from safetensors.numpy import load_file

    params = named("mtcnn").load()[0]["params"]
    for file, network, layer, last in (
        ("pnet", "proposal", "conv3", "conv4-2"),
        ("rnet", "refinement", "conv3", "conv5-2"),
        ("onet", "output", "conv4", "conv6-2"),
    ):
        theirs = load_file(real_data / "weights" / "mtcnn" / f"{file}.safetensors")
        np.testing.assert_array_equal(params[network][layer]["kernel"], theirs[f"{layer}/weights"].transpose(1, 0, 2, 3))
        box = params[network]["box"]["kernel"].reshape(-1, 4)
        # Their box says (y1, x1, y2, x2) of an image that lies on its side.
        assert (
            np.abs(box - theirs[f"{last}/weights"].reshape(-1, 4)).max() < 1e-6
            or np.abs(box[:, [1, 0, 3, 2]] - theirs[f"{last}/weights"].reshape(-1, 4)).max() < 1e-6
        )
