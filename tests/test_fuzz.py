"""Each accepted format, damaged a few thousand times: nothing but a sentence comes out, in bounded time and memory.

``python -m pytest tests/test_fuzz.py -m slow -s`` prints the counts.
"""

import io
import resource
import shutil
import time
from pathlib import Path

import numpy as np
import odd_runs
import odd_weights
import pytest
from mutations import mutated
from PIL import Image, features
from safetensors.numpy import save

from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.report.page import report
from likeness.experiments.report.runs import read_runs
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.storage.workdir import read_json
from likeness.experiments.training.evaluation import read_run
from likeness.research.data import Arrays, Omniglot
from likeness.research.data.decode import Decode
from likeness.research.errors import UserError
from likeness.research.gallery import Gallery, Threshold
from likeness.research.gallery.errors import explained
from likeness.research.images import read_image
from likeness.research.weights import read

SECONDS, MEGABYTES = 5.0, 300
ARRAYS = {"a": np.arange(60, dtype=np.float32).reshape(3, 4, 5), "b": np.ones(7, np.float16), "steps": np.array(3)}


def image(kind, **options):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (24, 30, 3), np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, kind, **options)
    return written.getvalue()


def npz(packed):
    written = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(written, **ARRAYS)
    return written.getvalue()


def dataset():
    written = io.BytesIO()
    images = np.random.default_rng(0).integers(0, 255, (4, 8, 8), np.uint8)
    np.savez(written, images=images, labels=np.arange(4) % 2)
    return written.getvalue()


def gallery():
    path = Path("whole.sqlite")
    path.unlink(missing_ok=True)
    made = Gallery.create(path, "abc", 4)
    made.close() if hasattr(made, "close") else None
    return path.read_bytes()


def hdf5():
    h5py = pytest.importorskip("h5py")
    with h5py.File("whole.h5", "w") as file:
        for name, array in ARRAYS.items():
            file[f"model_weights/layer/{name}"] = array
        file.create_dataset("model_weights/packed", data=np.zeros((32, 32), np.float32), chunks=(8, 8), compression="gzip")
    return Path("whole.h5").read_bytes()


def torch():
    library = pytest.importorskip("torch")
    written = io.BytesIO()
    library.save({name: library.from_numpy(array) for name, array in ARRAYS.items()}, written)
    return written.getvalue()


def omniglot():
    import zipfile

    written, drawing = io.BytesIO(), io.BytesIO()
    Image.new("1", (105, 105), 1).save(drawing, "PNG")
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for drawer in (1, 2):
            archive.writestr(f"images_background/Greek/character01/0394_{drawer:02}.png", drawing.getvalue())
    return written.getvalue()


def read_both(path):
    for reader in (Decode(min_side=1), read_image):
        reader(path)


def read_manifest(path):
    folder = path.with_name("raw")
    folder.mkdir(exist_ok=True)
    (folder / "0").write_bytes(bytes(16))
    (folder / "manifest.json").write_bytes(path.read_bytes())
    read(folder)


def read_omniglot(path):
    path.replace("images_background.zip")
    Omniglot(path=".", subset="background").open()


def read_gallery(path):
    opened = Gallery.open(path, "abc")
    opened.close() if hasattr(opened, "close") else None


def read_part(name):
    def reading(path):
        if not Path("run").exists():
            odd_runs.make(Path("run"))
        shutil.copy(path, Path("run") / name)
        read_runs([Path("run")])
        if name == "config.json":
            read_run("run")
        elif name == "threshold.json":
            Threshold.load("run/threshold.json")
        elif name == "preprocessing.json":
            ModelInputs.load("run")
        elif name == "metrics.jsonl":
            read_metrics(Path("run/metrics.jsonl"))
        elif name.endswith(".json"):
            read_json(Path("run") / name)

    return reading


def part(name):
    def whole():
        if not Path("run").exists():
            odd_runs.make(Path("run"))
        return (Path("run") / name).read_bytes()

    return whole


PARTS = (*odd_runs.FILES, "preprocessing.json", "evaluations.jsonl")

FORMATS = {
    **{
        kind.lower(): (lambda kind=kind: image(kind), read_both)
        for kind in ("JPEG", "PNG", "PPM", "GIF", "BMP", "WEBP", "TIFF", *(["AVIF"] if features.check("avif") else []))
    },
    "progressive": (lambda: image("JPEG", progressive=True, quality=60), read_both),
    "safetensors": (lambda: save(ARRAYS), read),
    "npz": (lambda: npz(packed=False), read),
    "packed npz": (lambda: npz(packed=True), read),
    "data set": (dataset, lambda path: Arrays(path=str(path)).open()),
    "h5": (hdf5, read),
    "pth": (torch, read),
    "manifest": (lambda: odd_weights.entry().encode(), read_manifest),
    "omniglot": (omniglot, read_omniglot),
    "gallery": (gallery, read_gallery),
    **{name: (part(name), read_part(name)) for name in PARTS},
}


def fuzz(name, times):
    """How many of the damaged files were read all the same, and how many were refused."""
    whole, reading = FORMATS[name]
    content, read_, refused, longest = whole(), 0, 0, 0.0
    # What is refused as it is would be refused before the damage is met.
    Path("damaged.bin").write_bytes(content)
    reading(Path("damaged.bin"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(times):
        path = Path("damaged.bin")
        path.write_bytes(mutated(content, seed))
        begun = time.process_time()
        try:
            reading(path)
            read_ += 1
        except UserError as error:
            refused += 1
            assert "\n" not in str(error), (name, seed)
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}: {type(error).__name__}: {error}") from error
        longest = max(longest, time.process_time() - begun)
    assert longest < SECONDS
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MEGABYTES
    print(f"{name}: {times} damaged files, {refused} refused, {read_} read, {longest:.2f} s at most, {grown:.0f} MB more")
    return read_, refused


@pytest.mark.parametrize("name", FORMATS)
def test_a_few(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    _, refused = fuzz(name, 30)
    # A log is read but for its damaged lines.
    assert refused or name.endswith(".jsonl")


def test_a_gallery_whose_texts_are_none(tmp_path):
    """Python decodes what SQLite says of a damaged file."""
    with pytest.raises(UserError, match="not UTF-8, so it is damaged"), explained(tmp_path / "g.sqlite", "be opened"):
        b"\xc5\x00".decode()


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_a_few_thousand(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    fuzz(name, 2000)


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
def test_a_page_is_made_of_damaged_files(tmp_path, monkeypatch, name):
    """Whatever was read of them is shown too."""
    monkeypatch.chdir(tmp_path)
    whole, seconds = part(name)(), []
    for seed in range(200):
        (Path("run") / name).write_bytes(mutated(whole, seed))
        begun = time.process_time()
        try:
            assert "</html>" in report([Path("run")]).page
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}: {type(error).__name__}: {error}") from error
        seconds.append(time.process_time() - begun)
    assert max(seconds) < SECONDS
    print(f"{name}: 200 damaged files, a page of each, {max(seconds):.2f} s at most")
