"""What is asked of a gallery between its commands: enroll, identify, history, export."""

import dataclasses
import hashlib
import json
import sys

import numpy as np
import pytest
from small_world import Likeness, World

from likeness.experiments.recognition.protocols import open_embeddings
from likeness.research.gallery import STORES, Gallery
from likeness.research.metrics.intervals import Estimate

pytestmark = pytest.mark.end_to_end


@pytest.mark.slow
@pytest.mark.parametrize("store", STORES)
def test_what_is_kept_of_each_number_changes_no_answer(world: World, likeness: Likeness, tmp_path, store: str) -> None:
    where = ("--model", world.workdir, "--gallery", tmp_path / "g.sqlite")
    assert likeness("enroll", "folder", world.strangers, *where).code == 0
    images = [world.strangers / name / "1.png" for name in ("ada", "bob", "cyd")]
    said = likeness("identify", *images, *where, "--store", store)
    assert said.code == 0, said.err
    assert said.out == likeness("identify", *images, *where).out
    kept = likeness("identify", *images, *where, "--store", store, "--json")
    assert [each["name"] for each in json.loads(kept.out)] == ["ada", "bob", "cyd"]


@pytest.mark.slow
def test_a_person_comes_is_known_is_replaced_and_goes_and_all_of_it_is_told(world: World, likeness: Likeness, tmp_path) -> None:
    """enroll, identify, replace, rename, remove, history, export: what each leaves is what the next one finds."""
    where = ("--model", world.workdir, "--gallery", tmp_path / "g.sqlite")
    people = {name: world.strangers / name for name in ("ada", "bob", "cyd")}
    for name, folder in people.items():
        assert likeness("enroll", "add", name, folder / "0.png", *where).code == 0
    before = json.loads(likeness("identify", people["ada"] / "1.png", *where, "--json").out)
    images = (people["ada"] / "1.png", people["ada"] / "2.png")
    said = likeness("enroll", "replace", "ada", *images, *where, "--template", "average")
    assert said.code == 0, said.err
    assert said.out.splitlines()[:2] == [
        "enrolled ada with 2 images",
        "people of several images are compared by the average",
    ]
    after = likeness("identify", people["ada"] / "1.png", *where)
    assert after.out.startswith(f"{people['ada'] / '1.png'}: ada") and "each person is the average of theirs" in after.out
    (answer,) = json.loads(likeness("identify", people["ada"] / "1.png", *where, "--json").out)
    assert before[0]["template"] == "nearest" and answer["template"] == "average"
    assert 0 < answer["distance"] < before[0]["distance"]
    assert likeness("enroll", "rename", "bob", "Bob", *where).code == 0
    assert likeness("enroll", "remove", "cyd", *where).code == 0
    said = likeness("enroll", "history", *where, "--json")
    changes = json.loads(said.out)
    assert [(each["action"], each["name"]) for each in changes] == [
        ("added", "ada"),
        ("added", "bob"),
        ("added", "cyd"),
        ("template", "average"),
        ("replaced", "ada"),
        ("added", "ada"),
        ("added", "ada"),
        ("renamed", "Bob"),
        ("removed", "cyd"),
    ]
    digest = hashlib.sha256((people["cyd"] / "0.png").read_bytes()).hexdigest()
    assert changes[-1]["sha256"] == digest and changes[-1]["source"] == str(people["cyd"] / "0.png")
    said = likeness("enroll", "history", "Bob", *where)
    assert [line.split()[1] for line in said.out.splitlines()[:-1]] == ["added", "renamed"]
    assert said.out.splitlines()[-1] == f"2 changes in {tmp_path / 'g.sqlite'}"
    said = likeness("enroll", "export", tmp_path / "g.npz", *where)
    assert said.out == f"wrote 3 embeddings of {tmp_path / 'g.sqlite'} to {tmp_path / 'g.npz'}\n"
    (tmp_path / "d.npz").mkdir()
    said = likeness("enroll", "export", tmp_path / "d.npz", *where)
    assert said.code == 2 and "The gallery cannot be written to" in said.err
    with np.load(tmp_path / "g.npz") as stored:
        assert stored["people"].tolist() == ["Bob", "ada", "ada"] and str(stored["template"]) == "average"
    # Enrolling again leaves the choice as it is; it can be taken back.
    assert likeness("enroll", "folder", world.strangers, *where).code == 0
    assert "average" in likeness("identify", people["ada"] / "1.png", *where).out
    said = likeness("enroll", "list", *where, "--template", "None")
    assert said.code == 2 and "'None'" in said.err and "{None" not in likeness("enroll", "--help").out
    assert likeness("enroll", "list", *where, "--template", "nearest").code == 0
    assert "average" not in likeness("identify", people["ada"] / "1.png", *where).out


@pytest.fixture
def filled(world: World, likeness: Likeness, tmp_path) -> tuple:
    where = ("--model", world.workdir, "--gallery", tmp_path / "g.sqlite")
    assert likeness("enroll", "folder", world.strangers, *where).code == 0
    return where


@pytest.mark.slow
def test_a_command_that_is_refused_leaves_the_gallery_as_it_was(
    filled: tuple, world: World, likeness: Likeness, tmp_path
) -> None:
    image = world.strangers / "ada" / "1.png"
    refused = (
        ("remove", "Nobody"),
        ("rename", "Nobody", "Somebody"),
        ("rename", "ada", "bob"),
        ("replace", "Nobody", image),
        ("add", " ", image),
        ("add", "Eve", tmp_path / "none.png"),
    )
    file = tmp_path / "g.sqlite"
    with Gallery.open(file) as gallery:
        before = gallery.history()
        for action in refused:
            assert likeness("enroll", *action, *filled, "--template", "average").code == 2
            assert gallery.template == "nearest" and gallery.history() == before
        said = likeness("enroll", "rename", "ada", "ada", *filled)
        assert said.code == 0 and said.out.startswith("ada has this name already: it was not changed")
        assert gallery.history() == before
    # Neither is one made where nothing is put into it.
    for action in refused[3:]:
        assert likeness("enroll", *action, *filled[:2], "--gallery", tmp_path / "new.sqlite").code == 2
    assert not list(tmp_path.glob("new.*"))
    said = likeness("enroll", "history", "adda", *filled)
    assert said.code == 2 and "nobody was ever enrolled as adda. Did you mean 'ada'?" in said.err


@pytest.mark.parametrize("ending", [".npz", ".parquet"])
def test_what_is_exported_is_what_is_stored(filled: tuple, likeness: Likeness, tmp_path, ending: str) -> None:
    out = tmp_path / f"out{ending}"
    said = likeness("enroll", "export", out, *filled)
    assert said.code == 0, said.err
    with Gallery.open(tmp_path / "g.sqlite") as gallery:
        codes, listed, fingerprint = gallery.codes(), gallery.embeddings(), gallery.fingerprint
    if ending == ".npz":
        with np.load(out) as stored:
            columns = {name: stored[name] for name in stored.files}
        assert str(columns["fingerprint"]) == fingerprint
        assert open_embeddings(str(out)).images.people == ("ada", "bob", "cyd")
    else:
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(out)
        assert table.schema.metadata[b"fingerprint"].decode() == fingerprint
        columns = {name: np.array(table[name].to_pylist()) for name in table.column_names}
    np.testing.assert_array_equal(columns["embeddings"], codes.vectors)
    for name in ("sha256", "added"):
        assert columns[name].tolist() == [getattr(each, name) for each in listed]
    assert columns["people"].tolist() == [each.name for each in listed]
    assert columns["files"].tolist() == [each.source for each in listed]
    assert columns["ids"].tolist() == [each.id for each in listed]


@pytest.mark.peers
@pytest.mark.parametrize("template", ["nearest", "average"])
def test_faiss_finds_whom_the_gallery_finds(filled: tuple, world: World, likeness: Likeness, tmp_path, template: str) -> None:
    faiss = pytest.importorskip("faiss")
    assert likeness("enroll", "list", *filled, "--template", template).code == 0
    said = likeness("enroll", "export", tmp_path / "g.faiss", *filled)
    assert said.code == 0, said.err
    told = json.loads((tmp_path / "g.faiss.json").read_text())
    index = faiss.read_index(str(tmp_path / "g.faiss"))
    assert index.ntotal == len(told["names"]) == (9 if template == "nearest" else 3)
    assert told["template"] == template
    from likeness.experiments.recognition import Recognizer

    recognizer = Recognizer.load(world.workdir)
    images = [world.strangers / name / "1.png" for name in ("ada", "bob", "cyd")]
    found, rows = index.search(recognizer.embed_files(images), 1)
    with recognizer.gallery(tmp_path / "g.sqlite") as gallery:
        answers = recognizer.identify(gallery, images)
    assert [told["names"][row] for row in rows[:, 0]] == [answer.nearest.name for answer in answers]
    assert told["metric"] == "squared_l2"
    np.testing.assert_allclose(found[:, 0], [answer.distance for answer in answers], atol=1e-5)


def test_what_cannot_be_exported_is_said(filled: tuple, likeness: Likeness, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = likeness("enroll", "export", tmp_path / "g.csv", *filled)
    assert said.code == 2 and ".npz, a table .parquet, or FAISS's .faiss or .index" in said.err
    monkeypatch.setitem(sys.modules, "faiss", None)
    said = likeness("enroll", "export", tmp_path / "g.index", *filled)
    assert said.code == 2 and "needs faiss, which is not installed: pip install 'likeness-jax[faiss]'" in said.err
    for name in ("ada", "bob", "cyd"):
        assert likeness("enroll", "remove", name, *filled).code == 0
    said = likeness("enroll", "export", tmp_path / "g.npz", *filled)
    assert said.code == 2 and "nobody is enrolled, so there is nothing to write" in said.err
    said = likeness("enroll", "history", *filled, "--template", "average")
    assert said.code == 2 and "--template changes how people are compared" in said.err
    assert not list(tmp_path.glob("g.[cni]*"))


@pytest.mark.slow
def test_a_share_of_strangers_is_asked_for(filled: tuple, world: World, likeness: Likeness, tmp_path) -> None:
    """The world's six validation people choose no T(N), which is said; a cohort that reaches answers, and no farther."""
    from likeness.experiments.recognition import Recognizer
    from likeness.research.gallery import GalleryThresholds
    from likeness.research.metrics.sized_thresholds import thresholds_by_size

    image = world.strangers / "ada" / "1.png"
    said = likeness("identify", image, *filled, "--fpir", "0.1")
    assert said.code == 2 and "has no thresholds for galleries" in said.err and "leave --fpir out" in said.err
    recognizer = Recognizer.load(world.workdir)
    vectors = np.random.default_rng(0).normal(size=(11, recognizer.dimension))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = thresholds_by_size(vectors, np.arange(11), recognizer.distance, fpirs=(0.1,))
    file = world.workdir / "gallery_thresholds.json"
    GalleryThresholds(people=11, fingerprint=recognizer.fingerprint, distance=repr(recognizer.distance), thresholds=found).save(
        file
    )
    try:
        said = likeness("identify", image, *filled, "--fpir", "0.1")
        assert said.code == 0, said.err
        text = said.out
        assert "; T(9) " in said.out and "strangers named by a gallery of 9 people" in said.out
        (answer,) = json.loads(likeness("identify", image, *filled, "--fpir", "0.1", "--json").out)
        assert answer["threshold"] == recognizer.threshold.to_json()
        with recognizer.gallery(tmp_path / "g.sqlite") as gallery:
            stranger = recognizer.identifier(gallery, fpir=0.1).stranger
        assert Estimate.from_json(answer["stranger"]) == stranger
        assert f"gets a name in {stranger.text() if stranger.resolved else 'a share that is not known'} of cases" in text
        nine = next(each for each in found if each.size == 9)
        assert answer["tau"] == answer["sized"]["tau"] == nine.tau and answer["sized"]["size"] == 9
        assert (answer["name"] == "ada") == (answer["distance"] <= nine.tau)
        for wrong in ("0", "1", "nan", "inf", "-1", "10%", "None"):
            said = likeness("identify", image, *filled, "--fpir", wrong)
            assert said.code == 2 and f"{wrong} is no rate, which lies between 0 and 1" in said.err
            assert "NoneType" not in said.err
        said = likeness("identify", image, *filled, "--fpir", "0.01")
        assert said.code == 2 and "thresholds were chosen for 0.1" in said.err
        assert likeness("enroll", "add", "Eve", *(world.strangers / "ada" / f"{n}.png" for n in (0, 1)), *filled).code == 0
        said = likeness("identify", image, *filled, "--fpir", "0.1")
        assert said.code == 2 and "A gallery of 11 embeddings lies beyond what the cohort of 11 people tells" in said.err
        dataclasses.replace(GalleryThresholds.load(file), distance="Cosine()").save(file)
        said = likeness("identify", image, *filled, "--fpir", "0.1")
        assert said.code == 2 and "The thresholds of galleries were chosen with the distance Cosine()" in said.err
    finally:
        file.unlink()
