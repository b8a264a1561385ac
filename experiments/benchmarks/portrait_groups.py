"""Do all people of a group photograph stay the same people? The shipped portrait, with and without its identity loss.

    likeness weights fetch mobilefacenet
    python -m likeness.experiments.benchmarks.portraits --groups 4 --people 3 --size 360 --lfw $LIKENESS_DATA/lfw

People of Labeled Faces in the Wild are put side by side into group photographs, and these are painted twice. The faces are
found by the detector, as ``likeness stylize --preset stylization/portrait`` finds them. Every painting is read back from its
8-bit file. Each face is compared with the photograph that was painted and, which no loss has seen, with another photograph of
the person, by the threshold that ``likeness verify`` answers by. And the painting is asked about as a photograph would be: its
faces are looked for anew, and those that are found compared with the photograph's.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from likeness.experiments.benchmarks.lfw_faces import Embedder, Faces, Sitter
from likeness.experiments.display.contact_sheet import Tile, draw
from likeness.experiments.recognition.face_crops import Landmarks
from likeness.experiments.run import Run
from likeness.experiments.storage.workdir import Workdir, read_json
from likeness.experiments.style.portrait import Portrait
from likeness.experiments.style.same_people import calibrated
from likeness.experiments.style.sitters import find_sitters
from likeness.research.errors import UserError
from likeness.research.files import write_atomically
from likeness.research.images import read_image, write_image
from likeness.research.images.sources import ImageFile

__all__ = ["GroupMember", "measure_groups"]

_COLUMNS = 3
"""People in a row of a group photograph."""
_ERRORS = ("held_out/style/relative", "held_out/content/relative")


@dataclasses.dataclass(frozen=True)
class GroupMember:
    """One person of a group photograph."""

    name: str
    photographs: float
    """Distance of the two photographs."""
    original: Mapping[str, float]
    """Of each painting's face from that of the photograph which was painted."""
    other: Mapping[str, float]
    """From the other photograph."""
    anew: Mapping[str, float | None]
    """From that which was painted, of the face that the detector finds in the painting; None where it finds none."""


def measure_groups(
    faces: Faces,
    groups: Sequence[Sequence[Sitter]],
    portrait: Portrait,
    made: Callable[..., dict[str, Run]],
    painted: Callable[[Run, Path], np.ndarray],
    size: int,
    out: Path,
) -> str:
    """Paints groups, and returns the results in Markdown.

    Args:
        faces: the photographs.
        groups: who is on each.
        portrait: the shipped one.
        made: runs by kind of a portrait and of changed fields.
        painted: the image of a run in a directory.
        size: the longer side of a painting.
        out: where files go.

    Raises:
        UserError: rows that are not full, or the detector does not find everybody.
    """
    if any(len(group) % _COLUMNS for group in groups):
        raise UserError(f"A group has {len(groups[-1])} people, and a row of it {_COLUMNS}: give --people a multiple of that.")
    members: list[GroupMember] = []
    errors: dict[str, list[list[float]]] = {}
    rows = []
    for number, group in enumerate(groups, 1):
        folder = out / f"group{number}"
        photograph = _composed(faces, group, folder / "photograph.png")
        held = _held(portrait, photograph, len(group), size)
        runs = made(held, content=ImageFile(path=str(photograph)), size=size)
        images = {kind: painted(run, folder / kind) for kind, run in runs.items()}
        members += _compared(faces, group, held, ImageFile(path=str(photograph)).open(size), images, folder)
        for kind in images:
            metrics = read_json(Workdir(folder / kind).summary)["metrics"]
            errors.setdefault(kind, []).append([metrics[name] for name in _ERRORS])
        rows.append([Tile(ImageFile(path=str(photograph)).open(size)), *(Tile(image) for image in images.values())])
        print(f"group {number} of {len(groups)}", flush=True)
    draw(rows, out / "groups.png", heads=("photograph", *errors))
    write_atomically(out / "groups.json", json.dumps([dataclasses.asdict(one) for one in members], indent=2) + "\n")
    return _table(members, _tau(portrait), {kind: np.mean(values, axis=0) for kind, values in errors.items()})


def _composed(faces: Faces, group: Sequence[Sitter], path: Path) -> Path:
    """The photographs of a group as one, in rows."""
    if not path.exists():
        people = [read_image(faces.root / sitter.image).pixels for sitter in group]
        rows = [np.concatenate(people[i : i + _COLUMNS], axis=1) for i in range(0, len(people), _COLUMNS)]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, np.concatenate(rows))
    return path


def _held(portrait: Portrait, photograph: Path, people: int, size: int) -> Portrait:
    """The portrait with the faces that are found, in the order of the people."""
    found = find_sitters(portrait, photograph, size)
    rows = people // _COLUMNS
    by_place: dict[int, Landmarks] = {}
    for face in found.faces:
        x, y = np.mean(face.points, axis=0) / np.array(face.size)
        by_place[int(y * rows) * _COLUMNS + int(x * _COLUMNS)] = face
    if len(found.faces) != people or len(by_place) != people:
        raise UserError(f"{len(found.faces)} faces are found in {photograph}, which shows {people} people: take others.")
    return dataclasses.replace(portrait, face=tuple(by_place[i] for i in range(people)))


def _compared(
    faces: Faces,
    group: Sequence[Sitter],
    portrait: Portrait,
    photograph: np.ndarray,
    images: Mapping[str, np.ndarray],
    folder: Path,
) -> list[GroupMember]:
    embedder, marks = Embedder(portrait), [face for face in portrait.faces if isinstance(face, Landmarks)]
    originals = embedder([photograph] * len(marks), marks)
    paths = [faces.root / sitter.other for sitter in group]
    found = [find_sitters(portrait, path, 160).faces for path in paths]
    # Of several faces in somebody's other photograph theirs is in the middle.
    chosen = [min(each, key=lambda face: float(np.abs(np.mean(face.points, axis=0) - 80).sum())) for each in found]
    others = embedder([read_image(path).pixels for path in paths], chosen)
    painted = {kind: embedder([image] * len(marks), marks) for kind, image in images.items()}
    anew = {kind: _anew(portrait, folder / kind, image, originals, embedder) for kind, image in images.items()}
    return [
        GroupMember(
            name=sitter.name.replace("_", " "),
            photographs=float(1 - originals[i] @ others[i]),
            original={kind: float(1 - painted[kind][i] @ originals[i]) for kind in images},
            other={kind: float(1 - painted[kind][i] @ others[i]) for kind in images},
            anew={kind: anew[kind][i] for kind in images},
        )
        for i, sitter in enumerate(group)
    ]


def _anew(
    portrait: Portrait, workdir: Path, image: np.ndarray, originals: np.ndarray, embedder: Embedder
) -> list[float | None]:
    """Distances of the faces that are found in a painting, each from the original of whom it lies nearest to."""
    height, width, _ = image.shape
    try:
        found = list(find_sitters(portrait, Workdir(workdir).images / "image.png", max(height, width)).faces)
    except UserError:
        found = []
    apart: list[float | None] = []
    for i, face in enumerate(portrait.faces):
        assert isinstance(face, Landmarks)
        middle = np.mean(face.points, axis=0) / np.array(face.size)
        near = [one for one in found if np.abs(np.mean(one.points, axis=0) / (width, height) - middle).max() < 0.1]
        apart.append(float(1 - embedder([image], near[:1])[0] @ originals[i]) if near else None)
    return apart


def _tau(portrait: Portrait) -> float:
    threshold = calibrated(portrait)
    assert threshold is not None
    return threshold.tau


def _table(members: Sequence[GroupMember], tau: float, errors: Mapping[str, np.ndarray]) -> str:
    kinds, count = tuple(errors), len(members)

    def row(name: str, cell: Callable[[str], str]) -> str:
        return f"| {name} | " + " | ".join(cell(kind) for kind in kinds) + " |"

    def mean(of: str) -> Callable[[str], str]:
        return lambda kind: f"{np.mean([getattr(one, of)[kind] for one in members]):.3f}"

    def verified(of: str) -> Callable[[str], str]:
        distances = [getattr(one, of) for one in members]
        return lambda kind: f"{sum(each[kind] is not None and each[kind] <= tau for each in distances)} of {count}"

    photographs = [one.photographs for one in members]
    same = sum(apart <= tau for apart in photographs)
    lines = [
        "| | " + " | ".join(kinds) + " |",
        "|---|" + "---|" * len(kinds),
        row("distance from the painted photograph", mean("original")),
        row("of the face that is farthest", lambda kind: f"{max(one.original[kind] for one in members):.3f}"),
        row(f"verified against it, at τ = {tau:.3f}", verified("original")),
        row("found again in the painting, and verified", verified("anew")),
        row(f"distance from another photograph (the two photographs: {np.mean(photographs):.3f})", mean("other")),
        row(f"verified against that (the photographs: {same} of {count})", verified("other")),
        row("error of the style, by an encoder that did not paint", lambda kind: f"{errors[kind][0]:.3f}"),
        row("error of the content, the same", lambda kind: f"{errors[kind][1]:.3f}"),
    ]
    return "\n".join(lines) + "\n"
