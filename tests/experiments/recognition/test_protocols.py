"""The protocols of the field as entries of an experiment: the same numbers as their functions give on bare embeddings."""

import dataclasses
import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from likeness.experiments.config import from_json, to_json
from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.recognition import (
    BinaryPairs,
    Blufr,
    ErrorVersusReject,
    EvaluatedSet,
    EvaluationProtocol,
    EveryPair,
    GallerySizes,
    GroupErrorRates,
    ListedPairs,
    Retrieval,
    TemplateIdentification,
    TemplateVerification,
    evaluate,
    evaluated_embeddings,
    open_embeddings,
)
from likeness.experiments.recognition.embedders import Embedder, RawPixels
from likeness.experiments.recognition.protocols import check_protocol
from likeness.research import metrics
from likeness.research.data import Folder, Preprocessing, VerificationBin, read_pairs
from likeness.research.distances import Cosine
from likeness.research.errors import UserError

PEOPLE, IMAGES, SIDE = 24, 4, 12
EXACT = Preprocessing(size=(SIDE, SIDE), channels=3, fit="exact")


def encoded(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def lfw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of people laid out as LFW is, with lists of pairs, templates, groups and BLUFR's trials."""
    root, rng = tmp_path_factory.mktemp("lfw"), np.random.default_rng(0)
    pixels = {}
    for person in range(PEOPLE):
        base = rng.integers(0, 256, (SIDE, SIDE, 3))
        for image in range(1, IMAGES + 1):
            noisy = np.clip(base + rng.normal(0, 150, base.shape), 0, 255).astype(np.uint8)
            name = f"P{person:02d}/P{person:02d}_{image:04d}"
            pixels[name] = encoded(noisy)
            path = root / "images" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pixels[name])
    lines = ["4\t6"]
    for fold in range(4):
        own = range(6 * fold, 6 * fold + 6)
        lines += [f"P{person:02d}\t1\t2" for person in own]
        lines += [f"P{person:02d}\t3\tP{6 * fold + (person + 1) % 6:02d}\t4" for person in own]
    (root / "pairs.txt").write_text("\n".join(lines) + "\n")
    (root / "dev.csv").write_text(
        "".join(f"P{p:02d}/P{p:02d}_0001.png,P{p:02d}/P{p:02d}_0003.png,same\n" for p in range(12))
        + "".join(f"P{p:02d}/P{p:02d}_0001.png,P{p + 1:02d}/P{p + 1:02d}_0001.png,different\n" for p in range(12))
    )
    pairs = read_pairs(str(root / "pairs.txt"))
    both = [pixels[name] for couple in zip(pairs.first, pairs.second, strict=True) for name in couple]
    (root / "lfw.bin").write_bytes(pickle.dumps((both, pairs.same.tolist()), 4))
    (root / "groups.csv").write_text(
        "person,group\n" + "".join(f"P{p:02d},{'north' if p < 10 else 'south'}\n" for p in range(20))
    )
    listed = sorted(pixels)
    (root / "tid_mid.txt").write_text("".join(f"{name}.png {row // 2} {row}\n" for row, name in enumerate(listed)))
    templates = PEOPLE * IMAGES // 2
    (root / "template_pairs.txt").write_text(
        "".join(f"{a} {b} {int(a // 2 == b // 2)}\n" for a in range(templates) for b in range(a + 1, templates))
    )
    for name, half in (("gallery.csv", 0), ("probes.csv", 1)):
        # The last people are probes only: strangers.
        rows = [
            f"{row // 2},{row // 4},{image}.png"
            for row, image in enumerate(listed)
            if row // 2 % 2 == half and (half or row // 4 < 12)
        ]
        (root / name).write_text("TEMPLATE_ID,SUBJECT_ID,FILENAME\n" + "\n".join(rows) + "\n")
    labels = np.repeat(np.arange(1, PEOPLE + 1), IMAGES)
    columns: dict[str, list[np.ndarray]] = {"trainIndex": [], "testIndex": [], "galIndex": [], "probIndex": []}
    for trial in range(2):
        order = np.random.default_rng(trial).permutation(PEOPLE)
        train, test = (1 + np.flatnonzero(np.isin(labels, 1 + part)) for part in (order[:8], order[8:]))
        gallery = 1 + IMAGES * order[8:16]
        for field, rows in zip(columns, (train, test, gallery, np.setdiff1d(test, gallery)), strict=True):
            columns[field].append(rows[:, None])
    shuffled = np.array([Path(name).name + ".jpg" for name in listed], object)[:, None]
    cells = {field: _cells(rows) for field, rows in columns.items()}
    scipy.io.savemat(root / "blufr.mat", {"imageList": shuffled, "labels": labels[:, None], **cells})
    return root


def _cells(rows: list[np.ndarray]) -> np.ndarray:
    found = np.empty((len(rows), 1), object)
    for place, row in enumerate(rows):
        found[place, 0] = row
    return found


@pytest.fixture(scope="module")
def evaluated(lfw: Path) -> EvaluatedSet:
    """Pixels about their mean, compared by the angle between them."""
    images = Folder(str(lfw / "images"), size=SIDE).open()
    flat = Embedder(
        embed=lambda pixels: (np.asarray(pixels, np.float32) / 255 - 0.5).reshape(len(pixels), -1),
        distance=lambda first, second: np.asarray(Cosine().pairwise(first, second)),
        compared_by=Cosine(),
    )
    return evaluate(flat, images)


def test_a_list_of_pairs_is_evaluated_as_its_arrays_are(lfw: Path, evaluated: EvaluatedSet) -> None:
    protocol = ListedPairs(pairs=str(lfw / "pairs.txt"), fars=(0.1,), threshold_from=str(lfw / "dev.csv"), name="lfw")
    found, pairs = protocol.metrics(evaluated), read_pairs(str(lfw / "pairs.txt"))
    first, second = pairs.rows_of(evaluated.images.names)
    labels = evaluated.images.labels
    assert np.array_equal(labels[first] == labels[second], pairs.same)
    distances = metrics.compare_pairs(evaluated.embeddings, first, second, Cosine())
    people = np.stack([labels[first], labels[second]], axis=1)
    plain = metrics.listed_pairs(distances, pairs.same, pairs.folds, people, (0.1,), name="lfw")
    assert {name: each for name, each in found.items() if "chosen" not in name} == plain
    assert found["lfw/accuracy@chosen"] == metrics.accuracy_at(distances, pairs.same, found["lfw/threshold@chosen"], people)
    free = dataclasses.replace(protocol, setting="unrestricted", threshold_from="").metrics(evaluated)
    assert free.keys() == plain.keys() and free["lfw/eer"] == plain["lfw/eer"]
    nobody = evaluated_embeddings(evaluated.embeddings, evaluated.images.names, ["x"] * len(evaluated.images))
    assert dataclasses.replace(protocol, threshold_from="").metrics(nobody)["lfw/eer"].value == plain["lfw/eer"].value
    with pytest.raises(UserError, match="disagree on whom they show"):
        dataclasses.replace(protocol, setting="unrestricted").metrics(nobody)


def test_images_of_a_protocol_s_own_are_embedded_once(lfw: Path, evaluated: EvaluatedSet) -> None:
    few = evaluate(evaluated.embedder, evaluated.images.select(np.arange(8)))
    own = Folder(str(lfw / "images"), size=SIDE)
    protocol = ListedPairs(pairs=str(lfw / "pairs.txt"), fars=(0.1,), images=own)
    with pytest.raises(UserError, match="not among the 8 images"):
        dataclasses.replace(protocol, images=None).metrics(few)
    assert protocol.metrics(few) == dataclasses.replace(protocol, images=None).metrics(evaluated)
    again = few.of(Folder(str(lfw / "images"), size=SIDE))
    assert len(few.others) == 1 and again is few.of(own)


def test_insightface_s_set_is_the_list_without_the_names(lfw: Path, evaluated: EvaluatedSet) -> None:
    bin = VerificationBin(path=str(lfw / "lfw.bin"), preprocessing=EXACT)
    found = BinaryPairs(bin=bin, folds=4, fars=(0.1,)).metrics(evaluated)
    listed = ListedPairs(pairs=str(lfw / "pairs.txt"), fars=(0.1,)).metrics(evaluated)
    for name in ("accuracy", "tar@far=1e-1", "eer", "auc"):
        assert found[f"bin/{name}"].value == pytest.approx(listed[f"pairs/{name}"].value)


def test_blufr_finds_its_images_by_name(lfw: Path, evaluated: EvaluatedSet) -> None:
    protocol = Blufr(lists=str(lfw / "blufr.mat"), far=0.01, fpir=0.1)
    found = protocol.metrics(evaluated)
    backwards = evaluate(evaluated.embedder, evaluated.images.select(np.arange(len(evaluated.images))[::-1]))
    assert {name: each.value for name, each in protocol.metrics(backwards).items()} == pytest.approx(
        {name: each.value for name, each in found.items()}
    )
    assert "blufr/dir@far=1e-1,mean-sd" in found
    single = dataclasses.replace(protocol, trials=1).metrics(evaluated)
    assert single["blufr/vr@far=1e-2"].n == 1 and "blufr/vr@far=1e-2,mean-sd" not in single


def test_all_pairs_and_retrieval_are_their_functions(evaluated: EvaluatedSet) -> None:
    arrays = evaluated.embeddings, evaluated.images.labels, Cosine()
    assert EveryPair(fars=(0.01,)).metrics(evaluated) == metrics.verify_all_pairs(*arrays, (0.01,))
    assert Retrieval().metrics(evaluated) == metrics.retrieval.retrieval(*arrays)
    sizes = GallerySizes(sizes=(8, 100), fpir=0.2, strangers=0.5).metrics(evaluated)
    assert sizes == metrics.by_gallery_size(*arrays, sizes=(8, 100), fpir=0.2, strangers=0.5)


def test_a_subject_without_a_distance_of_its_own_is_compared_by_what_it_offers(evaluated: EvaluatedSet) -> None:
    pixels = evaluate(RawPixels().fit(evaluated.images), evaluated.images)
    found = EveryPair(fars=(0.01,)).metrics(pixels)
    distances = pixels.embedder.distance(pixels.embeddings, pixels.embeddings)
    pairs = metrics.all_pairs(np.asarray(distances, np.float32), pixels.images.labels)
    assert found["all_pairs/eer"].value == pytest.approx(float(metrics.eer(metrics.roc.roc(pairs.distances, pairs.same))))


def test_templates_are_pooled_and_compared(lfw: Path, evaluated: EvaluatedSet) -> None:
    one = TemplateVerification(templates=str(lfw / "tid_mid.txt"), pairs=str(lfw / "template_pairs.txt"), fars=(0.01,))
    found = one.metrics(evaluated)
    single = EveryPair(fars=(0.01,)).metrics(evaluated)
    assert found["templates/eer"].value < single["all_pairs/eer"].value
    assert found["templates/tar@far=1e-2"].n == PEOPLE
    weighted = dataclasses.replace(one, pooling="norm").metrics(evaluated)
    assert weighted["templates/eer"].value != found["templates/eer"].value or weighted.keys() == found.keys()
    many = TemplateIdentification(gallery=str(lfw / "gallery.csv"), probes=str(lfw / "probes.csv"), fpirs=(0.1,)).metrics(
        evaluated
    )
    assert many["templates/rank1"].n == 12 and many["templates/rank1"].value > 0.5
    assert many["templates/fnir@fpir=1e-1"].resolved
    with pytest.raises(UserError, match="column SUBJECT_ID"):
        TemplateIdentification(gallery=str(lfw / "tid_mid.txt"), probes=str(lfw / "probes.csv")).metrics(evaluated)


def test_groups_come_from_a_table(lfw: Path, evaluated: EvaluatedSet) -> None:
    found = GroupErrorRates(groups=str(lfw / "groups.csv"), far=0.01).metrics(evaluated)
    assert sorted(found) == [
        "groups/fmr@north",
        "groups/fmr@south",
        "groups/fnmr@north",
        "groups/fnmr@south",
        "groups/threshold",
    ]
    assert found["groups/fnmr@north"].n == 10 * 6 and found["groups/fmr@south"].n == 40 * 39 // 2 - 10 * 6
    (lfw / "strangers.csv").write_text("Nobody,north\n")
    with pytest.raises(UserError, match="names none of the 24 people"):
        GroupErrorRates(groups=str(lfw / "strangers.csv")).metrics(evaluated)


def test_rejection_goes_by_the_norm_of_the_embedding(evaluated: EvaluatedSet) -> None:
    found = ErrorVersusReject(far=0.01, rejects=(0.0, 0.5)).metrics(evaluated)
    assert sorted(found) == ["rejection/area", "rejection/fnmr@reject=0", "rejection/fnmr@reject=0.5"]
    unit = evaluated.embeddings / np.linalg.norm(evaluated.embeddings, axis=1, keepdims=True)
    flat = ErrorVersusReject(far=0.01, rejects=(0.0, 0.5)).metrics(dataclasses.replace(evaluated, embeddings=unit))
    assert [each.resolved for each in flat.values()] == [False, False] and "unit length" in flat["rejection/fnmr@reject=0"].why


def test_bare_embeddings_take_every_protocol(lfw: Path, evaluated: EvaluatedSet, tmp_path: Path) -> None:
    files = [str(lfw / "images" / name) for name in evaluated.images.names]
    np.savez(tmp_path / "embeddings.npz", embeddings=evaluated.embeddings, files=np.array(files))
    bare = open_embeddings(str(tmp_path / "embeddings.npz"))
    assert bare.images.people == evaluated.images.people
    protocol = ListedPairs(pairs=str(lfw / "pairs.txt"), fars=(0.1,))
    assert protocol.metrics(bare) == protocol.metrics(evaluated)
    assert ErrorVersusReject(far=0.01).metrics(bare) == ErrorVersusReject(far=0.01).metrics(evaluated)
    with pytest.raises(UserError, match="without the network"):
        dataclasses.replace(protocol, images=Folder(str(lfw / "images"), size=SIDE)).metrics(bare)
    named = evaluated_embeddings(evaluated.embeddings[:2], ["1.jpg", "2.jpg"], ["Ann", "Bob"])
    assert named.images.people == ("Ann", "Bob")


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"embeddings": np.eye(2)}, "none of files, names, paths"),
        ({"embeddings": np.eye(2), "files": np.array(["a/1"])}, "each row has one name"),
        ({"embeddings": np.eye(2), "files": np.array(["1", "2"])}, "lies in no folder"),
        ({"files": np.array(["a/1"])}, "no array `embeddings`"),
    ],
)
def test_files_without_embeddings_are_refused(tmp_path: Path, arrays: dict, says: str) -> None:
    np.savez(tmp_path / "e.npz", **arrays)
    with pytest.raises(UserError, match=says):
        open_embeddings(str(tmp_path / "e.npz"))
    (tmp_path / "e.npz").write_text("no archive")
    with pytest.raises(UserError, match="cannot be read"):
        open_embeddings(str(tmp_path / "e.npz"))


def every() -> list[EvaluationProtocol]:
    folder = Folder("people", size=SIDE)
    return [
        EveryPair(),
        BinaryPairs(bin=VerificationBin(path="lfw.bin")),
        Blufr(lists="blufr.mat", images=folder),
        ErrorVersusReject(),
        GallerySizes(),
        GroupErrorRates(groups="groups.csv"),
        ListedPairs(pairs="pairs.txt"),
        ListedPairs(pairs="pairs.txt", images=folder),
        Retrieval(),
        TemplateIdentification(gallery="g.csv", probes="p.csv"),
        TemplateVerification(templates="t.txt", pairs="p.txt", images=folder),
    ]


@pytest.mark.parametrize("protocol", every(), ids=lambda protocol: type(protocol).__name__)
def test_a_protocol_is_written_down_and_comes_back(protocol: EvaluationProtocol) -> None:
    assert isinstance(protocol, EvaluationProtocol)
    assert from_json(to_json(protocol)) == protocol
    assert hash(protocol) == hash(from_json(to_json(protocol)))


def test_files_and_images_that_do_not_fit_are_refused_before_anything_is_trained(lfw: Path) -> None:
    inputs = ModelInputs(shape=(SIDE, SIDE, 3), preprocessing=Folder("x", size=SIDE).preprocessing)
    pairs = str(lfw / "pairs.txt")
    check_protocol(ListedPairs(pairs=pairs, images=Folder("people", size=SIDE)), inputs)
    check_protocol(ListedPairs(pairs=pairs), inputs)
    with pytest.raises(UserError, match="ListedPairs reads its files otherwise .* size"):
        check_protocol(ListedPairs(pairs=pairs, images=Folder("people", size=SIDE + 1)), inputs)
    with pytest.raises(UserError, match="BinaryPairs reads its files otherwise"):
        check_protocol(BinaryPairs(bin=VerificationBin(path=str(lfw / "lfw.bin"))), inputs)
    for protocol in every():
        if hasattr(protocol, "check"):
            with pytest.raises(UserError, match=r"no file|cannot be used"):
                check_protocol(protocol, inputs)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (ListedPairs, {"pairs": "p", "folds": 1}),
        (ListedPairs, {"pairs": "p", "setting": "free"}),
        (ListedPairs, {"pairs": "p", "fars": (2.0,)}),
        (BinaryPairs, {"bin": VerificationBin(path="b"), "name": ""}),
        (Blufr, {"lists": "l", "trials": 0}),
        (EveryPair, {"fars": (0.0,)}),
        (GallerySizes, {"sizes": (0,)}),
        (TemplateVerification, {"templates": "t", "pairs": "p", "pooling": "max"}),
        (TemplateIdentification, {"gallery": "t", "probes": "p", "fpirs": (1.0,)}),
        (GroupErrorRates, {"groups": "g", "far": 0.0}),
        (ErrorVersusReject, {"rejects": (0.5, 0.1)}),
    ],
)
def test_fields_that_make_no_sense_are_refused(kind: type, fields: dict) -> None:
    with pytest.raises(ValueError, match=kind.__name__):
        kind(**fields)
