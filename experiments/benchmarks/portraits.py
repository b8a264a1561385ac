"""Does a painted face stay the same person? The shipped portrait, with and without its identity loss, on other faces.

    likeness weights fetch mobilefacenet
    python -m likeness.experiments.benchmarks.portraits --lfw $LIKENESS_DATA/lfw
    python -m likeness.experiments.benchmarks.portraits --lfw $LIKENESS_DATA/lfw --groups 4 --people 3 --size 360

Twenty people of Labeled Faces in the Wild are painted twice by stylization/portrait, once without ``portrait``; nothing else
differs. Every painting is read back from its 8-bit file and evaluated by cosine distances of MobileFaceNet's embeddings, as
verification computes them: from the photograph that was painted and, which no loss has seen, from another photograph of the
person, at a threshold calibrated on the official pairs without these people. Since the loss looks through the same encoder, two
more numbers say whether a person was painted or noise that pleases it: the distance in crops moved as no loss has moved them,
and the errors of style and content under an encoder that did not paint.

With ``--groups`` group photographs are painted instead, whose faces the detector finds, see
:mod:`likeness.experiments.benchmarks.portrait_groups`.

Goes on where it was stopped. Writes portraits.md, portraits.json and portraits.png below ``--out``. The images of Labeled
Faces in the Wild are for research and must not be passed on.
"""

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import tyro

from likeness.experiments.benchmarks.lfw_faces import Embedder, Faces, Sitter, calibrate
from likeness.experiments.benchmarks.portrait_groups import measure_groups
from likeness.experiments.config import load, to_json
from likeness.experiments.display.contact_sheet import Tile, draw
from likeness.experiments.display.figures import BLUE, ORANGE
from likeness.experiments.run import Run
from likeness.experiments.storage.workdir import Workdir, read_json
from likeness.experiments.style import Stylization
from likeness.experiments.style.portrait import Portrait
from likeness.experiments.training.trainer import train
from likeness.research.data.paths import expand_path
from likeness.research.files import write_atomically
from likeness.research.geometry import Similarity
from likeness.research.images import read_image
from likeness.research.images.sources import ImageFile, Painting
from likeness.research.metrics.calibration import Calibration
from likeness.research.synthetic.styles import InkWash

CONFIG = "stylization/portrait"
KINDS = ("plain", "identity")
ERRORS = ("held_out/content/relative", "held_out/style/relative")
_UNSEEN = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Who is painted, and where the results go."""

    lfw: str = "$LIKENESS_DATA/lfw"
    """The folder of Labeled Faces in the Wild."""
    faces: int = 20
    """People to paint."""
    size: int = 240
    """Longer side of the paintings."""
    far: float = 1e-3
    """The false-accept rate of the threshold."""
    look: Literal["shipped", "ink"] = "shipped"
    """In which look: in the shipped config's, or in ink, which takes faces away more than others do."""
    groups: int = 0
    """Paint so many group photographs instead."""
    people: int = 6
    """People of a group, three in a row."""
    out: str = "runs/portraits"
    """Where images and tables go."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """One person."""

    name: str
    photographs: float
    """Distance of the two photographs."""
    original: Mapping[str, float]
    """Distance of each painting from the photograph that was painted."""
    other: Mapping[str, float]
    """From the other photograph."""
    moved: Mapping[str, float]
    """From the photograph that was painted, in crops that no loss has seen."""
    first: Mapping[str, bool]
    """Is the person's other photograph the nearest of all people's?"""
    errors: Mapping[str, tuple[float, ...]]
    """``ERRORS`` of each painting."""


def paint(run: Run, workdir: Path) -> np.ndarray:
    """The image of a run, (h, w, 3) in [0, 1], from its 8-bit file; painted if it is not there already."""
    files = Workdir(workdir)
    if not files.summary.exists() or read_json(files.config) != json.loads(json.dumps(to_json(run))):
        train(run, workdir)
    return read_image(files.images / "image.png").pixels


def shipped() -> tuple[Run, Stylization, Portrait]:
    """The shipped config, its experiment and its portrait."""
    run = load(CONFIG)
    experiment = run.experiment
    assert isinstance(experiment, Stylization) and experiment.portrait is not None
    return run, experiment, experiment.portrait


def without_and_with(portrait: Portrait, **changes: Any) -> dict[str, Run]:
    """The shipped config with some fields of its experiment changed, without and with a portrait."""
    run, experiment, _ = shipped()
    painted = {
        kind: dataclasses.replace(experiment, **changes, portrait=p) for kind, p in zip(KINDS, (None, portrait), strict=True)
    }
    return {kind: dataclasses.replace(run, experiment=each) for kind, each in painted.items()}


def measure(
    faces: Faces, sitters: list[Sitter], paintings: Mapping[str, Mapping[str, np.ndarray]], embedder: Embedder, out: Path
) -> list[Measured]:
    """Compares everybody's paintings with everybody's photographs."""
    marks = [faces.landmarks[sitter.image] for sitter in sitters]
    photographs = [read_image(faces.root / sitter.image).pixels for sitter in sitters]
    others = [read_image(faces.root / sitter.other).pixels for sitter in sitters]
    gallery = embedder(others, [faces.landmarks[sitter.other] for sitter in sitters])
    original = embedder(photographs, marks)
    painted = {kind: embedder([paintings[sitter.name][kind] for sitter in sitters], marks) for kind in KINDS}
    moves = _unseen(embedder.portrait)
    moved = {kind: np.zeros(len(sitters)) for kind in KINDS}
    for move in moves:
        goal = embedder(photographs, marks, move)
        for kind in KINDS:
            images = [paintings[sitter.name][kind] for sitter in sitters]
            moved[kind] += (1.0 - np.sum(embedder(images, marks, move) * goal, axis=1)) / len(moves)
    measured = []
    for i, sitter in enumerate(sitters):
        summaries = {kind: read_json(Workdir(out / sitter.name / kind).summary)["metrics"] for kind in KINDS}
        measured.append(
            Measured(
                name=sitter.name.replace("_", " "),
                photographs=float(1.0 - original[i] @ gallery[i]),
                original={kind: float(1.0 - painted[kind][i] @ original[i]) for kind in KINDS},
                other={kind: float(1.0 - painted[kind][i] @ gallery[i]) for kind in KINDS},
                moved={kind: float(moved[kind][i]) for kind in KINDS},
                first={kind: int(np.argmax(gallery @ painted[kind][i])) == i for kind in KINDS},
                errors={kind: tuple(summaries[kind][name] for name in ERRORS) for kind in KINDS},
            )
        )
    return measured


def table(measured: list[Measured], calibration: Calibration) -> str:
    """The results in Markdown."""
    tau = calibration.threshold
    lines = [
        "| | two photographs | original: plain | identity | other photograph: plain | identity | moved crops: plain | identity "
        "| style error: plain | identity | content error: plain | identity |",
        "|---|" + "---|" * 11,
    ]

    def row(name: str, each: list[Measured]) -> str:
        distances = [[m.photographs for m in each]]
        distances += [[getattr(m, of)[kind] for m in each] for of in ("original", "other", "moved") for kind in KINDS]
        distances += [[m.errors[kind][index] for m in each] for index in (1, 0) for kind in KINDS]
        return f"| {name} | " + " | ".join(f"{np.mean(values):.3f}" for values in distances) + " |"

    lines += [row(one.name, [one]) for one in measured] + [row("**mean**", measured)]

    def share(of: str, kind: str) -> str:
        return f"{sum(getattr(m, of)[kind] <= tau for m in measured)} of {len(measured)}"

    lines += [
        "",
        f"The same person at a distance of at most τ = {tau:.3f}, which accepts {calibration.far.value:.2%} of pairs of "
        f"different people and {calibration.tar.value:.2%} of pairs of one person. Verified against the original: plain "
        f"{share('original', 'plain')}, with identity {share('original', 'identity')}; against the other photograph: plain "
        f"{share('other', 'plain')}, with identity {share('other', 'identity')} (the photographs themselves: "
        f"{sum(m.photographs <= tau for m in measured)} of {len(measured)}); nearest to the right one of the {len(measured)} "
        f"other photographs: plain {sum(m.first['plain'] for m in measured)}, with identity "
        f"{sum(m.first['identity'] for m in measured)}.",
    ]
    return "\n".join(lines) + "\n"


def tiles(
    image: np.ndarray, paintings: Mapping[str, np.ndarray], distances: Mapping[str, float], tau: float, name: str
) -> list[Tile]:
    """A row of the contact sheet: the original and both paintings with their distances, orange where another person is seen."""
    colors = {kind: BLUE if distances[kind] <= tau else ORANGE for kind in KINDS}
    return [Tile(image, name), *(Tile(paintings[kind], f"{distances[kind]:.2f}", colors[kind]) for kind in KINDS)]


def _unseen(portrait: Portrait) -> list[Similarity]:
    """Crops moved otherwise than those of the loss."""
    return dataclasses.replace(portrait, moved=portrait.moved + _UNSEEN).moves()[-_UNSEEN:]


def main() -> None:
    options = tyro.cli(Benchmark, description=__doc__)
    out = Path(options.out)
    jax.config.update("jax_compilation_cache_dir", str((out / "compiled").absolute()))
    faces = Faces(expand_path(options.lfw, "lfw"))
    _, experiment, portrait = shipped()
    look = experiment.styles
    if options.look == "ink":
        look = tuple(dataclasses.replace(style, image=Painting(style=InkWash())) for style in look)
    made = functools.partial(without_and_with, styles=look)
    if options.groups:
        everybody = faces.sitters(options.people * options.groups)
        groups = [everybody[i : i + options.people] for i in range(0, len(everybody), options.people)]
        text = measure_groups(faces, groups, portrait, made, paint, options.size, out)
        write_atomically(out / "groups.md", text)
        print(text)
        return
    sitters = faces.sitters(options.faces)
    paintings: dict[str, dict[str, np.ndarray]] = {}
    for number, sitter in enumerate(sitters, 1):
        content = ImageFile(path=str(faces.root / sitter.image))
        face = dataclasses.replace(portrait, face=faces.landmarks[sitter.image])
        runs = made(face, content=content, size=options.size)
        paintings[sitter.name] = {kind: paint(run, out / sitter.name / kind) for kind, run in runs.items()}
        print(f"{number:3} of {len(sitters)}: {sitter.name}", flush=True)
    embedder = Embedder(portrait)
    calibration = calibrate(faces, embedder, [sitter.name for sitter in sitters], options.far, out / "embeddings.npz")
    measured = measure(faces, sitters, paintings, embedder, out)
    text = table(measured, calibration)
    write_atomically(out / "portraits.md", text)
    results = {"threshold": dataclasses.asdict(calibration), "people": [dataclasses.asdict(one) for one in measured]}
    write_atomically(out / "portraits.json", json.dumps(results, indent=2) + "\n")
    rows = []
    for sitter, one in zip(sitters, measured, strict=True):
        original = ImageFile(path=str(faces.root / sitter.image)).open(options.size)
        rows.append(tiles(original, paintings[sitter.name], one.original, calibration.threshold, one.name))
    draw(rows, out / "portraits.png", heads=("photograph", "plain", "with identity"), blocks=4)
    print(text)


if __name__ == "__main__":
    main()
