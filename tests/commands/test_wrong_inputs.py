"""Twenty wrong inputs: each ends with code 2 and a paragraph of what, where and what to do; nothing is left half-written."""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from small_world import CONFIG, Likeness, Said, World, contents

from likeness.experiments.recognition.recognizer import Recognizer
from likeness.research.data.image_guard import READABLE
from likeness.research.gallery import Gallery, database

pytestmark = pytest.mark.end_to_end


def refused(said: Said, *parts: object) -> None:
    """Code 2 and one paragraph that says all of these."""
    assert said.code == 2, said
    assert "Traceback" not in said.err
    paragraph = said.err.strip()
    if paragraph.startswith("╭"):
        # Tyro draws a box, and breaks lines where it ends.
        assert paragraph.count("╭") == paragraph.count("╰") == 1
        paragraph = " ".join(line.strip("│ ") for line in paragraph.splitlines())
    else:
        # What a run tells as it goes on comes before.
        *progress, paragraph = paragraph.splitlines()
        assert paragraph.startswith("likeness: ")
        assert all(line.startswith(("data: ", "working in ", "embedding ", "measuring", "reading ")) for line in progress)
    for part in parts:
        assert str(part) in paragraph


def _cut_short(path: Path) -> str:
    Image.new("RGB", (64, 64), "teal").save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:400])
    return "it is damaged"


def _one_pixel(path: Path) -> str:
    Image.new("RGB", (1, 1)).save(path, "PNG")
    return "it is 1 x 1 pixels, and a side must have at least 8"


def _bomb(path: Path) -> str:
    Image.new("1", (10_000, 10_000)).save(path, "PNG")
    assert path.stat().st_size < 100_000
    return "it has 100.0 megapixels, and at most 50 are decoded"


def _text(path: Path) -> str:
    path.write_text("This is not an image.\n" * 100)
    return f"it is not a {READABLE} image"


def _loop(path: Path) -> str:
    path.symlink_to(path)
    return "Too many levels of symbolic links"


def _missing(path: Path) -> str:
    del path
    return "it cannot be opened (No such file or directory). Check the path"


@pytest.mark.parametrize("make", [_missing, _cut_short, _one_pixel, _bomb, _text, _loop])
def test_a_bad_image(world: World, likeness: Likeness, tmp_path: Path, make: Callable[[Path], str]) -> None:
    """Missing file, truncated JPEG, 1-pixel image, 100-megapixel bomb, text file named .jpg, symlink loop."""
    bad, good = tmp_path / "bad.jpg", world.strangers / "ada" / "0.png"
    why = make(bad)
    gallery = tmp_path / "gallery.sqlite"
    before = contents(world.workdir)
    refused(likeness("verify", good, bad, "--model", world.workdir), bad, why)
    refused(likeness("enroll", "add", "Ada", good, bad, "--model", world.workdir, "--gallery", gallery), bad, why)
    assert not gallery.exists()
    assert contents(world.workdir) == before


def test_a_bad_image_among_many(world: World, likeness: Likeness, tmp_path: Path) -> None:
    """A folder is enrolled whole or not at all, unless it is asked to skip what is bad."""
    for person in ("ada", "zed"):
        (tmp_path / "people" / person).mkdir(parents=True)
        Image.open(world.strangers / "bob" / "0.png").save(tmp_path / "people" / person / "0.png")
    why = _text(tmp_path / "people" / "zed" / "1.jpg")
    gallery = tmp_path / "gallery.sqlite"
    command = ("enroll", "folder", tmp_path / "people", "--model", world.workdir, "--gallery", gallery)
    refused(likeness(*command), "1.jpg", why)
    assert not gallery.exists()
    said = likeness(*command, "--on-bad", "skip")
    assert said.code == 0
    assert "skipped: The image" in said.out
    assert "2 people" in said.out


@pytest.mark.parametrize("command", ["train", "enroll"])
def test_an_empty_folder(world: World, likeness: Likeness, tmp_path: Path, command: str) -> None:
    empty, made = tmp_path / "empty", tmp_path / "runs" / "new"
    empty.mkdir()
    if command == "train":
        said = likeness("train", world.config, "--workdir", made, "--experiment.data.path", empty)
    else:
        said = likeness("enroll", "folder", empty, "--model", world.workdir, "--gallery", made)
    refused(said, empty, "holds no image")
    assert not made.parent.exists()


def test_a_missing_folder(world: World, likeness: Likeness, tmp_path: Path) -> None:
    nowhere, made = tmp_path / "nowhere", tmp_path / "runs" / "new"
    refused(
        likeness("train", world.config, "--workdir", made, "--experiment.data.path", nowhere), f"There is no folder {nowhere}"
    )
    assert not made.parent.exists()


@pytest.mark.parametrize(
    "flags, parts",
    [
        (("--step", "3"), ("does not know --step.", "--steps INT")),
        (("--experiment.loss.margin", "-0.1"), ("margin must be a finite number, at least 0",)),
        (("--experiment.batches.images", "1"), ("IdentityBatches.images is 1", "at least 2 images")),
        (("--steps", "many"), ("many", "--steps")),
        (("--steps", "0"), ("cannot be run with these flags", "Run.steps is 0: give 1 or more")),
    ],
    ids=["unknown flag", "negative margin", "K=1", "not a number", "no steps"],
)
def test_a_wrong_flag(world: World, likeness: Likeness, tmp_path: Path, flags: tuple[str, ...], parts: tuple[str, ...]) -> None:
    made = tmp_path / "new"
    refused(likeness("train", world.config, "--workdir", made, *flags), *parts)
    assert not made.exists()


@pytest.mark.parametrize("command", ["train", "show"])
def test_an_unknown_config(likeness: Likeness, command: str) -> None:
    refused(likeness(command, "recognition/quikstart"), "'recognition/quikstart'", "did you mean recognition/quickstart?")


def test_a_config_with_a_misspelt_field(world: World, likeness: Likeness, tmp_path: Path) -> None:
    file = tmp_path / "misspelt.py"
    file.write_text(CONFIG.format(path=str(world.people)).replace("schedule=", "shedule="))
    refused(
        likeness("train", file, "--workdir", tmp_path / "new"), file, "Adam has no field 'shedule'", "Did you mean 'schedule'?"
    )
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_checkpoint_of_another_encoder(workdir: Path, world: World, likeness: Likeness) -> None:
    before = contents(workdir)
    parts = ("params/encoder/conv1/kernel", "[3, 3, 3, 8] in the checkpoint", "[3, 3, 3, 4] in the config", "--fresh")
    changed = ("train", world.config, "--workdir", workdir, "--experiment.encoder.width", "4")
    refused(likeness(*changed, "--steps", "60"), *parts, "experiment.encoder.width: 8 → 4")
    refused(likeness(*changed), "has taken all of its 40 steps", "experiment.encoder.width: 8 → 4", "--fresh")
    assert contents(workdir) == before
    config = workdir / "config.json"
    config.write_text(config.read_text().replace('"width": 8', '"width": 4'))
    before = contents(workdir)
    image = world.strangers / "ada" / "0.png"
    refused(likeness("verify", image, image, "--model", workdir), workdir, *parts[:3])
    refused(likeness("evaluate", workdir), workdir, *parts[:3])
    assert contents(workdir) == before


def test_a_gallery_of_another_model(world: World, likeness: Likeness, tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    Gallery.create(path, fingerprint="another model", dimension=16).close()
    before = contents(tmp_path)
    image = world.strangers / "ada" / "0.png"
    where = ("--model", world.workdir, "--gallery", path)
    for command in (("identify", image), ("enroll", "add", "Ada", image)):
        refused(likeness(*command, *where), path, "it was made with the model another model")
    # Names are nobody's model's.
    assert likeness("enroll", "list", *where).out == f"0 people in {path}\n"
    assert contents(tmp_path) == before


def test_a_read_only_directory(world: World, likeness: Likeness) -> None:
    """The kernel's own file system takes no directory, from root neither."""
    where = Path("/sys/likeness")
    refused(likeness("train", world.config, "--workdir", where / "run"), where, "give a directory that you may write to")
    image = world.strangers / "ada" / "0.png"
    said = likeness("enroll", "add", "Ada", image, "--model", world.workdir, "--gallery", where / "gallery.sqlite")
    refused(said, where, "check the path and its permissions. Nothing was changed.")
    assert not where.exists()


def test_a_file_where_a_directory_is_needed(world: World, likeness: Likeness, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    refused(
        likeness("train", world.config, "--workdir", tmp_path / "file" / "run"), "a file stands where a directory is needed"
    )
    assert (tmp_path / "file").read_text() == "kept"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Fills the disk under files whose path contains a text: what is synced there is refused."""

    def fill(where: str) -> None:
        sync = os.fsync

        def fsync(descriptor: int) -> None:
            if where in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)

    return fill


@pytest.mark.parametrize("file", ["config.json", "provenance.json", "metrics.jsonl"])
def test_a_full_disk_in_training(
    world: World, likeness: Likeness, tmp_path: Path, full: Callable[[str], None], file: str
) -> None:
    full(file)
    made = tmp_path / "new"
    refused(likeness("train", world.config, "--workdir", made), made / file, "the disk is full: free some space")
    assert not [path for path in made.rglob("*") if file in path.name]


@pytest.mark.slow
def test_a_truly_full_disk_in_a_checkpoint(world: World, tmp_path: Path) -> None:
    """On a file system of 40 KiB of one's own: Orbax's threads fail in many ways, which come out as one paragraph."""
    disk = tmp_path / "disk"
    disk.mkdir()
    own = ["unshare", "-rm", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=40k tmpfs {disk}"
    if not shutil.which("unshare") or subprocess.run([*own, mount], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a file system of their own (unshare -rm)")
    train = f"{sys.executable} -m likeness.experiments.commands.main train {world.config} --workdir {disk}/run"
    script = f"{mount} && {train}; code=$?; ls {disk}/run/checkpoints {disk}/run; exit $code"
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5",
    }
    done = subprocess.run([*own, script], capture_output=True, text=True, check=False, env={**os.environ, **cache})
    progress = ("data: ", "reading images", "working in ", "step ")
    lines = [line for line in done.stderr.splitlines() if not line.startswith(progress)]
    assert lines == [
        f"likeness: Cannot write {disk}/run/checkpoints/20: the disk is full: free some space, or give another directory, "
        "and launch the same command again."
    ]
    assert done.returncode == 2
    assert done.stdout.split() == [
        f"{disk}/run:",
        "checkpoints",
        "code",
        "config.json",
        "metrics.jsonl",
        "provenance.json",
        "system.jsonl",
        f"{disk}/run/checkpoints:",
    ]


@pytest.mark.slow
def test_a_full_disk_in_evaluation(workdir: Path, likeness: Likeness, full: Callable[[str], None]) -> None:
    full("summary.json")
    before = contents(workdir)
    refused(likeness("evaluate", workdir), workdir / "summary.json", "the disk is full: free some space")
    after = contents(workdir)
    assert {name for name in before if before[name] != after.get(name)} <= {f"figures/{n}.png" for n in ("curves", "roc")}
    assert after.keys() == before.keys()


def test_a_full_disk_in_enrollment(workdir: Path, world: World, likeness: Likeness, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite is kept from growing the file, which it reports as it reports a full disk."""
    assert likeness("enroll", "add", "Bob", world.strangers / "bob" / "0.png", "--model", workdir).code == 0
    before = contents(workdir)
    connect = database._connect

    def connect_on_a_full_disk(path: Path, parameters: str = "") -> sqlite3.Connection:
        connection = connect(path, parameters)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(database, "_connect", connect_on_a_full_disk)
    many = tmp_files(world, 200)
    said = likeness("enroll", "add", "Ada", *many, "--model", workdir)
    refused(said, workdir / "gallery.sqlite", "the disk is full", "Nothing was changed.")
    assert contents(workdir) == before


def tmp_files(world: World, number: int) -> list[Path]:
    """So many images of different bytes."""
    folder = world.workdir.parent / "many"
    folder.mkdir(exist_ok=True)
    files = [folder / f"{i}.png" for i in range(number)]
    for i, file in enumerate(files):
        Image.new("RGB", (32, 32), (i % 256, 0, i // 256)).save(file)
    return files


def test_no_people_left_after_the_split(world: World, likeness: Likeness, tmp_path: Path) -> None:
    made = tmp_path / "new"
    said = likeness("train", world.config, "--workdir", made, "--experiment.split.test", "18")
    refused(said, "Of 24 people the split leaves none for train", "ask for fewer people to evaluate by")
    assert not made.exists()


def test_a_nan_image(world: World, likeness: Likeness, tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((24, 32, 32, 3), np.float32)
    images[5, 7, 3, 1] = np.nan
    np.savez(tmp_path / "faces.npz", images=images, labels=np.arange(24) // 2)
    config = tmp_path / "arrays_with_nan.py"
    text = CONFIG.format(path=str(tmp_path / "faces.npz")).replace("Folder", "Arrays").replace(", size=32, channels=3", "")
    config.write_text(text)
    said = likeness("train", config, "--workdir", tmp_path / "new")
    refused(said, tmp_path / "faces.npz", "hold NaN or infinity, first at [5, 7, 3, 1]: mend or leave them out")
    assert not (tmp_path / "new").exists()


def test_names_that_are_not_utf8(world: World, likeness: Likeness, tmp_path: Path) -> None:
    """They are taken, and shown printably; what is wrong with a file is said of its escaped path."""
    shown = "Zo\N{REPLACEMENT CHARACTER}xeb"
    person = os.fsdecode(os.fsencode(tmp_path / "people") + b"/Zo\xeb")
    Path(person).mkdir(parents=True)
    image = Path(os.fsdecode(os.fsencode(person) + b"/\xff.png"))
    Image.open(world.strangers / "bob" / "0.png").save(image)
    where = ("--model", world.workdir, "--gallery", tmp_path / "gallery.sqlite")
    said = likeness("enroll", "folder", tmp_path / "people", *where)
    assert said.code == 0
    assert f"enrolled {shown} with 1 image" in said.out
    said = likeness("identify", image, *where)
    assert said.code == 0
    assert f"\\xff.png: {shown}: nearest is {shown} at distance 0" in said.out
    image.write_text("no image any more")
    refused(likeness("identify", image, *where), "Zo\\xeb/\\xff.png", "it is not a JPEG")
    refused(likeness("enroll", "remove", os.fsdecode(b"\xfe"), *where), "nobody is enrolled as \N{REPLACEMENT CHARACTER}xfe")
    (tmp_path / "people" / r"Zo\xeb").mkdir()
    for name in ("zed", "Zed", "Zed "):
        (tmp_path / "people" / name).mkdir()
    for name in ("zed", "Zed", "Zed ", r"Zo\xeb"):
        Image.open(world.strangers / "ada" / "0.png").save(tmp_path / "people" / name / "1.png")
    Image.open(world.strangers / "ada" / "0.png").save(image)
    said = likeness("enroll", "folder", tmp_path / "people", *where)
    assert said.code == 0
    assert "1 name is that of several folders, which are taken for one: Zed ('Zed', 'Zed ')" in said.out
    assert "warning: these are different people, whose names differ by little: Zed, zed" in said.out
    assert "4 people in " in said.out
    said = likeness("enroll", "rename", r"Zo\xeb", "ZED", *where)
    assert "whose names differ by little: ZED, Zed, zed" in said.out


def test_a_loop_of_links_among_the_people(world: World, likeness: Likeness, tmp_path: Path) -> None:
    (tmp_path / "people" / "ada").mkdir(parents=True)
    (tmp_path / "people" / "ada" / "again").symlink_to(tmp_path / "people")
    (tmp_path / "people" / "loop").symlink_to(tmp_path / "people" / "loop")
    where = ("--workdir", tmp_path / "new", "--experiment.data.path", tmp_path / "people")
    refused(likeness("train", world.config, *where), tmp_path / "people", "a folder inside a person's folder is not read")
    folder = ("enroll", "folder", tmp_path / "people", "--model", world.workdir, "--gallery", tmp_path / "new")
    refused(likeness(*folder), "ada/again", "it is a folder")
    refused(likeness("train", world.config, "--workdir", tmp_path / "people" / "loop"), tmp_path / "people" / "loop")
    assert not (tmp_path / "new").exists()


def test_an_empty_gallery(world: World, likeness: Likeness, tmp_path: Path) -> None:
    path, image = tmp_path / "gallery.sqlite", world.strangers / "ada" / "0.png"
    command = ("identify", image, "--model", world.workdir, "--gallery", path)
    refused(likeness(*command), path, "there is no such file. Enroll someone first")
    assert not path.exists()
    Recognizer.load(world.workdir).gallery(path, create=True).close()
    refused(likeness(*command), "The gallery is empty", "Enroll at least one person first")


def test_a_directory_that_is_no_working_directory(likeness: Likeness, world: World, tmp_path: Path) -> None:
    image = world.strangers / "ada" / "0.png"
    for command in (("verify", image, image, "--model"), ("evaluate",), ("enroll", "list", "--model")):
        refused(
            likeness(*command, tmp_path / "nowhere"), "There is no working directory", tmp_path / "nowhere", "likeness train"
        )
        refused(likeness(*command, tmp_path), f"{tmp_path} is no working directory", "likeness train")
    assert not list(tmp_path.iterdir())


def test_a_run_that_has_not_finished(workdir: Path, world: World, likeness: Likeness) -> None:
    (workdir / "preprocessing.json").unlink()
    image = world.strangers / "ada" / "0.png"
    for command in (("verify", image, image), ("enroll", "add", "Ada", image), ("identify", image)):
        said = likeness(*command, "--model", workdir)
        refused(said, workdir, "has not finished", "launch the same `likeness train` command again")


def test_a_damaged_config(workdir: Path, likeness: Likeness) -> None:
    (workdir / "config.json").write_text(json.dumps({"type": "nowhere.Run"}))
    refused(likeness("evaluate", workdir), "'nowhere.Run'", "none of Likeness's classes")
