"""What can be wrong with annotated images: each kind has a name, and is counted, skipped or refused."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from likeness.research.errors import UserError

__all__ = ["FATE", "KINDS", "Fate", "Kind", "Problem", "ProblemKind", "refuse_problems", "summary_of"]

ProblemKind: TypeAlias = Literal[
    # Boxes.
    "malformed",
    "no_class",
    "unknown_class",
    "not_finite",
    "normalized",
    "pixel_units",
    "reversed",
    "zero_area",
    "outside",
    "too_small",
    "duplicate_box",
    "orphan",
    "partly_outside",
    "off_by_one",
    "two_classes",
    "duplicate_id",
    # Images and files.
    "missing_image",
    "unreadable_image",
    "unreadable_annotation",
    "hostile_annotation",
    "path_escape",
    "size_mismatch",
    "duplicate_image",
    "duplicate_across",
    "exif_rotation",
    "unannotated",
    "similar_classes",
]
"""Every kind by its name; :data:`KINDS` says what each is."""

Fate: TypeAlias = Literal["box", "image", "mended", "kept"]
FATE: dict[Fate, str] = {
    "box": "the box is left out",
    "image": "the image is left out",
    "mended": "the box is mended",
    "kept": "it is kept",
}
"""What becomes of what is wrong, where it is skipped."""


class Kind(NamedTuple):
    """What a kind of problem is."""

    says: str
    """What is wrong, as a clause."""
    fate: Fate
    """What becomes of it, where it is skipped."""
    advice: str
    """What its owner does about it, as a sentence."""

    @property
    def serious(self) -> bool:
        """Whether something is lost by it; what is only mended or kept is a warning."""
        return self.fate in ("box", "image")


KINDS: dict[ProblemKind, Kind] = {
    "malformed": Kind("a box is not written as four numbers", "box", "Write four numbers for each box, or remove it."),
    "no_class": Kind("a box has no class", "box", "Name what the box shows."),
    "unknown_class": Kind("a box's class is not among the classes", "box", "Correct the name, or add it to the classes."),
    "not_finite": Kind("a coordinate is NaN or infinite", "box", "Draw the box anew."),
    "normalized": Kind(
        "coordinates between 0 and 1 stand where pixels belong", "box", "Multiply them by the image's width and height."
    ),
    "pixel_units": Kind(
        "pixels stand where coordinates between 0 and 1 belong", "box", "Divide them by the image's width and height."
    ),
    "reversed": Kind("the corners are reversed, or a side is negative", "box", "Exchange the corners, or draw the box anew."),
    "zero_area": Kind("the box has no width or no height", "box", "Remove the box, or draw it anew."),
    "outside": Kind("the box is outside of the image", "box", "Check whether the box belongs to another image or size."),
    "too_small": Kind("what is inside of the image is less than a pixel wide or high", "box", "Remove the box."),
    "duplicate_box": Kind("the same box with the same class stands there twice", "box", "Remove one of them."),
    "orphan": Kind("the box belongs to an image that is not listed", "box", "List the image, or remove the box."),
    "partly_outside": Kind("the box sticks out of the image and is clipped", "mended", "Check the box, or the image's size."),
    "off_by_one": Kind(
        "the box is a pixel outside, as where counting from 0 and from 1 were mixed up",
        "mended",
        'Give voc_pixels="continuous" if the tool counts from 0.',
    ),
    "two_classes": Kind("the same box stands there with two classes", "kept", "Decide which of them it shows."),
    "duplicate_id": Kind("two annotations or images have one id", "kept", "Number them anew."),
    "missing_image": Kind("there is no image for the annotation", "image", "Restore the image, or remove the annotation."),
    "unreadable_image": Kind("the image cannot be read", "image", "Replace the file."),
    "unreadable_annotation": Kind("the annotation cannot be read", "image", "Mend or replace the file."),
    "hostile_annotation": Kind(
        "the annotation declares entities or a document type, which can read files or fill the memory",
        "image",
        "Ask where the file comes from; write it without a document type.",
    ),
    "path_escape": Kind(
        "the annotation names a file outside of the folder, and only its name counts",
        "kept",
        "Name the image by its path below the folder.",
    ),
    "size_mismatch": Kind(
        "the image has another size than the annotation says",
        "image",
        "Annotate the image that is there, or restore it.",
    ),
    "duplicate_image": Kind("the image is a copy of another one of the same part", "image", "Remove one of them."),
    "duplicate_across": Kind(
        "the image is in the part for learning and in one for evaluation", "image", "Keep it in one of them only."
    ),
    "exif_rotation": Kind(
        "the file's EXIF tag turns the image, and the boxes may be of the image before that",
        "kept",
        "Save the images upright, without the tag, and look at the boxes.",
    ),
    "unannotated": Kind("there is no annotation for the image", "kept", "Annotate the image, or remove it."),
    "similar_classes": Kind("names of classes differ by little", "kept", "Write each class in one way."),
}


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one image or one of its boxes."""

    kind: ProblemKind
    name: str
    """The image, or the file: its path below the folder."""
    detail: str = ""
    """What was found, such as the numbers."""
    box: tuple[float, float, float, float] | None = None
    """Where it is, ``xyxy`` in pixels, if it is anywhere."""
    index: int | None = None
    """Which annotation of the image, from 0."""
    fate: Fate | None = None
    """What becomes of it, where this is not what its kind says."""

    def __str__(self) -> str:
        where = self.name if self.index is None else f"{self.name}, box {self.index + 1}"
        return f"{where}: {KINDS[self.kind].says}{f' ({self.detail})' if self.detail else ''}"


def counts_of(problems: Iterable[Problem]) -> dict[ProblemKind, int]:
    """How many there are of each kind that occurs, in the order of :data:`KINDS`."""
    counted = Counter(problem.kind for problem in problems)
    return {kind: counted[kind] for kind in KINDS if counted[kind]}


def summary_of(problems: Sequence[Problem], shown: int = 2) -> tuple[str, ...]:
    """A sentence for each kind that occurs: how often, what becomes of it, and the first of them.

    Example:
        >>> summary_of([Problem("zero_area", "a.jpg", index=3), Problem("zero_area", "b.jpg", index=0)])
        ('zero_area, 2 times: the box has no width or no height; the box is left out (a.jpg, box 4; b.jpg, box 1)',)
    """
    said = []
    for kind, count in counts_of(problems).items():
        found = [problem for problem in problems if problem.kind == kind]
        places = [each.name if each.index is None else f"{each.name}, box {each.index + 1}" for each in found[:shown]]
        more = f"; and {count - shown:,} more" if count > shown else ""
        times = "once" if count == 1 else f"{count:,} times"
        fate = FATE[found[0].fate or KINDS[kind].fate]
        said.append(f"{kind}, {times}: {KINDS[kind].says}; {fate} ({'; '.join(places)}{more})")
    return tuple(said)


def refuse_problems(where: str, problems: Sequence[Problem], refused: Sequence[ProblemKind]) -> None:
    """Raises UserError if there are problems of kinds that are refused, with their number and the first of them."""
    found = [problem for problem in problems if problem.kind in refused]
    if found:
        kinds = ", ".join(f"{kind} {count:,} times" for kind, count in counts_of(found).items())
        first = "; ".join(map(str, found[:3]))
        more = f"; and {len(found) - 3:,} more" if len(found) > 3 else ""
        raise UserError(
            f"The annotations of {where} are refused: {kinds} ({first}{more}). {KINDS[found[0].kind].advice} Or leave out what "
            'is wrong, counted, by on_problem="skip" and without the kind in `refuse`.'
        )


def check_kinds(owner: str, field: str, kinds: Any) -> None:
    """Raises ValueError unless all are names of kinds."""
    unknown = [kind for kind in kinds if kind not in get_args(ProblemKind)]
    if unknown:
        raise ValueError(f"{owner}({field}=…): {unknown[0]!r} is no kind of problem; there are {', '.join(KINDS)}.")
