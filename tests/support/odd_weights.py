"""Files of weights that are damaged, odd or made to do harm, each written by a function of the path."""

import json
import os
import pickle
import struct
import zipfile
import zlib

import numpy as np


def safetensors(header, data=b""):
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


def safetensors_of(kind, shape=(4,), size=4):
    def write(path):
        path.write_bytes(safetensors({"a": {"dtype": kind, "shape": list(shape), "data_offsets": [0, size]}}, bytes(size)))

    return write


def npy(header, data=b""):
    """A member as numpy writes it, with any header."""
    text = header.encode() + b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def npz_of(member, name="a.npy", method=zipfile.ZIP_STORED, **fields):
    def write(path):
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr(name, member)
        content = bytearray(path.read_bytes())
        # The flags and the method stand in the member's own header and in the list at the end.
        for mark, flags, kind in ((b"PK\3\4", 6, 8), (b"PK\1\2", 8, 10)):
            at = content.index(mark)
            if "flags" in fields:
                struct.pack_into("<H", content, at + flags, fields["flags"])
            if "packed_by" in fields:
                struct.pack_into("<H", content, at + kind, fields["packed_by"])
        path.write_bytes(content)

    return write


PLAIN = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", bytes(8))


def npz_with_a_flipped_byte(path):
    npz_of(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (64,), }", bytes(256)))(path)
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)


def npz_bomb(path, size=4 * 2**30):
    """Four gigabytes of zeros in four megabytes."""
    header = npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({size // 4},), }}")
    packer, crc = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.crc32(header)
    packed = [packer.compress(header)]
    # The same block of zeros makes the same bytes, after the first.
    block = bytes(2**24)
    for _ in range(size // len(block)):
        packed.append(packer.compress(block))
        crc = zlib.crc32(block, crc)
    packed.append(packer.flush())
    data, whole = b"".join(packed), len(header) + size
    extra = struct.pack("<HHQQ", 1, 16, whole, len(data))
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 45, 0, 8, 0, 0, crc, 2**32 - 1, 2**32 - 1, 5, len(extra)) + b"a.npy" + extra
    central = struct.pack(
        "<4sHHHHHHIIIHHHHHII", b"PK\1\2", 45, 45, 0, 8, 0, 0, crc, 2**32 - 1, 2**32 - 1, 5, len(extra), 0, 0, 0, 0, 0
    )
    central += b"a.npy" + extra
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local) + len(data), 0)
    path.write_bytes(local + data + central + end)


def npz_that_promises(shape):
    return npz_of(npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}", bytes(8)))


class Caller:
    def __reduce__(self):
        return os.system, ("touch ran",)


def torch_zip(content, method=zipfile.ZIP_STORED, **members):
    """What torch.save writes, around a pickle."""

    def write(path):
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("x/data.pkl", content)
            archive.writestr("x/version", "3\n")
            for name, data in members.items():
                archive.writestr(f"x/{name}", data)

    return write


def manifest(text):
    def write(path):
        path.mkdir()
        (path / "0").write_bytes(bytes(16))
        (path / "manifest.json").write_text(text)

    return write


def entry(filename='"0"', shape="[4]"):
    return f'{{"a": {{"filename": {filename}, "shape": {shape}}}}}'


ODD = {
    "safetensors in float8": (safetensors_of("F8_E4M3"), "a holds numbers of kind F8_E4M3"),
    "safetensors in four bits": (safetensors_of("F4", (8,)), "a holds numbers of kind F4"),
    "safetensors of an unknown kind": (safetensors_of("F33"), "not a whole safetensors file"),
    "safetensors with a negative side": (safetensors_of("F32", (-1,)), "not a whole safetensors file"),
    "safetensors with a side of 10²²": (safetensors_of("F32", (10**22,)), "not a whole safetensors file"),
    "safetensors with an overflowing size": (safetensors_of("F32", (2**62, 8), 0), "not a whole safetensors file"),
    "safetensors with 100,000 brackets": (
        lambda path: path.write_bytes(safetensors(b'{"a":' + b"[" * 100_000)),
        "not a whole safetensors file",
    ),
    "safetensors with a header of 2⁶³ bytes": (
        lambda path: path.write_bytes(struct.pack("<Q", 2**63) + b"{" + bytes(99)),
        r"its header should have 9,223,372,036,854,775,808 bytes, and all of it has 108",
    ),
    "npz that is encrypted": (npz_of(PLAIN, flags=1), "a.npy in it is encrypted"),
    "npz packed by method 99": (npz_of(PLAIN, packed_by=99), "a.npy in it is packed by method 99"),
    "npz packed by bzip2": (npz_of(PLAIN, method=zipfile.ZIP_BZIP2), "a.npy in it is packed by method 12"),
    "npz with a flipped byte": (npz_with_a_flipped_byte, "CRC"),
    "npz with a header of brackets": (npz_of(npy("(" * 3000)), "the header of a in it is damaged"),
    "npz with a header of minus signs": (npz_of(npy("-" * 60_000 + "1")), "the header of a in it has 60,"),
    "npz with a side of 10²²": (
        npz_that_promises("(10000000000000000000000,)"),
        "000,000 bytes, and the file holds 8",
    ),
    "npz with a negative side": (npz_that_promises("(-2,)"), "a in it has the shape"),
    "npz with a side that is true": (npz_that_promises("(True,)"), "a in it has the shape"),
    "npz without anything in it": (npz_of(b""), "a in it is no array"),
    "npz with more than its array": (npz_of(PLAIN + b"more"), "takes 8 bytes, and the file holds 12"),
    "npz with a file that is no array": (npz_of(b"hello", name="a.txt"), "it holds no arrays"),
    "npz of text": (lambda path: np.savez(path, a=np.array(["x"])), "a holds <U1, and numbers are expected"),
    "npz of dates": (lambda path: np.savez(path, a=np.zeros(2, "M8[s]")), "plain numbers and strings are read"),
    "npz of records": (lambda path: np.savez(path, a=np.zeros(2, "f4,i4")), "plain numbers and strings are read"),
    "npz of objects": (lambda path: np.savez(path, a=np.array([{}])), "is an array of Python objects, which could run code"),
    "pth that calls os.system": (
        torch_zip(pickle.dumps({"a": Caller()}, 2)),
        "it is a Python pickle that asks for (posix|nt).system, .*could run code",
    ),
    "pth of protocol 5 that calls os.system": (
        torch_zip(pickle.dumps({"a": Caller()}, 5)),
        "it is a Python pickle that asks for (posix|nt).system",
    ),
    "plain pickle that calls os.system": (
        lambda path: path.write_bytes(pickle.dumps(Caller(), 2)),
        "it is a Python pickle that asks for (posix|nt).system",
    ),
    "pth that is packed": (torch_zip(pickle.dumps({}, 2), zipfile.ZIP_DEFLATED), "is packed, which torch does not do"),
    "pth of a quantized tensor": (torch_zip(b"\x80\x02ctorch._utils\n_rebuild_qtensor\n."), "it holds a quantized tensor"),
    "pth of a sparse tensor": (torch_zip(b"\x80\x02ctorch._utils\n_rebuild_sparse_tensor\n."), "it holds a sparse tensor"),
    "pth of a meta tensor": (
        torch_zip(b"\x80\x02ctorch._utils\n_rebuild_meta_tensor_no_storage\n."),
        "it holds a meta tensor",
    ),
    "pth whose pickle is cut short": (torch_zip(pickle.dumps({"a": 1}, 2)[:-3]), "not a whole PyTorch file"),
    "manifest with a negative side": (manifest(entry(shape="[-1]")), r"not a whole manifest file .*shape \[-1\]"),
    "manifest with an infinite side": (manifest(entry(shape="[Infinity]")), r"shape \[inf\]"),
    "manifest with half a side": (manifest(entry(shape="[4.5]")), r"shape \[4.5\]"),
    "manifest with a side of thousands of digits": (manifest(entry(shape=f"[{'9' * 5000}]")), "not a whole manifest file"),
    "manifest with a side of 10²²": (manifest(entry(shape=f"[{10**22}]")), "not a whole manifest file"),
    "manifest with a shape that is a number": (manifest(entry(shape="4")), "shape 4"),
    "manifest with zero in a name": (manifest(entry(filename='"a\\u0000b"')), "not a whole manifest file"),
    "manifest with a folder for a file": (manifest(entry(filename='"."')), "which is outside"),
    "manifest with a number for a file": (manifest(entry(filename="7")), "has the filename 7"),
    "manifest with 100,000 brackets": (manifest("[" * 100_000), "nested more than 100 deep"),
    "manifest that is a list": (manifest("[1]"), "not a whole manifest file"),
    "manifest with something else for an entry": (manifest('{"a": null}'), "not a whole manifest file"),
    "manifest that is not UTF-8": (
        lambda path: (manifest("")(path), (path / "manifest.json").write_bytes(b'{"\xff": 1}')),
        "utf-8",
    ),
}
"""What each is, how it is written, and what must be said of it."""
