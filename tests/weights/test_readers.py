"""Files of every format, whole and damaged."""

import builtins
import json
import pickle
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from likeness.research.errors import UserError
from likeness.research.weights import read, write

ARRAYS = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2) / 7,
    "conv.bias": np.array([0.1, -2.5e-38], np.float32),
    "steps": np.array(7),
    "half": np.array([[1.5]], np.float16),
}


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_writing_and_reading_keeps_every_bit(tmp_path, ending):
    path = tmp_path / f"weights{ending}"
    awkward = {**ARRAYS, "params/conv1_1/kernel": np.asfortranarray(ARRAYS["conv.weight"]), "file": np.ones(2)}
    write(path, awkward)
    same(read(path), awkward)
    before = path.read_bytes()
    write(path, dict(reversed(awkward.items())))
    assert path.read_bytes() == before


def test_the_format_is_told_by_content(tmp_path):
    path = tmp_path / "model.bin"
    save_file(ARRAYS, path)
    same(read(path), ARRAYS)


def test_an_ending_that_nobody_writes(tmp_path):
    with pytest.raises(UserError, match="ends in neither: rename it"):
        write(tmp_path / "weights.pth", ARRAYS)
    assert not list(tmp_path.iterdir())


def folder(path):
    path.mkdir()
    manifest = {name: {"filename": f"{index}", "shape": array.shape} for index, (name, array) in enumerate(ARRAYS.items())}
    for index, array in enumerate(ARRAYS.values()):
        (path / f"{index}").write_bytes(array.astype("<f4").tobytes())
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


def test_a_folder_of_raw_float32(tmp_path):
    same(read(folder(tmp_path / "raw")), {name: array.astype(np.float32) for name, array in ARRAYS.items()})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda path: (path / "0").write_bytes(b"\0" * 92), r"0 has 92 bytes, and \(2, 3, 2, 2\) in float32 has 96"),
        (lambda path: (path / "1").unlink(), "No such file or directory"),
        (lambda path: (path / "manifest.json").unlink(), "it is a folder without manifest.json"),
        (lambda path: (path / "manifest.json").write_text('{"a": 1}'), "not a whole manifest file"),
        (lambda path: (path / "manifest.json").write_text('{"a": {"filename": "../x", "shape": [1]}}'), "which is outside"),
        (lambda path: (path / "manifest.json").write_text("{}"), "it holds no arrays"),
    ],
)
def test_a_damaged_folder(tmp_path, change, why):
    path = folder(tmp_path / "raw")
    change(path)
    with pytest.raises(UserError, match=why):
        read(path)


def test_nothing_there(tmp_path):
    with pytest.raises(UserError, match="No such file or directory.*Check the path"):
        read(tmp_path / "none.safetensors")


@pytest.mark.parametrize("content", [b"", b"This is not a file of weights.\n" * 9, b"\0" * 64])
def test_what_is_no_file_of_weights(tmp_path, content):
    path = tmp_path / "weights.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"it is (empty|of no known format).*Known formats: safetensors"):
        read(path)


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
@pytest.mark.parametrize("kept", [20, 200, -1])
def test_a_file_cut_short(tmp_path, ending, kept):
    path = tmp_path / f"weights{ending}"
    write(path, ARRAYS)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match="cannot be read: it is not a whole .*[Ff]etch or copy it again") as refused:
        read(path)
    assert "\n" not in str(refused.value)


class Bomb:
    def __reduce__(self):
        return print, ("this code came with the weights",)


def test_an_npz_with_objects_is_refused_and_nothing_runs(tmp_path, capsys):
    path = tmp_path / "weights.npz"
    np.savez(path, a=np.array([Bomb()], object))
    with pytest.raises(UserError, match="a in it is an array of Python objects, which could run code"):
        read(path)
    assert not capsys.readouterr().out


def without(monkeypatch, library):
    real = builtins.__import__

    def refuse(name, *rest, **named):
        if name == library:
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_torch_that_is_missing(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps({}, 2))
    without(monkeypatch, "torch")
    with pytest.raises(UserError, match=r"torch is not installed. Install the `peers` extra .* or convert it .*save_file"):
        read(tmp_path / "x.pth")


def test_h5py_that_is_missing(tmp_path, monkeypatch):
    (tmp_path / "x.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)
    without(monkeypatch, "h5py")
    with pytest.raises(
        UserError, match=r"h5py is not installed. Install the `keras` extra .* or bring the weights as safetensors"
    ):
        read(tmp_path / "x.h5")


@pytest.mark.peers
class TestTorch:
    @pytest.fixture(autouse=True)
    def torch(self):
        self.torch = pytest.importorskip("torch")
        self.state = {name: self.torch.from_numpy(array) for name, array in ARRAYS.items()}

    @pytest.mark.parametrize("new", [True, False])
    @pytest.mark.parametrize(
        "wrap", [lambda state: state, lambda state: {"epoch": 3, "model": state, "optimizer": {"lr": 0.1}}]
    )
    def test_a_state_dict(self, tmp_path, new, wrap):
        path = tmp_path / "weights.pth"
        self.torch.save(wrap(self.state), path, _use_new_zipfile_serialization=new)
        same(read(path), ARRAYS)

    def test_bfloat16_becomes_float32(self, tmp_path):
        self.torch.save({"a": self.torch.tensor([1.5, -3.0]).bfloat16()}, tmp_path / "weights.pt")
        same(read(tmp_path / "weights.pt"), {"a": np.array([1.5, -3.0], np.float32)})

    @pytest.mark.parametrize("new", [True, False])
    @pytest.mark.parametrize("kept", [40, 120, -1])
    def test_cut_short(self, tmp_path, new, kept):
        path = tmp_path / "weights.pth"
        self.torch.save(self.state, path, _use_new_zipfile_serialization=new)
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(UserError, match="cannot be read: it is not a whole PyTorch file"):
            read(path)

    def test_objects_are_refused_and_nothing_runs(self, tmp_path, capsys):
        for index, saved in enumerate((Bomb(), {"a": Bomb()}, self.torch.nn.Linear(2, 2))):
            self.torch.save(saved, tmp_path / f"{index}.pth")
            with pytest.raises(UserError, match="the rest could run code. Save the model's state_dict"):
                read(tmp_path / f"{index}.pth")
        (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(UserError, match="cannot be read"):
            read(tmp_path / "plain.pkl")
        assert not capsys.readouterr().out

    def test_several_dictionaries(self, tmp_path):
        self.torch.save({"encoder": self.state, "decoder": self.state}, tmp_path / "weights.pth")
        with pytest.raises(UserError, match=r"several dictionaries of tensors \(encoder, decoder\)"):
            read(tmp_path / "weights.pth")


class TestKeras:
    @pytest.fixture(autouse=True)
    def h5py(self):
        self.h5py = pytest.importorskip("h5py")

    @pytest.mark.parametrize("group", ["", "model_weights/"])
    def test_arrays_by_path(self, tmp_path, group):
        with self.h5py.File(tmp_path / "weights.h5", "w") as file:
            for name, array in ARRAYS.items():
                file[f"{group}{name.replace('.', '/')}"] = array
            if group:
                file["optimizer_weights/m"] = np.ones(3)
            file[f"{group}note"] = "not a number"
        same(read(tmp_path / "weights.h5"), {name.replace(".", "/"): array for name, array in ARRAYS.items()})

    @pytest.mark.parametrize("kept", [40, 300, -100])
    def test_cut_short(self, tmp_path, kept):
        path = tmp_path / "weights.h5"
        with self.h5py.File(path, "w") as file:
            file["a"] = np.ones(1000)
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(UserError, match="cannot be read: it is (damaged|not a whole HDF5 file)"):
            read(path)
