"""What can be wrong with annotated images though each annotation by itself is sound."""

import itertools
from collections.abc import Sequence

import numpy as np

from likeness.experiments.data_check.classes import check_classes
from likeness.experiments.data_check.copies import NEAR, near_copies, thumbnails
from likeness.experiments.data_check.findings import DataReport, Finding, Suspect, box_of, found, from_problems
from likeness.experiments.display.phases import tracked
from likeness.research.data.detection import DetectionExamples
from likeness.research.geometry import AnchorPyramid, Letterbox, best_possible_recall, pairwise

_DOUBLED = 0.9
"""IoU from which two boxes of one class are taken for one object."""
_SMALL = 0.02
"""The share of objects below the smallest stride from which on it is worth a warning."""
_LONG = 20.0
_RECALL = 0.95
_SAMPLE = 1000
"""Boxes by which the anchors are looked at."""


def check_examples(
    examples: DetectionExamples,
    source: str,
    size: tuple[int, int] = (640, 640),
    strides: Sequence[int] = (8, 16, 32),
    anchors: AnchorPyramid | None = None,
) -> DataReport:
    """Everything that is found in a table of annotated images.

    Args:
        examples: the table, with the problems of reading it.
        source: what to call it.
        size: height and width of what a detector will be shown, for the sizes of objects.
        strides: of its maps.
        anchors: of its maps, one level for each stride; None: it has none.
    """
    rows = np.repeat(np.arange(len(examples)), np.diff(examples.starts))
    looked = [_look(examples.read(row)) for row in tracked("looking at images", range(len(examples)))]
    shown = _shown(examples, size)
    findings = [
        *from_problems(examples.problems),
        *_doubled(examples),
        *check_classes(examples),
        *_copies(examples, np.stack([each[0] for each in looked])),
        *_blank(examples, np.array([each[1] for each in looked])),
        *_shapes(examples, rows),
        *_sizes(shown, rows, examples, size, strides),
        *([] if anchors is None else _anchors(shown, size, strides, anchors)),
        *_background(examples),
    ]
    first, *rest = examples.summary()[: 1 + len(examples.notes)]
    named = {name: row for row, name in enumerate(examples.names)}
    return DataReport(
        source=source,
        summary=(f"{first}.", *(f"{note}." for note in rest), *_said_parts(examples)),
        findings=tuple(findings),
        tables=(_class_table(examples, rows), _size_table(shown, strides)),
        read=lambda name: examples.read(named[name]),
    )


def _look(image: np.ndarray) -> tuple[np.ndarray, float]:
    """A thumbnail, and how much the values vary."""
    return thumbnails([image])[0], float(np.ptp(image[:: max(1, len(image) // 64)]))


def _shown(examples: DetectionExamples, size: tuple[int, int]) -> np.ndarray:
    """Every box as a letterbox shows it."""
    letterbox = Letterbox(size=size)
    parts = [
        letterbox.placement((int(height), int(width))).boxes(examples.boxes_of(row))
        for row, (height, width) in enumerate(examples.sizes)
    ]
    return np.concatenate([np.zeros((0, 4)), *map(np.asarray, parts)])


def _doubled(examples: DetectionExamples) -> list[Finding]:
    suspects = []
    for row in range(len(examples)):
        boxes, classes = examples.boxes_of(row).astype(np.float64), examples.classes_of(row)
        if len(boxes) < 2:
            continue
        overlap = np.asarray(pairwise(boxes, boxes))
        again = np.argwhere(np.triu((overlap >= _DOUBLED) & (classes[:, None] == classes), 1))
        for first, second in again.tolist():
            text = f"two boxes of {examples.class_names[classes[first]]}, IoU {overlap[first, second]:.2f}"
            suspects.append(Suspect(examples.names[row], text, (box_of(boxes[first]), box_of(boxes[second]))))
    return found(
        "doubled_box",
        "warning",
        f"Two boxes of one class are nearly the same (IoU ≥ {_DOUBLED:g}), as where an object was annotated twice.",
        "Remove one of each two: a detector is punished for finding the object once.",
        suspects,
    )


def _copies(examples: DetectionExamples, thumbs: np.ndarray) -> list[Finding]:
    parts = examples.parts or ("",) * len(examples)

    def pairs(across: bool) -> list[Suspect]:
        suspects = []
        for row, other, alike in near_copies(thumbs, parts, across):
            where = f", in {parts[row] or 'no part'} and in {parts[other] or 'no part'}" if across else ""
            text = f"like {examples.names[other]}{where}; correlation {alike:.3f}"
            suspects.append(Suspect(examples.names[row], text, others=(examples.names[other],)))
        return suspects

    said = f"(thumbnails correlate by {NEAR:g} or more)"
    return [
        *found(
            "near_copy_across",
            "warning",
            f"Two images of different parts look nearly alike {said}.",
            "Keep both in one part: what is measured on a copy of what was learned is too good.",
            pairs(across=True),
        ),
        *found(
            "near_copy",
            "note",
            f"Two images of one part look nearly alike {said}.",
            "Keep such images in one part when you part the data anew.",
            pairs(across=False),
        ),
    ]


def _blank(examples: DetectionExamples, spread: np.ndarray) -> list[Finding]:
    suspects = [Suspect(examples.names[row]) for row in np.flatnonzero(spread <= 2)]
    return found("blank_image", "warning", "An image has one color only.", "Replace or remove the file.", suspects)


def _shapes(examples: DetectionExamples, rows: np.ndarray) -> list[Finding]:
    sides = examples.boxes[:, 2:] - examples.boxes[:, :2]
    ratio = sides.max(axis=1, initial=0) / np.maximum(sides.min(axis=1, initial=np.inf), 1e-6)
    long = [
        Suspect(examples.names[rows[i]], f"{sides[i, 0]:g} × {sides[i, 1]:g} pixels", (box_of(examples.boxes[i]),))
        for i in np.flatnonzero(ratio > _LONG)
    ]
    whole = (examples.boxes == np.concatenate([np.zeros((len(rows), 2)), examples.sizes[rows][:, ::-1]], axis=1)).all(axis=1)
    covered = [Suspect(examples.names[rows[i]], "", (box_of(examples.boxes[i]),)) for i in np.flatnonzero(whole)]
    return [
        *found(
            "long_box",
            "warning",
            f"A box is more than {_LONG:g} times as long as it is wide.",
            "Check it: a slip of the mouse leaves such boxes.",
            long,
        ),
        *found(
            "whole_image",
            "note" if len(covered) > 0.1 * max(1, len(rows)) else "warning",
            "A box is exactly as large as its image.",
            "Check it: tools write that where nothing was drawn.",
            covered,
        ),
    ]


def _sizes(
    shown: np.ndarray, rows: np.ndarray, examples: DetectionExamples, size: tuple[int, int], strides: Sequence[int]
) -> list[Finding]:
    if not len(shown) or not strides:
        return []
    least = (shown[:, 2:] - shown[:, :2]).min(axis=1)
    small = np.flatnonzero(least < min(strides))
    if len(small) < max(1, _SMALL * len(shown)):
        return []
    order = small[np.argsort(least[small])]
    return found(
        "small_objects",
        "warning",
        f"{len(small) / len(shown):.1%} of the objects are narrower or lower than the smallest stride, {min(strides)} pixels, "
        f"on an image of {size[0]} × {size[1]}: several of them may share a cell.",
        "Show the detector larger images, or slices of them, or give it a map of a smaller stride.",
        [
            Suspect(examples.names[rows[i]], f"{least[i]:.1f} pixels as it is shown", (box_of(examples.boxes[i]),))
            for i in order.tolist()
        ],
    )


def _anchors(shown: np.ndarray, size: tuple[int, int], strides: Sequence[int], anchors: AnchorPyramid) -> list[Finding]:
    if not len(shown):
        return []
    some = shown[np.random.default_rng(0).permutation(len(shown))[:_SAMPLE]]
    recall = best_possible_recall(some, anchors([(size[0] // stride, size[1] // stride) for stride in strides]))
    level = "warning" if recall < _RECALL else "note"
    return [
        Finding(
            "anchor_recall",
            level,
            f"The anchors reach a best possible recall of {recall:.1%}: so many of {len(some):,} boxes have one of IoU ≥ 0.5.",
            "Choose anchors by `kmeans_anchors`, or add strides, where that is too little.",
        )
    ]


def _background(examples: DetectionExamples) -> list[Finding]:
    bare = np.flatnonzero(np.diff(examples.starts) == 0)
    if not len(bare):
        return []
    if not len(examples.boxes):
        says, advice = (
            "No image shows an object that could be learned.",
            "Annotate some, or mend what is wrong with their boxes.",
        )
        return [Finding("no_objects", "error", says, advice)]
    return found(
        "background",
        "note",
        f"{len(bare) / len(examples):.1%} of the images show no object.",
        "That is good for fewer false alarms, if it is true.",
        [Suspect(examples.names[row]) for row in bare],
    )


def _said_parts(examples: DetectionExamples) -> list[str]:
    if not examples.parts:
        return ["The data say nothing of parts for training, validation and test."]
    counted = {part or "no part": examples.parts.count(part) for part in ("train", "validation", "test", "")}
    return ["Parts: " + ", ".join(f"{count:,} images in {part}" for part, count in counted.items() if count) + "."]


def _class_table(examples: DetectionExamples, rows: np.ndarray) -> tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]:
    parts = [part for part in ("train", "validation", "test") if part in examples.parts]
    part = np.array(examples.parts)[rows] if examples.parts else np.full(len(rows), "")
    lines = []
    for label, name in enumerate(examples.class_names):
        own = examples.classes == label
        images = len(set(rows[own].tolist()))
        lines.append((name, f"{own.sum():,}", f"{images:,}", *(f"{(own & (part == each)).sum():,}" for each in parts)))
    return "Classes", ("class", "objects", "images", *(f"objects in {each}" for each in parts)), tuple(lines)


def _size_table(shown: np.ndarray, strides: Sequence[int]) -> tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]:
    least = (shown[:, 2:] - shown[:, :2]).min(axis=1, initial=np.inf)
    edges = [0, *sorted(strides), *(max(strides, default=8) * 2**i for i in range(1, 5)), np.inf]
    lines = []
    for low, high in itertools.pairwise(edges):
        count = int(((least >= low) & (least < high)).sum())
        span = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and more"
        lines.append((span, f"{count:,}", f"{count / max(1, len(shown)):.1%}"))
    return "Shorter side of the objects, in pixels as a detector is shown them", ("pixels", "objects", "share"), tuple(lines)
