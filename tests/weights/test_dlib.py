"""Networks as dlib writes them: a small one, written here by the same rules, whole and damaged."""

import struct

import numpy as np
import pytest

from likeness.research.encoders import DlibResNet
from likeness.research.errors import UserError
from likeness.research.weights import File, named, read
from likeness.research.weights.dlib import is_dlib
from likeness.research.weights.releases import released

RNG = np.random.default_rng(0)
FILTERS = RNG.normal(size=(2, 3, 3, 3)).astype(np.float32)
BIASES, GAMMA, BETA = RNG.normal(size=(3, 2)).astype(np.float32)
MATRIX = RNG.normal(size=(2, 4)).astype(np.float32)
ARRAYS = {"con1/filters": FILTERS, "con1/biases": BIASES, "affine1/gamma": GAMMA, "affine1/beta": BETA, "fc1/weights": MATRIX}


def whole(*numbers: int) -> bytes:
    """Whole numbers: how many bytes and the sign, and the bytes."""
    out = b""
    for number in numbers:
        size = max((abs(number).bit_length() + 7) // 8, 1)
        out += bytes([size | (0x80 if number < 0 else 0)]) + abs(number).to_bytes(size, "little")
    return out


def word(text: str) -> bytes:
    return whole(len(text)) + text.encode()


def tensor(*arrays: np.ndarray, sides: tuple[int, ...] | None = None) -> bytes:
    numbers = np.concatenate([array.ravel() for array in arrays]) if arrays else np.zeros(0)
    return whole(2, *(sides or (len(numbers), *([1] * 3 if len(numbers) else [0] * 3)))) + numbers.astype("<f4").tobytes()


def part(*sides: int) -> bytes:
    return whole(1, *sides)


# The multipliers 1, 1, 1, 0 of a layer's learning rate and decay, as doubles.
RATES = whole(16, -4, 16, -4, 16, -4, 0, 11)
STATE = b"110" + tensor() * 3
HEAD = whole(1) + word("loss_metric_2") + whole(10737418, -28, 10066330, -24)
INPUT = word("input_rgb_image_sized") + whole(1, -1, 1, -1, 1, -1, 150, 150)
CONVOLUTION = word("con_4") + tensor(FILTERS, BIASES) + whole(2, 3, 3, 2, 2, 0, 0) + part(2, 3, 3, 3) + part(1, 2, 1, 1) + RATES
AFFINE = word("affine_") + tensor(GAMMA, BETA) + part(1, 2, 1, 1) * 2 + whole(0)
FC = word("fc_2") + whole(4, 2) + tensor(MATRIX) + part(2, 4, 1, 1) + part(0, 0, 0, 0) + whole(1) + RATES


def network(
    convolution: bytes = CONVOLUTION, *more: bytes, head: bytes = HEAD, first: bytes = INPUT, versions: bytes | None = None
) -> bytes:
    layers = [*(more or [AFFINE, word("relu_"), word("max_pool_2") + whole(3, 3, 2, 2, 0, 0), FC])]
    # A tag among them, which is a version and nothing else.
    versions = versions or whole(*([2] * len(layers)), 1, 3)
    return head + versions + first + convolution + STATE + whole(1) + b"".join(layer + STATE for layer in layers)


def test_a_network_is_read_to_the_bit(tmp_path):
    path = tmp_path / "net.dat"
    path.write_bytes(network())
    assert is_dlib(path.read_bytes()[:16])
    found = read(path)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == np.float32


def test_biases_of_a_matrix_and_what_training_leaves_behind(tmp_path):
    biases = np.arange(4, dtype=np.float32)
    layer = word("fc_2") + whole(4, 2) + tensor(MATRIX, biases) + part(2, 4, 1, 1) + part(1, 4, 1, 1) + whole(0) + RATES
    left = network(CONVOLUTION, layer).replace(STATE, b"100" + tensor(np.ones(5)) + tensor() * 2)
    (tmp_path / "net.dat").write_bytes(left)
    np.testing.assert_array_equal(read(tmp_path / "net.dat")["fc1/biases"], biases)


@pytest.mark.parametrize("length", [16, 40, 60, 90, 300, 400, 600, len(network()) - 1])
def test_one_cut_short_is_refused(tmp_path, length):
    (tmp_path / "cut.dat").write_bytes(network()[:length])
    with pytest.raises(UserError, match=r"cut\.dat cannot be read: it is not a whole dlib file .* fetch or copy it again"):
        read(tmp_path / "cut.dat")


def floats(count: int) -> bytes:
    return struct.pack(f"<{count}f", *range(count))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (network() + b"more", "4 bytes are left behind its 5 layers"),
        (network(head=whole(1) + word("loss_mmod_") + whole(1, 1)), "its loss is loss_mmod_"),
        (network(CONVOLUTION, word("dropout_")), "its layer is dropout_, and what is read is con_4"),
        (network(CONVOLUTION, word("evil\n\x1b[2J")), r"its layer is evil.*, and what is read"),
        (network(first=word("input") + whole(0)), "its input is input"),
        (network(versions=whole(2, 7)), "a layer of version 7"),
        (network(CONVOLUTION.replace(whole(2, 3, 3, 2, 2), whole(5, 3, 3, 2, 2))), "con1 of 5 filters 3×3 has arrays of other"),
        (network(CONVOLUTION.replace(part(2, 3, 3, 3), part(2, 4, 3, 3))), "should hold 74 numbers, and 56 are there"),
        (
            network(CONVOLUTION, AFFINE.replace(tensor(GAMMA, BETA), tensor(GAMMA))),
            "affine1/gamma .*4 numbers, and 2 are there",
        ),
        (network(CONVOLUTION, FC.replace(whole(4, 2), whole(4, 3))), "fc1 from 3 to 4 has a matrix of other sides"),
        (network(CONVOLUTION, word("affine_") + tensor(sides=(2**40, 2**20, 1, 1))), "reaches beyond its end"),
        (network(CONVOLUTION, word("affine_") + tensor(sides=(-2, 1, 1, 1))), "a tensor has the sides"),
        (network(CONVOLUTION, word("affine_") + whole(1, 2, 1, 1, 1)), "a tensor is of version 1, and 2 is read"),
        (network(CONVOLUTION, whole(10**6)), "a name has 1,000,000 letters"),
        (network(CONVOLUTION, whole(2) + b"\xff\xfe"), "a name is not of letters"),
        (network(CONVOLUTION, b"\x7f" + AFFINE), "a whole number begins with the byte 127"),
        (network().replace(STATE, b"1x0" + tensor() * 3), "a truth is neither 0 nor 1"),
    ],
)
def test_what_is_odd_is_refused_by_name(tmp_path, content, why):
    (tmp_path / "odd.dat").write_bytes(content)
    with pytest.raises(UserError, match=rf"odd\.dat cannot be read: .*{why}"):
        read(tmp_path / "odd.dat")


@pytest.mark.slow
def test_no_byte_that_is_changed_raises_anything_else(tmp_path):
    rng, content = np.random.default_rng(1), network()
    path = tmp_path / "net.dat"
    for _ in range(400):
        changed = bytearray(content)
        changed[rng.integers(len(changed))] = rng.integers(256)
        path.write_bytes(changed)
        try:
            read(path)
        except UserError as error:
            assert "net.dat" in str(error)


def carried(**changes) -> File:
    told = {"package": "carrier_of_weights", "member": "models/net.dat", "extra": "faces"}
    return File(name="net.dat", size=5, sha256="0" * 64, **{**told, **changes})


def test_a_file_is_found_in_a_package_that_is_never_imported(tmp_path, monkeypatch):
    assert carried().installed() is None
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "carrier_of_weights" / "models").mkdir(parents=True)
    (tmp_path / "carrier_of_weights" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    assert carried().installed() is None
    (tmp_path / "carrier_of_weights" / "models" / "net.dat").write_bytes(b"12345")
    assert carried().installed() == tmp_path / "carrier_of_weights" / "models" / "net.dat"
    assert File(name="net.dat", size=5, sha256="0" * 64).installed() is None


def test_what_brings_a_package_is_said_whole():
    for wrong in ({"member": ""}, {"extra": ""}, {"package": ""}, {"package": "one.other"}):
        with pytest.raises(ValueError, match=r"File 'net\.dat': say package, member and extra"):
            carried(**wrong)


def test_a_package_comes_after_what_was_fetched_and_before_a_download(tmp_path, monkeypatch):
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LIKENESS_DATA", raising=False)
    published = released("dlib_face")
    (file,) = published.editions[0]
    packaged = tmp_path / "package" / file.name
    monkeypatch.setattr(File, "installed", lambda self: packaged if self.package else None)
    assert published.find() is None
    for path in (packaged, published.folder / file.name):
        path.parent.mkdir(parents=True)
        with path.open("wb") as sparse:
            sparse.truncate(file.size)
        assert published.find() == path
    # Zeros of the right size: the checksum tells.
    with pytest.raises(UserError, match="The weights dlib_face are damaged"):
        published.verify(packaged)
    said = published.how_to_get()
    assert said.index("pip install 'likeness-jax[faces]'") < said.index("likeness weights fetch dlib_face")


@pytest.mark.weights("dlib_face")
def test_every_array_of_the_published_file_is_accounted_for():
    published = named("dlib_face")
    variables, report = published.load(DlibResNet())
    assert report.complete
    arrays = read(published.find())
    assert len(arrays) == 117
    assert sum(array.size for array in arrays.values()) == 5_614_592
    block = variables["params"]["stage5_1"]
    np.testing.assert_array_equal(block["conv2"]["kernel"], arrays["con29/filters"].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(block["affine2"]["scale"], arrays["affine29/gamma"])
    np.testing.assert_array_equal(variables["params"]["dense"]["kernel"], arrays["fc1/weights"])
