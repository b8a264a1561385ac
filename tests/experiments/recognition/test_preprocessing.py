"""Every source, by every way in which a file reaches a trained model: what training saw, or a refusal."""

import dataclasses
import io
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from likeness.experiments.classification import Classification
from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.embedders import trained
from likeness.experiments.recognition.protocols import OfficialOmniglot, Verification
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.experiments.recognition.why import why
from likeness.experiments.storage.workdir import Workdir, write_json
from likeness.experiments.visualization.microscope import Microscope
from likeness.research.data import (
    Arrays,
    CountSplit,
    Digits,
    ExampleArrays,
    Faces,
    Folder,
    IdentityBatches,
    Omniglot,
    OmniglotRuns,
    Preprocessing,
    Tfds,
    to_unit,
)
from likeness.research.errors import UserError
from likeness.research.gallery import Threshold
from likeness.research.losses import BatchHard, Triplet
from likeness.research.metrics.intervals import Estimate

TALL = (32, 24, 1)
STATED = Preprocessing(size=TALL[:2], channels=1, fit="exact")


class Plain(nn.Module):
    """As little of a network as compiles at once."""

    @nn.compact
    def __call__(self, images, train=False):
        return {"embedding": nn.Dense(4, name="dense")(images.reshape(len(images), -1))}


@dataclasses.dataclass(frozen=True)
class OnesOwn:
    """A source of a user's own, which says nothing of files."""

    path: str

    def open(self):
        return Arrays(path=self.path).open()


@dataclasses.dataclass(frozen=True)
class OnesOwnThatSays(OnesOwn):
    preprocessing: Preprocessing = STATED


@dataclasses.dataclass(frozen=True)
class Case:
    """A source, the files of rows of its table, and the files that it does not take."""

    source: object
    files: Callable[[Path, np.ndarray], list[Path]]
    stated: Preprocessing | None = None
    refused: str | None = None
    """What is said where no file can be read."""
    other: tuple[Path, str] | None = None
    """A file that cannot be taken, and what is said of it."""


def png(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path)
    return path


def saved(source) -> Callable[[Path, np.ndarray], list[Path]]:
    """Rows of the table, saved without loss."""

    def files(folder: Path, rows: np.ndarray) -> list[Path]:
        images = source.open()
        return [png(folder / f"{row}.png", images.read(np.array([row]))[0]) for row in rows]

    return files


def in_folders(root: Path) -> Callable[[Path, np.ndarray], list[Path]]:
    """The very files of a folder."""

    def files(folder: Path, rows: np.ndarray) -> list[Path]:
        names = Folder(str(root)).open().names
        return [root / names[row] for row in rows]

    return files


def photographs(root: Path) -> None:
    """JPEG and PNG files of many sizes, upright and lying."""
    draw = np.random.default_rng(0)
    for number in range(12):
        sides = draw.integers(40, 90, 2)
        whole = Image.fromarray(draw.integers(0, 256, (5, 4, 3), np.uint8)).resize(tuple(sides.tolist()))
        path = root / f"person{number % 4}" / f"{number}.{'jpg' if number % 2 else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        whole.save(path)


def drawings(root: Path) -> dict[str, bytes]:
    """Official drawings, in a zip: one bit, black ink on white paper, 105 pixels a side."""
    draw, kept = np.random.default_rng(1), {}
    for number in range(12):
        paper = np.asarray(Image.fromarray(draw.random((12, 12)).astype(np.float32)).resize((105, 105))) < 0.7
        out = io.BytesIO()
        Image.fromarray(paper).save(out, "PNG")
        kept[f"Greek/character{number % 4:02}/{number:04}_{number // 4:02}.png"] = out.getvalue()
    root.mkdir()
    with zipfile.ZipFile(root / "images_background.zip", "w") as archive:
        for name, data in kept.items():
            archive.writestr(f"images_background/{name}", data)
    return kept


def record_files(prepared: str) -> Callable[[Path, np.ndarray], list[Path]]:
    def files(folder: Path, rows: np.ndarray) -> list[Path]:
        import tensorflow_datasets as tfds

        source = tfds.data_source(
            "likeness_files", split="train", data_dir=prepared, decoders={"image": tfds.decode.SkipDecoding()}
        )
        folder.mkdir(parents=True, exist_ok=True)
        for row in rows:
            (folder / f"{row}.png").write_bytes(source[int(row)]["image"])
        return [folder / f"{row}.png" for row in rows]

    return files


def prepared_records(folder: str, photographed: Path) -> str:
    tfds = pytest.importorskip("tensorflow_datasets")
    logging.getLogger("absl").setLevel(logging.ERROR)

    class LikenessFiles(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path = Path(__file__).parent

        def _info(self):
            features = {"image": tfds.features.Image(shape=(None, None, 3)), "label": np.int64}
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for number, path in enumerate(sorted(photographed.rglob("*.*"))):
                yield number, {"image": io.BytesIO(path.read_bytes()), "label": int(path.parent.name[-1])}

    LikenessFiles(data_dir=folder, file_format="array_record").download_and_prepare()
    return folder


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> dict[str, Case]:
    root = tmp_path_factory.mktemp("sources")
    photographs(root / "people")
    tall, zipped = str(root / "tall.npz"), root / "omniglot"
    levels = np.random.default_rng(2).integers(0, 256, (12, *TALL), np.uint8)
    np.savez(tall, images=levels, labels=np.arange(12) % 4)
    small = (png(root / "small.png", np.zeros((20, 20, 3), np.uint8)), "it is 20 x 20 pixels, and only files of")
    kept = drawings(zipped)
    Path(root / "loose").mkdir()
    for number, data in enumerate(kept.values()):
        (root / "loose" / f"{number}.png").write_bytes(data)
    # The table is sorted by character and drawer, the files are numbered by drawer and character.
    loose = [root / "loose" / f"{number}.png" for character in range(4) for number in range(character, 12, 4)]
    not_said = "of {} of {}, and nothing says how an image file becomes one of them"
    records = prepared_records(str(root / "tfds"), root / "people")
    people = str(root / "people")
    wide = Folder(people, size=(32, 18), channels=1, fit="stretch")
    return {
        "folder": Case(Folder(people, size=20), in_folders(root / "people")),
        "folder of its own proportions": Case(wide, in_folders(root / "people")),
        "arrays": Case(Arrays(tall), saved(Arrays(tall)), refused=not_said.format("32 × 24 × 1", "Arrays")),
        "arrays, stated": Case(Arrays(tall), saved(Arrays(tall)), STATED, other=small),
        "digits": Case(Digits(scale=2), saved(Digits(scale=2)), other=small),
        "faces": Case(Faces(people=4, images=3, size=24), saved(Faces(people=4, images=3, size=24)), other=small),
        "gray faces": Case(
            Faces(people=4, images=3, size=24, channels=1), saved(Faces(people=4, images=3, size=24, channels=1)), other=small
        ),
        "omniglot": Case(Omniglot(path=str(zipped)), lambda _, rows: [loose[row] for row in rows], other=small),
        "omniglot, black": Case(Omniglot(path=str(zipped), ink="black"), lambda _, rows: [loose[row] for row in rows]),
        "tfds": Case(Tfds("likeness_files", data_dir=records, size=20), record_files(records)),
        "a source of one's own": Case(OnesOwn(tall), saved(OnesOwn(tall)), refused=not_said.format("32 × 24 × 1", "OnesOwn")),
        "a source of one's own that says it": Case(OnesOwnThatSays(tall), saved(OnesOwn(tall)), other=small),
    }


CASES = (
    "folder",
    "folder of its own proportions",
    "arrays",
    "arrays, stated",
    "digits",
    "faces",
    "gray faces",
    "omniglot",
    "omniglot, black",
    "tfds",
    "a source of one's own",
    "a source of one's own that says it",
)


def experiment_of(case: Case) -> Recognition:
    return Recognition(
        data=case.source,
        preprocessing=case.stated,
        split=CountSplit(validation=1, test=1),
        batches=IdentityBatches(people=2, images=2),
        encoder=Plain(),
        loss=Triplet(rule=BatchHard(), reduction="mean"),
    )


def recognizer_of(experiment: Recognition, workdir: Path, shape: tuple[int, int, int]) -> Recognizer:
    """As one is loaded: what it takes is read from its working directory."""
    variables = experiment.init(jax.random.key(0), {}, {"images": np.zeros((1, *shape), np.uint8)})
    workdir.mkdir(parents=True, exist_ok=True)
    write_json(Workdir(workdir).artifact("preprocessing"), ModelInputs.of(experiment, shape).to_json())
    inputs = ModelInputs.load(workdir)
    fingerprint, rate = experiment.model_fingerprint(variables, inputs), Estimate(0.1, 0.0, 0.2, 100, "wilson")
    distance = repr(experiment.distance_with(variables.params))
    tau = Threshold(tau=1.0, target_far=0.1, far=rate, tar=rate, people=3, fingerprint=fingerprint, distance=distance)
    tau.save(Workdir(workdir).artifact("threshold"))
    embedder = trained(experiment.encoder, experiment.loss, variables.params, variables.state)
    return Recognizer(
        name=str(workdir),
        experiment=experiment,
        variables=variables,
        embedder=embedder,
        inputs=inputs,
        fingerprint=fingerprint,
        home=workdir,
        calibrated_on="validation people",
        threshold_file=Workdir(workdir).artifact("threshold"),
        gallery_thresholds_file=Workdir(workdir).artifact("gallery_thresholds"),
        without_threshold="",
    )


def scope_of(recognizer: Recognizer) -> Microscope:
    return Microscope("model", recognizer.experiment.encoder, {}, recognizer.inputs)


@pytest.mark.parametrize("name", CASES)
def test_a_file_becomes_what_training_saw_or_is_refused(cases, tmp_path, name):
    case = cases[name]
    experiment = experiment_of(case)
    experiment.open()
    images = case.source.open()
    rows = np.array([0, 1, len(images) - 1])
    files = case.files(tmp_path / "files", rows)
    recognizer = recognizer_of(experiment, tmp_path / "run", images.shape)
    folder = tmp_path / "people"
    for number, file in enumerate(files):
        (folder / "ab"[number // 2]).mkdir(parents=True, exist_ok=True)
        (folder / "ab"[number // 2] / f"{number}{file.suffix}").write_bytes(file.read_bytes())
    gallery = tmp_path / "gallery.sqlite"
    commands: dict[str, Callable[[list[Path]], object]] = {
        "embed": lambda files: recognizer.embed_files(files),
        "verify": lambda files: recognizer.verify(*files[:2]),
        "enroll add": lambda files: recognizer.enroll(gallery, {"a": files[:2], "b": files[2:]}),
        "verify --why": lambda files: why(recognizer, files[0], files[1], parts=1),
    }
    of_folders: dict[str, Callable[[str], object]] = {
        "enroll folder": lambda folder: recognizer.find_people(folder),
        "visualize, sanity": lambda folder: scope_of(recognizer).images_in(folder),
    }
    if case.refused is not None:
        for command in commands.values():
            with pytest.raises(UserError, match=case.refused):
                command(files)
        for command in of_folders.values():
            with pytest.raises(UserError, match=case.refused):
                command(str(folder))
        assert not gallery.exists()
        return
    seen = images.read(rows)
    codes = recognizer.embed(seen)
    distance = recognizer.embedder.distance(codes[:1], codes[1:2])[0, 0]
    np.testing.assert_array_equal(commands["embed"](files), codes)
    assert commands["verify"](files).distance == distance
    commands["enroll add"](files)
    with recognizer.gallery(gallery) as opened:
        np.testing.assert_array_equal(opened.codes().vectors, codes)
        answers = recognizer.identify(opened, files)
    assert [answer.name for answer in answers] == ["a", "a", "b"] and max(answer.distance for answer in answers) < 1e-6
    explained = commands["verify --why"](files)
    assert explained.answer.distance == distance
    np.testing.assert_array_equal(explained.images, to_unit(seen[:2]))
    people, skipped, said = of_folders["enroll folder"](str(folder))
    assert not skipped and not said
    np.testing.assert_array_equal(recognizer.embed_files([*people["a"], *people["b"]]), codes)
    looked = of_folders["visualize, sanity"](str(folder))
    np.testing.assert_array_equal(looked.read(np.arange(3)), seen)
    if case.other is not None:
        for command in commands.values():
            with pytest.raises(UserError, match=case.other[1]):
                command([case.other[0], *files[:2]])


def test_the_list_of_cases_is_whole(cases):
    assert tuple(cases) == CASES


def test_a_statement_that_contradicts_the_data_is_refused(cases):
    arrays, digits = cases["arrays, stated"], cases["digits"]
    other = Preprocessing(size=(32, 32), channels=1)
    with pytest.raises(UserError, match=r"Recognition.preprocessing makes images of 32 × 32 × 1, and those of Arrays are 32"):
        experiment_of(dataclasses.replace(arrays, stated=other)).open()
    with pytest.raises(UserError, match="Digits, in another way"):
        experiment_of(dataclasses.replace(digits, stated=other)).open()
    experiment_of(dataclasses.replace(digits, stated=Digits(scale=2).preprocessing)).open()
    wrong = dataclasses.replace(cases["a source of one's own that says it"].source, preprocessing=other)
    with pytest.raises(UserError, match=r"OnesOwnThatSays.preprocessing makes images of 32 × 32 × 1"):
        experiment_of(dataclasses.replace(arrays, source=wrong, stated=None)).open()


def test_a_protocol_with_files_of_its_own_reads_them_as_the_data_are_read(cases):
    experiment = experiment_of(cases["omniglot"])
    alike, black, small = (OfficialOmniglot(runs=OmniglotRuns(**fields)) for fields in ({}, {"ink": "black"}, {"size": 14}))
    dataclasses.replace(experiment, test=(Verification(), alike)).open()
    with pytest.raises(UserError, match="otherwise than those of Omniglot are read.*polarity as_is instead of inverted"):
        dataclasses.replace(experiment, test=(black,)).open()
    with pytest.raises(UserError, match=r"size \(14, 14\) instead of \(28, 28\)"):
        dataclasses.replace(experiment, validation=(small,)).open()


def test_arrays_that_are_not_what_the_model_takes_are_refused(cases, tmp_path):
    recognizer = recognizer_of(experiment_of(cases["arrays, stated"]), tmp_path, TALL)
    for wrong in (np.zeros((1, 32, 32, 1), np.uint8), np.zeros((1, *TALL), np.float32)):
        with pytest.raises(ValueError, match=r"takes uint8 images \(n, 32, 24, 1\)"):
            recognizer.embed(wrong)
    with pytest.raises(ValueError, match="Images to embed are uint8"):
        recognizer.embedder.embed(np.zeros((1, *TALL), np.float32))


def test_the_preprocessing_is_a_part_of_the_model(cases, tmp_path):
    experiment = experiment_of(cases["arrays, stated"])
    recognizer = recognizer_of(experiment, tmp_path, TALL)
    inverted = dataclasses.replace(recognizer.inputs, preprocessing=dataclasses.replace(STATED, polarity="inverted"))
    assert recognizer.fingerprint != experiment.model_fingerprint(recognizer.variables, inverted)
    path = Workdir(tmp_path).artifact("preprocessing")
    for damaged in (
        {},
        {"shape": [1], "preprocessing": STATED.size, "source": "x"},
        {**inverted.to_json(), "shape": [8, 8, 1]},
    ):
        write_json(path, damaged)
        with pytest.raises(UserError, match="does not say what the model takes"):
            ModelInputs.load(tmp_path)
    path.unlink()
    with pytest.raises(UserError, match="holds a run that has not finished"):
        ModelInputs.load(tmp_path)


@pytest.mark.parametrize("stated", [None, Preprocessing(size=(20, 16), channels=1, fit="exact")])
def test_a_classifier_of_images_reads_files_as_was_stated_or_not_at_all(tmp_path, stated):
    values = np.random.default_rng(0).integers(0, 256, (30, 20, 16, 1), np.uint8)
    np.savez(tmp_path / "examples.npz", values=values, labels=np.arange(30) % 2)
    source = ExampleArrays(path=str(tmp_path / "examples.npz"), classes=("a", "b"))
    experiment = Classification(data=source, encoder=Plain(), preprocessing=stated)
    scope = Microscope("model", Plain(), {}, ModelInputs.of(experiment, experiment.open().train.shape))
    png(tmp_path / "folder" / "some" / "1.png", values[0])
    if stated is None:
        with pytest.raises(UserError, match=r"of 20 × 16 × 1 of ExampleArrays, and nothing says"):
            scope.images_in(str(tmp_path / "folder"))
        return
    np.testing.assert_array_equal(scope.images_in(str(tmp_path / "folder")).read(np.array([0])), values[:1])
    with pytest.raises(UserError, match="Classification.preprocessing makes images of 20 × 20 × 1"):
        dataclasses.replace(experiment, preprocessing=Preprocessing(size=(20, 20), channels=1)).open()


def a_folder(root: Path) -> tuple[Recognition, Recognizer]:
    photographs(root / "people")
    experiment = experiment_of(Case(Folder(str(root / "people"), size=16, channels=1), in_folders(root / "people")))
    return experiment, recognizer_of(experiment, root / "run", (16, 16, 1))


def test_enrolling_a_folder_passes_over_what_training_passes_over(tmp_path):
    """What systems leave behind is no damaged image of the person in whose folder it lies."""
    experiment, recognizer = a_folder(tmp_path)
    (tmp_path / "people" / "person0" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (tmp_path / "people" / "__MACOSX").mkdir()
    (tmp_path / "people" / "__MACOSX" / "1.png").write_bytes(b"\0\5\x16\7")
    found, skipped, _ = recognizer.find_people(tmp_path / "people")
    assert {name: len(files) for name, files in found.items()} == {f"person{i}": 3 for i in range(4)}
    assert skipped == ()
    assert experiment.data.open().people == tuple(found)


@dataclasses.dataclass(frozen=True)
class ByAngle(Triplet):
    """A loss of a user's own, without weights, whose distance is not Euclid's and which says nothing of that."""

    def compare(self, params, first, second):
        lengths = jnp.linalg.norm(first, axis=-1) * jnp.linalg.norm(second, axis=-1)
        return 1.0 - jnp.sum(first * second, axis=-1) / lengths


def test_identify_finds_the_nearest_by_a_distance_of_ones_own(tmp_path):
    """The one code of the right direction lies farther away than all others by Euclid's measure."""
    experiment, recognizer = a_folder(tmp_path)
    recognizer = recognizer_of(dataclasses.replace(experiment, loss=ByAngle()), tmp_path / "own", (16, 16, 1))
    file = tmp_path / "people" / "person0" / "0.png"
    code = recognizer.embed_files([file])
    aside = code[0, ::-1] * np.array([1, -1, 1, -1], np.float32)
    with recognizer.gallery(tmp_path / "gallery.sqlite", create=True) as gallery:
        for number in range(60):
            gallery.add(f"decoy {number:02d}", code + (0.1 + 0.001 * number) * aside)
        gallery.add("mate", 100 * code)
        (answer,) = recognizer.identify(gallery, [file])
    assert answer.nearest.name == "mate"
    assert answer.distance < 1e-6
