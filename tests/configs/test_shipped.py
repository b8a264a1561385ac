"""Every shipped config: its written form is pinned, its label is complete, and what needs no data trains and resumes."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from random_faces import RANDOM_FACES

from likeness.experiments.classification import Classification
from likeness.experiments.config import load, to_json
from likeness.experiments.detection import ObjectDetection, WindowDetection
from likeness.experiments.frozen import FrozenEncoder, Random
from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.shipped import docstring, shipped
from likeness.experiments.style import ArbitraryStyle, FastStyle, Pyramid, StyleGrid, Stylization
from likeness.experiments.training.program import build
from likeness.experiments.training.stages import stages
from likeness.experiments.training.trainer import train
from likeness.experiments.visualization import Inversion, Synthesis
from likeness.research.data import Arrays, CountSplit, Faces, Textures
from likeness.research.data.detection import DrawnFaces, FaceScenes, OfficialParts, Shapes
from likeness.research.data.image_sets import Photographs, RandomCrops
from likeness.research.encoders import PatchPyramid, SqueezeNet, TestTimeAugmentation, TextureEmbedding, Vgg
from likeness.research.visualization import Channel

pytestmark = pytest.mark.end_to_end

GOLDEN = Path(__file__).with_name("golden")
QUICK = ("recognition/quickstart", "stylization/quickstart")
"""Those that train in the fast part of the tests: one of each kind. All others are only put together there."""
# Published weights fit no small network: tests/faces has these configs, with them.
PUBLISHED = (
    "recognition/faces",
    "recognition/fine_tuned",
    "recognition/orl_pretrained",
    *(name for name in shipped() if name.startswith("protocols/")),
)
SHRINKABLE = [name for name in shipped() if name not in PUBLISHED]
TRAINED = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SHRINKABLE]
# Five methods to trace.
TRACED = [pytest.param(name, marks=pytest.mark.slow) if name == "stylization/bench" else name for name in SHRINKABLE]


@pytest.mark.parametrize("name", shipped())
def test_no_hyperparameter_changes_unseen(name: str) -> None:
    """A change of a config shows as a change of its golden file; UPDATE_GOLDEN=1 writes it."""
    path = GOLDEN / f"{name.replace('/', '.')}.json"
    text = json.dumps(to_json(load(name)), indent=2) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("name", shipped())
def test_the_label_gives_the_command(name: str) -> None:
    assert f"likeness train {name}" in docstring(name)


@pytest.mark.parametrize("name", shipped())
@pytest.mark.parametrize("steps", [4, 100_000])
def test_the_steps_alone_may_be_changed(name: str, steps: int) -> None:
    run = load(name)
    run = dataclasses.replace(run, steps=max(steps, len(run.experiment.stages())))
    run.optimizer.transformation(run.steps)
    assert stages(run)[-1].end == run.steps


def shrunk(run: Run, folder: Path) -> Run:
    """The config with its own parts, on a few small images."""
    match run.experiment:
        case Recognition():
            small = small_recognition(run.experiment, folder)
        case Classification():
            small = small_classification(run.experiment)
        case ObjectDetection():
            small = small_detection(run.experiment)
        case WindowDetection():
            data = dataclasses.replace(run.experiment.data, train=16, validation=8, test=8)  # pyright: ignore
            small = dataclasses.replace(run.experiment, data=data, batch=8, resamples=10)
        case FastStyle() | ArbitraryStyle():
            small = small_style_network(run.experiment)
        case StyleGrid():
            small = small_grid(run.experiment)
        case Synthesis() | Inversion():
            small = small_synthesis(run.experiment)
        case _:
            small = small_stylization(run.experiment)
    return dataclasses.replace(
        run, experiment=small, steps=2, log_every=1, evaluate_every=None, checkpoints=Checkpoints(every=2)
    )


def small_classification(experiment: Classification) -> Classification:
    data = dataclasses.replace(experiment.data, train=16, validation=8, test=8)  # pyright: ignore
    encoder = experiment.encoder.clone(width=4, dimension=4)
    return dataclasses.replace(experiment, data=data, encoder=encoder, batch=8, baselines=())


def small_detection(experiment: ObjectDetection) -> ObjectDetection:
    if isinstance(experiment.data, Shapes | DrawnFaces | FaceScenes):
        data = dataclasses.replace(experiment.data, train=16, validation=8, test=8)
    else:
        data = Shapes(train=16, validation=8, test=8)
    encoder = experiment.encoder
    if isinstance(encoder, PatchPyramid):
        encoder = encoder.clone(widths=(4,) * len(encoder.widths), pyramid_width=4)
    # Published weights need not be on this machine.
    return dataclasses.replace(
        experiment, data=data, size=(64, 64), encoder=encoder, weights=None, batch=8, resamples=10, split=OfficialParts()
    )


def small_grid(grid: StyleGrid) -> StyleGrid:
    methods = tuple(dataclasses.replace(method, how=small_stylization(method.how)) for method in grid.methods)
    return dataclasses.replace(grid, contents=grid.contents[:2], styles=grid.styles[-1:], methods=methods, size=48)


def small_synthesis(experiment: Synthesis | Inversion) -> Synthesis | Inversion:
    known = isinstance(experiment.encoder.encoder, Vgg | SqueezeNet)
    encoder = experiment.encoder.encoder if known else SqueezeNet()
    # Published and learned weights fit no narrow network, and need not be on this machine.
    narrow = encoder.clone(**({"widths": (4,) * 4} if isinstance(encoder, Vgg) else {"first": 4, "squeeze": (2,) * 8}))
    frozen = FrozenEncoder(encoder=narrow, weights=Random())
    if isinstance(experiment, Inversion):
        return dataclasses.replace(experiment, encoder=frozen, size=48)
    objectives = tuple(
        (dataclasses.replace(each, channel=0) if known else Channel(layer="relu_conv1", channel=0))
        if isinstance(each, Channel)
        else each
        for each in experiment.objectives[:2]
    )
    # Runs of two and of four steps have not the same stages.
    return dataclasses.replace(experiment, encoder=frozen, objectives=objectives, size=48, octaves=1)


def small_stylization(experiment: Any) -> Stylization:
    assert isinstance(experiment, Stylization)
    encoder = experiment.encoder
    narrow = encoder.encoder
    if isinstance(narrow, Vgg):
        narrow = narrow.clone(widths=(4,) * len(narrow.widths))
    # Published weights fit no narrow network, and need not be on this machine.
    weights = encoder.weights if isinstance(encoder.weights, Random) else Random()
    encoder = dataclasses.replace(encoder, encoder=narrow, weights=weights)
    portrait = experiment.portrait and dataclasses.replace(experiment.portrait, encoder=RANDOM_FACES)
    # Runs of two and of four steps have not the same stages.
    objective = dataclasses.replace(experiment.objective, encoder=encoder)
    return dataclasses.replace(experiment, size=48, pyramid=Pyramid(), last_terms=(), objective=objective, portrait=portrait)


def small_style_network(experiment: Any) -> FastStyle | ArbitraryStyle:
    encoder = dataclasses.replace(experiment.encoder, encoder=experiment.encoder.encoder.clone(widths=(4,) * 4))
    crops = RandomCrops(sources=(Photographs(),), size=32)
    objective = dataclasses.replace(experiment.objective, encoder=encoder)
    fields = {"objective": objective, "held_out": dataclasses.replace(experiment.held_out, size=32)}
    if isinstance(experiment, ArbitraryStyle):
        styles = dataclasses.replace(experiment.held_out_styles, size=32)
        return dataclasses.replace(experiment, **fields, contents=crops, styles=crops, held_out_styles=styles)
    learned = tuple(dataclasses.replace(style, size=48) for style in experiment.styles)
    network = experiment.network.clone(widths=(4, 6), blocks=1)
    return dataclasses.replace(experiment, **fields, images=crops, styles=learned, network=network)


def small_recognition(experiment: Any, folder: Path) -> Recognition:
    size = getattr(experiment.data, "size", None) or 16
    channels = 3 if isinstance(experiment.data, Textures) else getattr(experiment.data, "channels", 1)
    source = Faces(people=24, images=6, size=min(size, 48), channels=channels).open()
    rows = np.arange(len(source))
    np.savez(folder / "faces.npz", images=source.read(rows), labels=source.labels)
    batches = experiment.batches
    if hasattr(batches, "within_group"):
        batches = dataclasses.replace(batches, people=4, images=2, within_group=0.0, groups=1)
    encoder = experiment.encoder
    if isinstance(encoder, TestTimeAugmentation):
        encoder = encoder.clone(views=1, encoder=encoder.encoder.clone(widths=(4,) * 3, last=4))
    elif isinstance(encoder, TextureEmbedding):
        encoder = encoder.clone(encoder=encoder.encoder.clone(widths=(4,) * 4))
    elif hasattr(encoder, "width"):
        encoder = encoder.clone(width=4)
    if hasattr(encoder, "blocks"):
        encoder = encoder.clone(blocks=(1,) * len(encoder.blocks))
    return dataclasses.replace(
        experiment,
        data=Arrays(path=str(folder / "faces.npz")),
        split=CountSplit(validation=4, test=4),
        batches=batches,
        encoder=encoder,
        validation=(),
        test=(),
        baselines=(),
    )


def typed(leaf: Any) -> tuple[Any, ...]:
    return leaf.shape, leaf.dtype, leaf.weak_type


@pytest.mark.slow
@pytest.mark.parametrize("name", TRACED)
def test_the_parts_fit_each_other(name: str, tmp_path: Path) -> None:
    """A dry run: the data is opened, and the first step is traced but neither compiled nor taken."""
    run = dataclasses.replace(shrunk(load(name), tmp_path), steps=load(name).steps)
    data = run.experiment.open()
    batch = next(run.experiment.stream(data, 0))
    program = build(run, run.experiment.constants(data), batch)
    start = jax.eval_shape(program.init, jax.random.key(0), program.constants, batch)
    state, report = jax.eval_shape(program.step, start, program.constants, batch, jax.random.key(0))
    assert jax.tree.leaves(program.state.params)
    # With one leaf of another type the second step would be compiled anew.
    assert jax.tree.map(typed, state) == jax.tree.map(typed, start)
    assert "loss" in report.names
    assert (report.numbers.shape, report.numbers.dtype) == ((len(report.names),), jnp.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_two_steps_and_a_resume_equal_four(name: str, tmp_path: Path) -> None:
    run = shrunk(load(name), tmp_path)
    # A schedule knows the length of the run, so both runs are given the longer one's.
    run = dataclasses.replace(run, optimizer=type(run.optimizer)())
    longer = dataclasses.replace(run, steps=4)
    whole = train(longer, tmp_path / "whole")
    train(run, tmp_path / "parts")
    resumed = train(longer, tmp_path / "parts")
    equal = jax.tree.map(lambda a, b: bool((np.asarray(a) == np.asarray(b)).all()), whole.state, resumed.state)
    assert jax.tree.all(equal)
    if isinstance(run.experiment, Stylization | Synthesis | Inversion):
        assert (tmp_path / "parts" / "images" / "image.png").exists()
    else:
        assert (tmp_path / "parts" / "threshold.json").exists() or whole.evaluation.notes
