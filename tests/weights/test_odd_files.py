"""Files of weights that are damaged, odd or made to do harm: one sentence each, and nothing runs, waits or fills the memory."""

import os
import pickle
import threading
import zlib

import fresh
import numpy as np
import odd_weights
import pytest

from likeness.research.encoders import Vgg
from likeness.research.errors import UserError
from likeness.research.weights import Pretrained, read, write


def refused(path, match="cannot be read"):
    with pytest.raises(UserError, match=match) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith("The weights ") and "\n" not in text and len(text) < 800
    return text


@pytest.mark.parametrize("name", odd_weights.ODD)
def test_one_sentence(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    make, match = odd_weights.ODD[name]
    make(tmp_path / "weights.npz")
    refused(tmp_path / "weights.npz", match)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_honest_files_that_are_as_odd(tmp_path, ending):
    """Empty arrays, scalars and arrays of zeros are read; bfloat16 becomes float32."""
    arrays = {"none": np.zeros((0, 3), np.float32), "one": np.array(2.5), "zeros": np.zeros(2_000_000, np.float32)}
    write(tmp_path / f"w{ending}", arrays)
    for name, array in read(tmp_path / f"w{ending}").items():
        assert array.dtype == arrays[name].dtype and array.shape == arrays[name].shape
        np.testing.assert_array_equal(array, arrays[name])
        array += 1


def test_packed_zeros_that_somebody_may_have_trained(tmp_path):
    np.savez_compressed(
        tmp_path / "w.npz", a=np.zeros(10_000_000, np.float32), b=np.asfortranarray(np.arange(6.0).reshape(2, 3))
    )
    found = read(tmp_path / "w.npz")
    assert found["a"].shape == (10_000_000,) and not found["a"].any()
    np.testing.assert_array_equal(found["b"], np.arange(6.0).reshape(2, 3))


def test_bfloat16_becomes_float32(tmp_path):
    header = {"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    (tmp_path / "w.safetensors").write_bytes(odd_weights.safetensors(header, b"\xc0\x3f\x40\xc0"))
    found = read(tmp_path / "w.safetensors")["a"]
    assert found.dtype == np.float32 and found.tolist() == [1.5, -3.0]


def test_an_npz_bomb(tmp_path):
    odd_weights.npz_bomb(tmp_path / "bomb.npz", 2**27)
    assert (tmp_path / "bomb.npz").stat().st_size < 300_000
    refused(tmp_path / "bomb.npz", "claim 134 MB, 1,0.. times the file's own size")


def test_another_shape_is_refused_before_it_is_read(tmp_path, monkeypatch):
    """What the network needs is compared with the headers: no array is read of a file that does not fit."""
    from likeness.research.data import npz

    encoder = Vgg(widths=(2, 2, 2, 2, 2), last="relu1_1", preprocessing="unit")
    write(tmp_path / "w.npz", {"params/conv1_1/kernel": np.zeros((300, 3, 3, 2)), "params/conv1_1/bias": np.zeros(2)})
    monkeypatch.setattr(npz.Npz, "read", lambda *_: pytest.fail("an array was read"))
    with pytest.raises(UserError, match="params/conv1_1/kernel 300×3×3×2 does not fit"):
        Pretrained(path=str(tmp_path / "w.npz")).variables(encoder)


@pytest.mark.parametrize("where", ["the file", "its manifest", "a file of the folder"])
def test_a_pipe_is_refused_without_waiting(tmp_path, where):
    path = tmp_path / "weights"
    if where == "the file":
        os.mkfifo(path)
    else:
        odd_weights.manifest(odd_weights.entry())(path)
        inside = path / ("manifest.json" if where == "its manifest" else "0")
        inside.unlink()
        os.mkfifo(inside)
    told = []
    waiting = threading.Thread(target=lambda: told.append(refused(path, "it is a folder, a pipe or a device")), daemon=True)
    waiting.start()
    waiting.join(20)
    assert told


def test_a_device_is_refused():
    refused("/dev/zero", "it is a folder, a pipe or a device")


def test_a_name_with_zero_in_it():
    refused("a\0b", "embedded null (byte|character)")


class TestHdf5:
    @pytest.fixture(autouse=True)
    def h5py(self):
        self.h5py = pytest.importorskip("h5py")

    def file(self, path):
        return self.h5py.File(path, "w")

    def test_numbers_in_another_file(self, tmp_path):
        secret = tmp_path / "secret"
        secret.write_bytes(b"0123456789abcdef" * 4)
        with self.file(tmp_path / "w.h5") as file:
            file.create_dataset("layer/kernel", (64,), "u1", external=[(str(secret), 0, 64)])
        assert "numbers of its layer/kernel lie in other files" in refused(tmp_path / "w.h5")

    def test_a_virtual_dataset(self, tmp_path):
        with self.file(tmp_path / "other.h5") as file:
            file["a"] = np.arange(4.0)
        with self.file(tmp_path / "w.h5") as file:
            layout = self.h5py.VirtualLayout((4,), "f8")
            layout[:] = self.h5py.VirtualSource(str(tmp_path / "other.h5"), "a", (4,))
            file.create_virtual_dataset("kernel", layout)
        assert "numbers of its kernel lie in other files" in refused(tmp_path / "w.h5")

    @pytest.mark.parametrize("group", ["model_weights", "model_weights/inner", "layer"])
    @pytest.mark.parametrize("kind", ["external", "soft"])
    def test_links(self, tmp_path, group, kind):
        with self.file(tmp_path / "other.h5") as file:
            file["inside/a"] = np.arange(4.0)
        with self.file(tmp_path / "w.h5") as file:
            file["model_weights/a" if "/" in group else "b/a"] = np.ones(3)
            external = self.h5py.ExternalLink(str(tmp_path / "other.h5"), "/inside")
            file[group] = external if kind == "external" else self.h5py.SoftLink("/b")
        assert f"its {group.split('/')[-1]} is a link to what lies elsewhere" in refused(tmp_path / "w.h5")

    def test_model_weights_that_are_an_array(self, tmp_path):
        with self.file(tmp_path / "w.h5") as file:
            file["model_weights"] = np.ones(3)
        refused(tmp_path / "w.h5", "its model_weights is an array and no group of them")

    def test_a_plugin_that_unpacks(self, tmp_path):
        with self.file(tmp_path / "w.h5") as file:
            made = self.h5py.h5p.create(self.h5py.h5p.DATASET_CREATE)
            made.set_chunk((4,))
            made.set_filter(32001, self.h5py.h5z.FLAG_OPTIONAL)
            self.h5py.h5d.create(file.id, b"a", self.h5py.h5t.IEEE_F32LE, self.h5py.h5s.create_simple((4,)), made)
        refused(tmp_path / "w.h5", r"packed by a plugin of HDF5 \(filter 32001\)")

    @pytest.mark.parametrize("packed", [None, "gzip"])
    def test_a_bomb(self, tmp_path, packed):
        """Chunks that were never written take no room in the file, and numbers that are alike next to none."""
        with self.file(tmp_path / "w.h5") as file:
            file.create_dataset("a", (2**30,), "f4", chunks=(2**20,), compression=packed)
        assert (tmp_path / "w.h5").stat().st_size < 100_000
        refused(tmp_path / "w.h5", "claim 4,295 MB")

    def test_a_group_within_itself(self, tmp_path):
        with self.file(tmp_path / "w.h5") as file:
            file["layer/a"] = np.ones(3)
            file["layer/again"] = file["layer"]
        assert read(tmp_path / "w.h5").keys() == {"layer/a"}


@pytest.mark.peers
class TestTorch:
    @pytest.fixture(autouse=True)
    def torch(self):
        self.torch = pytest.importorskip("torch")

    def save(self, path, tensor):
        self.torch.save({"a": tensor}, path)
        return path

    def test_tensors_that_are_not_plain(self, tmp_path):
        torch, path = self.torch, tmp_path / "w.pth"
        odd = {
            "it holds a sparse tensor": torch.ones(2, 2).to_sparse(),
            "it holds a meta tensor": torch.ones(3, device="meta"),
            "a holds float8_e4m3fn, which NumPy does not have": torch.ones(3).to(torch.float8_e4m3fn),
        }
        for match, tensor in odd.items():
            refused(self.save(path, tensor), match)

    def test_kinds_that_are(self, tmp_path):
        torch, path = self.torch, tmp_path / "w.pth"
        for tensor in (torch.ones(3, dtype=torch.uint16), torch.ones(1) > 0, torch.ones(2, dtype=torch.complex64).conj()):
            assert read(self.save(path, tensor))["a"].shape == tensor.shape
        assert read(self.save(path, torch.nn.Parameter(torch.ones(3))))["a"].tolist() == [1, 1, 1]

    def test_a_tensor_of_one_number_many_times(self, tmp_path):
        huge = self.torch.zeros(1).expand(2**30)
        refused(self.save(tmp_path / "w.pth", huge), "claim 4,295 MB")

    def test_an_old_file_that_calls_something(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        self.torch.save({"a": odd_weights.Caller()}, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
        refused(tmp_path / "w.pth", "asks for posix.system")
        (tmp_path / "second.pth").write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(odd_weights.Caller(), 2))
        refused(tmp_path / "second.pth", "asks for posix.system")
        assert not (tmp_path / "ran").exists()


@pytest.mark.slow
@pytest.mark.skipif(not fresh.MEASURABLE, reason="the peak of memory is asked of Linux")
@pytest.mark.parametrize("name", ["npz of 2 GB", "npz that says 10²² numbers", "h5 of 4 GB", "h5 of 4 GB of nothing"])
def test_what_bombs_cost(tmp_path, name):
    """Each is refused within two seconds and 300 MB; ``-s`` prints what it took."""
    path = tmp_path / name
    if name == "npz of 2 GB":
        odd_weights.npz_bomb(path, 2**31)
    elif name.startswith("npz"):
        odd_weights.npz_that_promises("(10000000000000000000000,)")(path)
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            made = file.create_dataset("a", (2**30,), "f4", chunks=(2**20,), compression="gzip")
            if name == "h5 of 4 GB":
                made.id.write_direct_chunk((0,), zlib.compress(bytes(2**22), 9))
    (cost,) = fresh.costs("from likeness.research.weights import read", "(read,)", path)
    assert "cannot be read" in cost.said
    assert cost.seconds < fresh.SECONDS and cost.megabytes < fresh.MEGABYTES
