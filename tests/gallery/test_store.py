import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

from likeness.research.errors import UserError
from likeness.research.gallery import EnrolledImage, Gallery
from likeness.research.gallery.database import SCHEMA

PRINT = "model-a"


def code(seed, rows=1, dimension=4):
    return np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "people.sqlite"


@pytest.fixture
def gallery(path):
    with Gallery.create(path, PRINT, 4) as gallery:
        yield gallery


def test_people_are_added_renamed_and_removed(gallery):
    first = gallery.add("Ada", code(0, 2), [EnrolledImage("a.jpg", "aa"), EnrolledImage("b.jpg", "bb")])
    gallery.add("Bob", code(1))
    gallery.add("Ada", code(2))
    assert len(first.added) == 2
    assert gallery.people() == {"Ada": 3, "Bob": 1}
    assert len(gallery) == 4
    gallery.rename("Ada", "Countess")
    assert gallery.people() == {"Bob": 1, "Countess": 3}
    gallery.remove_embedding(first.added[0])
    assert [row.source for row in gallery.embeddings("Countess")] == ["b.jpg", ""]
    assert gallery.remove("Countess") == 2
    assert gallery.people() == {"Bob": 1}


def test_codes_come_back_bit_for_bit_after_reopening(path):
    with Gallery.create(path, PRINT, 4) as gallery:
        gallery.add("Bob", code(0, 2))
        gallery.add("Ada", code(1))
        gallery.add("Bob", code(2))
    with Gallery.open(path, PRINT) as gallery:
        codes = gallery.codes()
    assert codes.names == ("Ada", "Bob")
    assert codes.owners.tolist() == [0, 1, 1, 1]
    assert codes.vectors.dtype == np.float32
    np.testing.assert_array_equal(codes.vectors, np.concatenate([code(1), code(0, 2), code(2)]))


def test_vectors_are_little_endian_float32_on_disk(gallery, path):
    gallery.add("Ada", [[1.0, 2.0, 3.0, 4.0]])
    with sqlite3.connect(path) as other:
        (blob,) = other.execute("SELECT vector FROM embeddings").fetchone()
    other.close()
    assert np.frombuffer(blob, "<f4").tolist() == [1, 2, 3, 4]


def test_embeddings_are_listed_with_time_and_source(gallery):
    gallery.add("Ada", code(0), [EnrolledImage("faces/ada.jpg", "ab" * 32)])
    (row,) = gallery.embeddings()
    assert (row.name, row.source, row.sha256) == ("Ada", "faces/ada.jpg", "ab" * 32)
    assert row.added.endswith("+00:00")


def test_the_same_image_is_noted(gallery):
    gallery.add("Ada", code(0), [EnrolledImage("a.jpg", "aa")])
    again = gallery.add("Ada", code(0, 2), [EnrolledImage("copy.jpg", "aa"), EnrolledImage("b.jpg", "bb")])
    assert len(again.added) == 1
    assert [(d.source, d.name, d.earlier) for d in again.skipped] == [("copy.jpg", "Ada", "a.jpg")]
    other = gallery.add("Bob", code(0), [EnrolledImage("bob.jpg", "aa")])
    assert len(other.added) == 1
    assert [d.name for d in other.shared] == ["Ada"]
    assert gallery.people() == {"Ada": 2, "Bob": 1}
    assert gallery.enrolled_as("aa") == ("Ada", "Bob")
    assert gallery.enrolled_as("bb") == ("Ada",)
    assert gallery.enrolled_as("cc") == gallery.enrolled_as("") == ()


def test_a_change_that_raises_in_the_middle_leaves_nothing(gallery):
    gallery.add("Ada", code(0))
    with pytest.raises(KeyboardInterrupt), gallery.transaction():
        gallery.add("Bob", code(1))
        gallery.rename("Ada", "Eve")
        raise KeyboardInterrupt
    assert gallery.people() == {"Ada": 1}
    with pytest.raises(UserError, match="not finite"), gallery.transaction():
        gallery.add("Bob", code(1))
        gallery.add("Eve", np.full((1, 4), np.nan, np.float32))
    assert gallery.people() == {"Ada": 1}


def test_a_process_killed_in_the_middle_leaves_nothing(path):
    Gallery.create(path, PRINT, 4).close()
    script = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("INSERT INTO people (name) VALUES ('half')")
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == -9
    with Gallery.open(path) as gallery:
        assert gallery.people() == {}
        gallery.add("Ada", code(0))


def test_two_connections_write_and_read(path, gallery):
    with Gallery.open(path, PRINT) as other:
        gallery.add("Ada", code(0))
        other.add("Bob", code(1))
        gallery.add("Bob", code(2))
        assert other.people() == gallery.people() == {"Ada": 1, "Bob": 2}
        with gallery.transaction():
            gallery.add("Eve", code(3))
            assert "Eve" not in other.people()
        assert "Eve" in other.people()


def test_two_writers_at_once_lose_nothing(path):
    Gallery.create(path, PRINT, 4).close()

    def enroll(letter):
        with Gallery.open(path) as gallery:
            for number in range(20):
                gallery.add(f"{letter}{number}", code(number))

    threads = [threading.Thread(target=enroll, args=(letter,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Gallery.open(path) as gallery:
        assert len(gallery.people()) == 40


def test_a_writer_that_holds_on_is_named(path, gallery):
    with Gallery.open(path) as other, gallery.transaction():
        other._connection.execute("PRAGMA busy_timeout = 10")
        with pytest.raises(UserError, match="another process has been writing"):
            other.add("Ada", code(0))


def test_another_models_gallery_is_refused(gallery, path):
    with pytest.raises(UserError, match=r"model-a.*model-b.*enroll the people again"):
        Gallery.open(path, "model-b")
    Gallery.open(path).close()


@pytest.mark.parametrize("content", [b"not a gallery\n" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_gallery_is_refused_and_left_as_it_is(path, content):
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"people\.sqlite.*(not a gallery|damaged)"):
        Gallery.open(path)
    assert path.read_bytes() == content


def test_another_programs_sqlite_file_is_refused(path):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE songs (title TEXT)")
    other.close()
    with pytest.raises(UserError, match="not a gallery"):
        Gallery.open(path)
    with pytest.raises(UserError, match="exists already"):
        Gallery.create(path, PRINT, 4)
    with pytest.raises(UserError, match="not a gallery"):
        Gallery.open_or_create(path, PRINT, 4)


def test_a_newer_format_is_refused(path, gallery):
    gallery._connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (SCHEMA + 1,))
    with pytest.raises(UserError, match=f"version {SCHEMA + 1}"):
        Gallery.open(path)


@pytest.mark.parametrize("blob", [b"\0" * 15, np.full(4, np.nan, "<f4").tobytes(), np.full(4, 1e30, "<f4").tobytes()])
def test_a_damaged_vector_is_named(gallery, blob):
    (embedding,) = gallery.add("Ada", code(0)).added
    gallery._connection.execute("UPDATE embeddings SET vector = ?", (blob,))
    with pytest.raises(UserError, match=f"embedding {embedding} of Ada is damaged"):
        gallery.codes()


def test_a_truncated_file_is_refused(path):
    with Gallery.create(path, PRINT, 512) as gallery:
        gallery.add("Ada", code(0, 200, 512))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(UserError, match="damaged"), Gallery.open(path) as gallery:
        gallery.codes()


def test_a_full_disk_changes_nothing(path):
    with Gallery.create(path, PRINT, 512) as gallery:
        gallery.add("Ada", code(0, 1, 512))
        (pages,) = gallery._connection.execute("PRAGMA page_count").fetchone()
        gallery._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(UserError, match=r"could not enroll Bob: the disk is full.*Nothing was changed"):
            gallery.add("Bob", code(1, 100, 512))
        assert gallery.people() == {"Ada": 1}
        (state,) = gallery._connection.execute("PRAGMA integrity_check").fetchone()
    assert state == "ok"


def test_a_directory_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="could not be created"):
        Gallery.create(tmp_path / "file" / "people.sqlite", PRINT, 4)
    if Path("/proc/self").exists():
        with pytest.raises(UserError, match=r"could not be created: .*(opened|permissions)"):
            Gallery.create("/proc/self/people.sqlite", PRINT, 4)


READ_ONLY = """
import os, sys
import numpy as np
from likeness.research.errors import UserError
from likeness.research.gallery import Gallery
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
with Gallery.open(sys.argv[1]) as gallery:
    print(gallery.people(), gallery.codes().vectors.shape)
    for change in (lambda: gallery.add("Bob", np.zeros((1, 4), np.float32)), lambda: Gallery.create(sys.argv[2], "m", 4)):
        try:
            change()
        except UserError as error:
            print(error)
"""


def test_a_gallery_in_a_read_only_directory_is_read_and_not_written():
    # Outside tmp_path, whose parents another user may not enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Gallery.create(folder / "people.sqlite", PRINT, 4) as gallery:
            gallery.add("Ada", code(0))
        (folder / "people.sqlite").chmod(0o444)
        folder.chmod(0o555)
        command = [sys.executable, "-c", READ_ONLY, str(folder / "people.sqlite"), str(folder / "new.sqlite")]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        folder.chmod(0o755)
        left = [item.name for item in folder.iterdir()]
    listed, added, created = done.stdout.splitlines()
    assert listed == "{'Ada': 1} (1, 4)"
    assert "could not enroll Bob: the file or its directory cannot be written" in added
    assert "could not be created" in created
    assert left == ["people.sqlite"]


def test_a_missing_file_and_a_second_gallery_are_refused(path):
    with pytest.raises(UserError, match="no such file"):
        Gallery.open(path)
    Gallery.create(path, PRINT, 4).close()
    with pytest.raises(UserError, match="exists already"):
        Gallery.create(path, PRINT, 4)


TOGETHER = """
import os, sys
import numpy as np
from likeness.research.gallery import Gallery
folder, rounds = sys.argv[1], int(sys.argv[2])
for number in range(rounds):
    ready, go = os.pipe()
    children = []
    for child in range(8):
        if pid := os.fork():
            children.append(pid)
            continue
        os.close(go)
        os.read(ready, 1)
        try:
            with Gallery.open_or_create(f"{folder}/{number}.sqlite", "m", 4) as gallery:
                gallery.add(f"person {child}", np.ones((1, 4), np.float32))
            os._exit(0)
        except BaseException as error:
            print(error, flush=True)
            os._exit(1)
    os.close(ready)
    os.close(go)
    codes = [os.waitpid(pid, 0)[1] for pid in children]
    with Gallery.open(f"{folder}/{number}.sqlite", "m") as gallery:
        print(sum(map(bool, codes)), len(gallery.people()))
"""


@pytest.mark.slow
def test_processes_that_enroll_into_a_new_gallery_at_once_all_succeed(tmp_path):
    command = [sys.executable, "-c", TOGETHER, str(tmp_path), "5"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["0 8"] * 5


KILLED = """
import os, signal, sys, time
import numpy as np
from likeness.research.gallery import Gallery
empty = 0
for number in range(12):
    path = f"{sys.argv[1]}/{number}.sqlite"
    pid = os.fork()
    if not pid:
        Gallery.open_or_create(path, "m", 4)
        os._exit(0)
    while not os.path.exists(path):
        pass
    time.sleep(number * 3e-4)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    empty += os.path.getsize(path) == 0
    with Gallery.open_or_create(path, "m", 4) as gallery:
        gallery.add("Ada", np.ones((1, 4), np.float32))
        assert gallery.people() == {"Ada": 1}
print(empty)
"""


def test_a_gallery_whose_maker_was_killed_is_made_by_the_next(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) > 0


def test_an_empty_file_is_made_into_a_gallery(path):
    path.touch()
    with pytest.raises(UserError, match="is empty"):
        Gallery.open(path, PRINT)
    with Gallery.open_or_create(path, PRINT, 4) as gallery:
        gallery.add("Ada", code(0))
    with Gallery.open_or_create(path, PRINT, 4) as gallery:
        assert gallery.people() == {"Ada": 1}
    with pytest.raises(UserError, match="made with the model"):
        Gallery.open_or_create(path, "model-b", 4)
    path.with_name("other.sqlite").touch()
    with Gallery.create(path.with_name("other.sqlite"), PRINT, 4) as gallery:
        assert gallery.people() == {}


FULL_DISK = """
import sys
from pathlib import Path
import numpy as np
from likeness.research.errors import UserError
from likeness.research.gallery import Gallery
folder = Path(sys.argv[1])
with Gallery.open_or_create(folder / "people.sqlite", "m", 4) as gallery:
    gallery.add("Ada", np.ones((1, 4), np.float32))
with (folder / "filler").open("wb", buffering=0) as filler:
    for size in (4096, 1):
        try:
            while filler.write(bytes(size)):
                pass
        except OSError:
            pass
with Gallery.open(folder / "people.sqlite") as gallery:
    print(gallery.people(), gallery.codes().vectors.shape)
for path in (folder / "people.sqlite", folder / "new.sqlite"):
    try:
        with Gallery.open_or_create(path, "m", 4) as gallery:
            gallery.add("Bob", np.ones((1, 4), np.float32))
    except UserError as error:
        print(error)
(folder / "filler").unlink()
for path in (folder / "people.sqlite", folder / "new.sqlite"):
    with Gallery.open_or_create(path, "m", 4) as gallery:
        gallery.add("Bob", np.ones((1, 4), np.float32))
        print(gallery.people())
"""


def test_a_full_disk_is_read_from_and_said_to_be_full(tmp_path):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", tmp_path], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("only an administrator may make a small disk")
    try:
        command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    read, enrolled, created, *after = done.stdout.splitlines()
    assert read == "{'Ada': 1} (1, 4)"
    assert "people.sqlite: could not be opened or created: the disk is full" in enrolled
    assert "new.sqlite: could not be opened or created: the disk is full" in created
    assert after == ["{'Ada': 1, 'Bob': 1}", "{'Bob': 1}"]


def test_a_misspelt_name_gets_a_suggestion(gallery):
    gallery.add("Ada", code(0))
    for change in (lambda: gallery.remove("ada"), lambda: gallery.rename("Adda", "Eva")):
        with pytest.raises(UserError, match=r"nobody is enrolled as \w+\. Did you mean 'Ada'\?"):
            change()


def test_unknown_names_and_ids_are_refused(gallery):
    gallery.add("Ada", code(0))
    gallery.add("Bob", code(1))
    for change in (
        lambda: gallery.remove("Eve"),
        lambda: gallery.rename("Eve", "Eva"),
        lambda: gallery.embeddings("Eve"),
    ):
        with pytest.raises(UserError, match=r"nobody is enrolled as Eve\. List the gallery to see the names\."):
            change()
    with pytest.raises(UserError, match="Bob is enrolled already"):
        gallery.rename("Ada", "Bob")
    with pytest.raises(UserError, match="no embedding 99"):
        gallery.remove_embedding(99)


@pytest.mark.parametrize(
    "vectors", [np.zeros((1, 3)), np.zeros(4), np.zeros((0, 4)), np.full((1, 4), np.inf), np.full((1, 4), 1e30)]
)
def test_illegal_embeddings_are_refused(gallery, vectors):
    with pytest.raises(UserError, match=r"shape|not finite"):
        gallery.add("Ada", vectors)
    assert gallery.people() == {}


def test_names_follow_the_one_rule(gallery):
    """Bytes are not the text that shows them; what a listing shows finds the person."""
    for name in (os.fsdecode(b"Jos\xe9"), r"Jos\xe9", "Jose\u0301", " Jos\u00e9"):
        gallery.add(name, code(0))
    shown = "Jos\N{REPLACEMENT CHARACTER}xe9"
    assert gallery.people() == {r"Jos\xe9": 1, "Jos\u00e9": 2, shown: 1}
    gallery.rename(shown, "Jos\u00e9s ")
    assert gallery.remove("Jose\u0301s") == 1
    with pytest.raises(UserError, match="empty"):
        gallery.add(" ", code(0))


def test_names_that_are_easily_confused_are_told(gallery):
    for name in ("Ada", "ada", "Bob", "BOB", "Cyd"):
        gallery.add(name, code(0))
    assert gallery.easily_confused(["ADA", "Cyd"]) == (("Ada", "ada"),)
    assert gallery.easily_confused([]) == ()
