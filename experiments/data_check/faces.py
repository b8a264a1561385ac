"""What can be wrong with a folder of people, one folder a person."""

import dataclasses
from pathlib import Path

import numpy as np

from likeness.experiments.data_check.copies import NEAR, near_copies, thumbnails
from likeness.experiments.data_check.findings import DataReport, Finding, Suspect, found
from likeness.experiments.display.phases import tracked
from likeness.research.data import BadImage, Decode, Duplicates, Folder, expand_path
from likeness.research.data.decode import ImageHeader
from likeness.research.data.names import about_names

_IMBALANCED = 20.0
_SMALL = 64
"""A side in pixels below which a face has few features left."""


def check_faces(folder: Folder, source: str) -> DataReport:
    """Everything that is found in a folder of people: files that cannot be read, copies within and across people, names.

    Args:
        folder: as training would read it. Copies are kept here, to be told.
        source: what to call it.
    """
    every = dataclasses.replace(folder, duplicates=Duplicates(within="keep", across="keep"), on_bad="skip")
    images = every.open_tracked(tracked)
    root, decode = expand_path(folder.path), Decode(channels=3, max_megapixels=folder.max_megapixels, min_side=folder.min_side)
    people = [images.people[label] for label in images.labels]
    made, spread, headers = [], [], []
    for row in tracked("looking at images", range(len(images))):
        pixels = images.read(np.array([row]))[0]
        made.append(thumbnails([pixels])[0])
        spread.append(int(np.ptp(pixels)))
        headers.append(_header(decode, root / images.names[row]))
    thumbs, folders = np.stack(made), [Path(name).parent.name for name in images.names]
    counts = images.counts()
    findings = [
        *found(
            "unreadable_image",
            "error",
            "A file or folder cannot be used; in training it is left out.",
            "Replace or remove it.",
            [Suspect(name, why) for name, why in images.skipped],
        ),
        *_copies(images.names, people, images.content),
        *_near(images.names, people, thumbs, images.content),
        *found(
            "names",
            "warning",
            "Names of people are one, or differ by little.",
            "Rename the folders.",
            [Suspect(note.removeprefix("warning: ")) for note in about_names(dict.fromkeys(folders))],
        ),
        *found(
            "blank_image",
            "warning",
            "An image has one color only.",
            "Replace or remove the file.",
            [Suspect(images.names[row]) for row in range(len(images)) if spread[row] <= 2],
        ),
        *found(
            "small_image",
            "warning",
            f"An image has a side below {_SMALL} pixels.",
            "Take a larger one: few features of a face are left.",
            [
                Suspect(images.names[row], f"{header.height} × {header.width} pixels")
                for row, header in enumerate(headers)
                if header is not None and min(header.height, header.width) < _SMALL
            ],
        ),
        *found(
            "single_image",
            "warning",
            "A person has one image only, which no other can be compared with.",
            "Add another one, or leave the person out of training.",
            [Suspect(images.names[int(np.flatnonzero(images.labels == who)[0])]) for who in np.flatnonzero(counts == 1)],
        ),
        *_imbalance(images.people, counts),
        *found(
            "exif_rotation",
            "note",
            "A file's EXIF tag turns the image; it is read upright.",
            "Nothing: other programs may show it otherwise.",
            [
                Suspect(images.names[row])
                for row, header in enumerate(headers)
                if header is not None and header.orientation != 1
            ],
        ),
    ]
    several = int((counts > 1).sum())
    summary = (
        f"{len(images):,} images of {images.counted(len(images.people))}, {several:,} with two or more.",
        f"From {counts.min():,} to {counts.max():,} images each, {np.median(counts):g} in the middle.",
    )
    return DataReport(source, summary, tuple(findings), read=lambda name: decode(root / name))


def _header(decode: Decode, path: Path) -> ImageHeader | None:
    try:
        return decode.header(path)
    except BadImage:
        return None


def _copies(names, people: list[str], content: np.ndarray | None) -> list[Finding]:
    within, across = [], []
    first: dict[int, int] = {}
    for row, number in enumerate(() if content is None else content.tolist()):
        other = first.setdefault(number, row)
        if other != row:
            same = people[other] == people[row]
            (within if same else across).append(Suspect(names[row], f"is {names[other]}", others=(names[other],)))
    return [
        *found(
            "duplicate_across",
            "error",
            "The same image lies under two people.",
            "Decide whom it shows, and remove the other: one label is wrong, or what is learned is evaluated too.",
            across,
        ),
        *found(
            "duplicate_image",
            "warning",
            "An image is a copy of another of the same person; in training it is left out.",
            "Remove it.",
            within,
        ),
    ]


def _near(names, people: list[str], thumbs: np.ndarray, content: np.ndarray | None) -> list[Finding]:
    suspects = []
    for row, other, alike in near_copies(thumbs, people, across=True):
        # Copies to the pixel are told already.
        if content is None or content[row] != content[other]:
            text = f"like {names[other]}; correlation {alike:.3f}"
            suspects.append(Suspect(names[row], text, others=(names[other],)))
    return found(
        "near_copy_across",
        "warning",
        f"Images of two people look nearly alike (thumbnails correlate by {NEAR:g} or more).",
        "Check whom they show: a photograph that was cut or saved anew may lie under two names.",
        suspects,
    )


def _imbalance(people: tuple[str, ...], counts: np.ndarray) -> list[Finding]:
    usual = counts[counts > 1]
    if len(usual) < 2 or usual.max() <= _IMBALANCED * usual.min():
        return []
    most, fewest = (people[int(np.flatnonzero(counts == n)[0])] for n in (usual.max(), usual.min()))
    return [
        Finding(
            "imbalance",
            "warning",
            f"{most} has {usual.max():,} images and {fewest} {usual.min():,}.",
            "Draw people and not images in a batch, as `IdentityBatches` does.",
        )
    ]
