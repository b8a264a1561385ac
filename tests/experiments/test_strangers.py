"""Parts that nobody here has written work wherever ours do: each is made from what its protocol asks, and from nothing more."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from likeness.experiments import config
from likeness.experiments.commands import choose
from likeness.experiments.commands.main import run as likeness
from likeness.experiments.commands.train import Options
from likeness.experiments.config import from_json, to_json
from likeness.experiments.experiment import Variables
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.protocols import EvaluatedSet, Verification
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.experiments.run import Run
from likeness.experiments.style import StyleImage, StyleObjective, Stylization
from likeness.experiments.style.grid import Method, StyleGrid
from likeness.experiments.training.program import build
from likeness.experiments.training.trainer import Trained, train
from likeness.research.data import ArrayReader, Images, IndexBatches, Preprocessing, Split, Splits, is_synthetic
from likeness.research.encoders import Conv4, Vgg
from likeness.research.errors import UserError
from likeness.research.images.sources import ImageSource, Photograph
from likeness.research.losses import BatchHard, SelectionRule, Triplet
from likeness.research.metrics.intervals import Estimate, wilson

SIDE = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stripes:
    """Birds are told apart by the direction and width of their stripes."""

    birds: int = 24
    """How many birds."""
    images: int = 5
    """Of each."""

    synthetic: ClassVar[bool] = True

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(size=(SIDE, SIDE), channels=1, fit="exact")

    def open(self) -> Images:
        draw = np.random.default_rng(0)
        labels = np.repeat(np.arange(self.birds, dtype=np.int32), self.images)
        waves = draw.uniform(-1.5, 1.5, (self.birds, 2))[labels]
        y, x = np.mgrid[:SIDE, :SIDE]
        phases = draw.uniform(0, 1.5, len(labels))[:, None, None]
        stripes = np.sin(waves[:, 0, None, None] * x + waves[:, 1, None, None] * y + phases)
        return Images(
            labels=labels,
            people=tuple(f"bird {number:02d}" for number in range(self.birds)),
            shape=(SIDE, SIDE, 1),
            read=ArrayReader(np.round(127.5 + 100 * stripes).astype(np.uint8)[..., None]),
            names=tuple(f"bird {label:02d}/{row}" for row, label in enumerate(labels)),
            fingerprint=f"stripes of {self.birds} birds, {self.images} images each",
            noun=("bird", "birds"),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ByName(Split):
    """The first by name are learned from."""

    learned: int = 12
    """How many."""

    def __call__(self, images: Images) -> Splits:
        rest = np.arange(self.learned, len(images.people))
        parts = np.arange(self.learned), rest[::2], rest[1::2]
        return Splits(*(images.select_people(part) for part in parts))


class _InTurn(IndexBatches):
    batches_per_epoch = 1

    def __init__(self, rows: int, batch_size: int) -> None:
        self.batch_size, self._rows = batch_size, rows

    def rows(self, i: int) -> np.ndarray:
        return (i * self.batch_size + np.arange(self.batch_size, dtype=np.int64)) % self._rows


@dataclasses.dataclass(frozen=True, kw_only=True)
class InTurn:
    """Rows one after another, from the first to the last and again."""

    size: int = 10
    """Rows of a batch."""

    def batches(self, images: Images, seed: int) -> IndexBatches:
        del seed
        return _InTurn(len(images), self.size)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Nests:
    """Each bird has a nest, which is learned, and flies to the nearest: softmax over the negative squared distances."""

    nests: int = 12
    """As many as birds."""
    most_devices: int = 2
    """That can share the nests."""

    def init(self, key: Any, dimension: int) -> dict[str, Any]:
        return {"nests": jax.random.normal(key, (self.nests, dimension))}

    def value_and_diagnostics(
        self, params: Any, embeddings: Any, labels_or_same: Any, key: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        del key
        scores = -self.compare(params, embeddings[:, None], params["nests"][None])
        own = jnp.take_along_axis(jax.nn.log_softmax(scores), labels_or_same[:, None], axis=1)
        return -jnp.mean(own), {"at_home": jnp.mean(jnp.argmax(scores, axis=1) == labels_or_same, dtype=jnp.float32)}

    def compare(self, params: Any, first: Any, second: Any) -> Any:
        del params
        return jnp.sum((first - second) ** 2, axis=-1)

    def check_identities(self, identities: int, counted: str) -> None:
        if identities > self.nests:
            raise UserError(f"{counted} and {self.nests} nests")

    def check_sharding(self, params: Any, fsdp: int, shard_above: int) -> None:
        if fsdp > self.most_devices and params["nests"].size >= shard_above:
            raise UserError(f"{fsdp} devices cannot share the nests")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flock:
    """Without a gradient of its own to speak of: e to the minus mean squared distance, 1 when all are in one place."""

    collapsed_value: ClassVar[float] = 1.0

    def init(self, key: Any, dimension: int) -> dict[str, Any]:
        del key, dimension
        return {}

    def value_and_diagnostics(
        self, params: Any, embeddings: Any, labels_or_same: Any, key: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        del labels_or_same, key
        return jnp.exp(-jnp.mean(self.compare(params, embeddings[:, None], embeddings[None]))), {}

    def compare(self, params: Any, first: Any, second: Any) -> Any:
        del params
        return jnp.sum((first - second) ** 2, axis=-1)


@dataclasses.dataclass(frozen=True)
class Extremes(SelectionRule):
    """Farthest positive and nearest negative, by a sort."""

    def positives(self, distances: Any, positive: Any) -> Any:
        return _extreme(jnp.where(positive, -distances, jnp.inf)) & positive

    def negatives(self, d_ap: Any, distances: Any, negative: Any, margin: Any, key: Any) -> Any:
        return _extreme(jnp.where(negative, distances, jnp.inf)) & negative


def _extreme(costs: Any) -> Any:
    return jax.nn.one_hot(jnp.argsort(costs, axis=1)[:, 0], costs.shape[1], dtype=bool)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NearestOther:
    """How often the nearest other image is of the same bird."""

    def metrics(self, evaluated: EvaluatedSet) -> Mapping[str, float | Estimate]:
        distances = np.array(evaluated.embedder.distance(evaluated.embeddings, evaluated.embeddings))
        np.fill_diagonal(distances, np.inf)
        labels = evaluated.images.labels
        return {"nearest/right": wilson(int(np.sum(labels[distances.argmin(1)] == labels)), len(labels))}


@dataclasses.dataclass(frozen=True, kw_only=True)
class BetweenTwo:
    """The content and another image, half and half."""

    other: Photograph = Photograph(name="flower")

    draws: ClassVar[bool] = False

    def sources(self) -> Mapping[str, ImageSource]:
        return {"the other image": self.other}

    def open(self, content: Any, styles: Any) -> dict[str, Any]:
        del styles
        return {"other": jnp.asarray(self.other.open(max(content.shape[:2])))[: content.shape[0], : content.shape[1]][None]}

    def __call__(self, content: Any, opened: Any, key: Any) -> Any:
        del key
        return (content + opened["other"]) / 2


class Edges(nn.Module):
    """Differences of neighbors."""

    lag: int = 1

    @nn.compact
    def __call__(self, images: Any) -> dict[str, Any]:
        return {"input": images, "edges": images[:, :, self.lag :] - images[:, :, : -self.lag]}


@dataclasses.dataclass(frozen=True)
class AllHalf:
    """Every number is a half."""

    drawn: bool = True

    def variables(self, encoder: Any) -> Any:
        made = jax.eval_shape(encoder.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
        return jax.tree.map(lambda leaf: np.full(leaf.shape, 0.5, leaf.dtype), made)


def an_experiment(**changes: Any) -> Recognition:
    parts: dict[str, Any] = {
        "data": Stripes(),
        "split": ByName(),
        "batches": InTurn(),
        "encoder": Conv4(width=4, dimension=8),
        "loss": Nests(),
        "validation": (NearestOther(),),
        "test": (NearestOther(), Verification(fars=(0.1,))),
        "target_far": 0.1,
    }
    return Recognition(**(parts | changes))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(Run(experiment=an_experiment(), steps=6, log_every=3), tmp_path_factory.mktemp("strangers") / "run")


@pytest.mark.slow
@pytest.mark.end_to_end
def test_their_parts_are_trained_and_evaluated(trained: Trained) -> None:
    assert trained.variables.params["loss"]["nests"].shape == (12, 8)
    metrics = json.loads((trained.workdir / "summary.json").read_text())["metrics"]
    assert metrics["nearest/right"]["n"] == 6 * 5
    assert metrics["nearest/right"]["low"] <= metrics["nearest/right"]["value"] <= metrics["nearest/right"]["high"]
    logged = [json.loads(line) for line in (trained.workdir / "metrics.jsonl").read_text().splitlines()]
    assert any("at_home" in name for line in logged for name in line)


@pytest.mark.end_to_end
def test_their_recognizer_answers(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = Stripes().open()
    files = [tmp_path / f"{row}.png" for row in range(2)]
    for row, file in enumerate(files):
        Image.fromarray(images.read(np.array([row]))[0, :, :, 0]).save(file)
    recognizer = Recognizer.load(trained.workdir)
    codes = recognizer.embed(images.read(np.arange(2)))
    assert recognizer.verify(*files).distance == pytest.approx(float(np.sum((codes[0] - codes[1]) ** 2)), rel=1e-4)
    assert "Stripes, for whom τ was chosen; they are synthetic" in recognizer.calibration
    assert likeness(["verify", *map(str, files), "--model", str(trained.workdir)]) == 0
    assert "synthetic" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.end_to_end
def test_their_run_is_evaluated_again_and_reported(trained: Trained, tmp_path: Path) -> None:
    before = json.loads((trained.workdir / "summary.json").read_text())["metrics"]
    assert likeness(["evaluate", str(trained.workdir)]) == 0
    assert json.loads((trained.workdir / "summary.json").read_text())["metrics"] == before
    page = tmp_path / "page.html"
    assert likeness(["report", str(trained.workdir), "--out", str(page)]) == 0
    told = page.read_text().replace("<wbr>", "")
    assert "nearest/right" in told
    missing = [kind.__name__ for kind in (Stripes, ByName, InTurn, Nests) if kind.__name__ not in told]
    assert not missing


def test_their_config_is_written_and_read() -> None:
    run = Run(experiment=an_experiment(loss=Triplet(rule=Extremes())), steps=1)
    assert from_json(json.loads(json.dumps(to_json(run)))) == run


def test_what_they_make_up_is_said_in_their_words() -> None:
    experiment = an_experiment()
    told = experiment.describe(experiment.open())
    assert "the images are synthetic: numbers on them say nothing of real birds" in told

    @dataclasses.dataclass(frozen=True)
    class Photographs:
        def open(self) -> Images:
            return Stripes().open()

    @dataclasses.dataclass(frozen=True)
    class Unsure(Photographs):
        synthetic: str = "partly"

    assert not is_synthetic(Photographs())
    with pytest.raises(UserError, match=r"Unsure\.synthetic is 'partly': let it be True or False"):
        is_synthetic(Unsure())


def test_their_loss_says_for_how_many_it_has_room() -> None:
    few = an_experiment(loss=Nests(nests=11))
    data = few.open()
    with pytest.raises(UserError, match="12 birds and 11 nests"):
        few.stream(data, 0)
    # A loss that says nothing takes any number.
    assert len(next(an_experiment(loss=Flock()).stream(data, 0))["labels"]) == 10


def test_their_loss_says_how_many_devices_can_share_its_weights() -> None:
    params = {"loss": {"nests": jax.ShapeDtypeStruct((12, 8), np.float32)}}
    an_experiment().check_sharding(params, 2, 1)
    an_experiment().check_sharding(params, 3, 97)
    an_experiment(loss=Flock()).check_sharding({"loss": {}}, 3, 1)
    with pytest.raises(UserError, match="3 devices cannot share the nests"):
        an_experiment().check_sharding(params, 3, 96)


def test_building_a_program_asks_their_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(Nests, "check_sharding", lambda self, params, *mesh: asked.append((params["nests"].shape, *mesh)))
    batch = {"images": np.zeros((10, SIDE, SIDE, 1), np.uint8), "labels": np.zeros(10, np.int32)}
    run = Run(experiment=an_experiment(), steps=1)
    build(run, {}, batch)
    assert asked == [((12, 8), run.mesh.fsdp, run.mesh.shard_above)]


@pytest.mark.slow
def test_a_collapse_is_seen_by_the_value_that_their_loss_gives() -> None:
    batch = {"images": np.zeros((4, SIDE, SIDE, 1), np.uint8), "labels": np.arange(4, dtype=np.int32)}
    for loss, stuck in ((Flock(), 1.0), (Nests(), 0.0)):
        experiment = an_experiment(loss=loss)
        variables: Variables = experiment.init(jax.random.key(0), {}, batch)
        cost = experiment.cost(variables.params, variables.state, {}, batch, jax.random.key(1))
        assert cost.metrics["stuck_at_margin"] == stuck


@pytest.mark.slow
def test_their_selection_rule_selects_what_ours_does() -> None:
    embeddings, labels = jax.random.normal(jax.random.key(0), (12, 4)), np.arange(12) % 4
    assert not Extremes().needs_key
    assert Triplet(rule=Extremes())(embeddings, labels) == Triplet(rule=BatchHard())(embeddings, labels)


def test_images_that_their_start_reads_are_among_the_sources() -> None:
    """So a run does not go on with others."""
    styles = (StyleImage(image=Photograph(name="flower")),)
    painting = Stylization(content=Photograph(name="china"), styles=styles, start=BetweenTwo())
    assert painting.sources()["the other image"] == Photograph(name="flower")
    assert "start" not in painting.sources()
    method = Method(name="between", how=painting)
    with pytest.raises(ValueError, match="method between starts BetweenTwo without noise"):
        StyleGrid(contents=(painting.content,), styles=(Photograph(name="flower"),), methods=(method,), seeds=(0, 1))


def people() -> Run:
    return Run(experiment=an_experiment(loss=Triplet(rule=Extremes())), steps=1)


def painting() -> Run:
    frozen = FrozenEncoder(encoder=Edges())
    styles = (StyleImage(image=Photograph(name="flower")),)
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=styles,
            objective=StyleObjective(encoder=frozen),
        ),
        steps=1,
    )


@pytest.mark.parametrize(
    ("run", "path"),
    [(people(), "experiment.split.learned"), (painting(), "experiment.objective.encoder.encoder.lag")],
    ids=["people", "painting"],
)
def test_their_fields_are_flags_and_nothing_warns(
    run: Run, path: str, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(config, "load", lambda name: run)
    found: Any = choose.parse("train", Options, ["theirs.py", f"--{path}", "10"])[2]
    for part in path.split("."):
        found = getattr(found, part)
    assert found == 10
    assert not [str(warning.message) for warning in recwarn if warning.category.__name__ == "TyroWarning"]


def test_their_weights_are_fingerprinted_unless_they_are_drawn() -> None:
    vgg = Vgg(convolutions=(1,), widths=(2,))
    drawn, read = (FrozenEncoder(encoder=vgg, weights=AllHalf(drawn)) for drawn in (True, False))
    variables = drawn.variables()
    assert np.all(variables["params"]["conv1_1"]["kernel"] == 0.5)
    assert drawn.fingerprint(variables) == {}
    assert read.fingerprint(variables).keys() == {"weights of the encoder"}
