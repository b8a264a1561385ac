"""What can be wrong with the classes of annotated images."""

import difflib

import numpy as np

from likeness.experiments.data_check.findings import Finding, Suspect, box_of, found
from likeness.research.data.detection import DetectionExamples

_IMBALANCED, _RARE, _FEW = 20.0, 0.01, 3
"""How many times more often the commonest class is than the rarest; the share and the number of boxes of a rare class."""


def check_classes(examples: DetectionExamples) -> list[Finding]:
    """Classes that nothing is of, that are mistyped perhaps, that are much rarer than others, or that nobody can learn."""
    counts = examples.counts()
    rows = np.repeat(np.arange(len(examples)), np.diff(examples.starts))
    findings: list[Finding] = []
    empty = [Suspect(name) for name, count in zip(examples.class_names, counts, strict=True) if not count]
    findings += found(
        "empty_class",
        "warning",
        "A class is listed, and no object is of it.",
        "Remove it from the list, or annotate some.",
        empty,
    )
    rare = []
    for label in np.flatnonzero((counts > 0) & (counts <= _FEW) & (counts < _RARE * counts.sum())).tolist():
        meant = _meant(examples.class_names, counts, label)
        text = f"{counts[label]} × {examples.class_names[label]}" + (f", perhaps {meant} is meant" if meant else "")
        own = np.flatnonzero(examples.classes == label)
        rare += [Suspect(examples.names[rows[i]], text, (box_of(examples.boxes[i]),)) for i in own]
    findings += found(
        "rare_class",
        "warning",
        f"A class has at most {_FEW} objects among hundreds, as a name that was mistyped has.",
        "Correct the name, give the names by `classes`, or annotate more.",
        rare,
    )
    usual = counts[counts > _FEW]
    if len(usual) > 1 and usual.max() > _IMBALANCED * usual.min():
        rarest, commonest = (examples.class_names[int(np.flatnonzero(counts == n)[0])] for n in (usual.min(), usual.max()))
        findings.append(
            Finding(
                "imbalance",
                "warning",
                f"{commonest} is {usual.max() / usual.min():.0f} times as common as {rarest}: {usual.max():,} objects to "
                f"{usual.min():,}.",
                "Expect less of the rare class, look at AP class by class, and annotate more of it.",
            )
        )
    return [*findings, *_across_parts(examples, rows)]


def _across_parts(examples: DetectionExamples, rows: np.ndarray) -> list[Finding]:
    if not examples.parts:
        return []
    part = np.array(examples.parts)[rows]
    learned = set(examples.classes[part == "train"].tolist())
    suspects = []
    for name in ("validation", "test"):
        unseen = sorted(set(examples.classes[part == name].tolist()) - learned)
        suspects += [Suspect(examples.class_names[label], f"in {name}") for label in unseen if learned]
    return found(
        "unlearned_class",
        "warning",
        "A class is evaluated, and no image to learn from shows it.",
        "Part the images anew, or leave the class out.",
        suspects,
    )


def _meant(names: tuple[str, ...], counts: np.ndarray, label: int) -> str | None:
    """The commoner class whose name is much like that of a rare one."""
    others = {names[i].lower(): names[i] for i in np.flatnonzero(counts > counts[label])}
    close = difflib.get_close_matches(names[label].lower(), others, n=1, cutoff=0.6)
    return others[close[0]] if close else None
