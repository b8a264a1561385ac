"""Lists of templates, the sets of images by which IJB-B and IJB-C compare people, and tables of people's groups."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from likeness.research.data.names import identity_name
from likeness.research.data.pair_lists import label_of, read_rows
from likeness.research.data.paths import printable
from likeness.research.errors import UserError

_TEMPLATES = (
    "Expected is a table with a heading that names TEMPLATE_ID, FILENAME and, where they are known, SUBJECT_ID and "
    "MEDIA_ID; or lines "
    "of `image template medium` without one, as IJB's `face_tid_mid.txt`."
)
_PAIRS = "Expected are lines of two templates and `1` or `0`, as IJB's `template_pair_label.txt`."
_GROUPS = "Expected are lines of a person and a group, between commas or tabs."
_COLUMNS = {
    "template": ("TEMPLATE_ID", "TEMPLATE", "TID"),
    "image": ("FILENAME", "FILE", "IMAGE", "PATH"),
    "subject": ("SUBJECT_ID", "SUBJECT", "PERSON"),
    "medium": ("MEDIA_ID", "MEDIUM", "MID"),
}


@dataclasses.dataclass(frozen=True, eq=False)
class TemplateList:
    """Images of templates; entry i of each field is one image of one template, and an image may be in several."""

    images: tuple[str, ...]
    templates: Int[np.ndarray, "n"]
    media: Int[np.ndarray, "n"] | None = None
    """Of which photograph or video each is, where the list says it."""
    subjects: Int[np.ndarray, "n"] | None = None
    """Whom each template shows, where the list says it."""


def read_templates(path: str) -> TemplateList:
    """Reads which images each template has.

    Args:
        path: the file, UTF-8, between commas, tabs or spaces; ``~`` and environment variables are replaced.

    Raises:
        UserError: there is no such file, it is laid out otherwise, or a template shows two people.
    """
    rows, shown = read_rows(path, "templates", _TEMPLATES)
    heading = [cell.strip().upper() for cell in rows[0][1]]
    place = {name: next((heading.index(word) for word in words if word in heading), None) for name, words in _COLUMNS.items()}
    if place["template"] is None and place["image"] is None:
        place, body = {"image": 0, "template": 1, "medium": 2, "subject": None}, rows
    else:
        body = rows[1:]
    if place["template"] is None or place["image"] is None or not body:
        raise UserError(f"{shown} has no column of templates, none of images, or no line below its heading. {_TEMPLATES}")
    last = max(column for column in place.values() if column is not None)
    for number, cells in body:
        if len(cells) <= last:
            raise UserError(f"Line {number} of {shown} has {len(cells)} columns, and {last + 1} are needed. {_TEMPLATES}")
    columns = {
        name: _whole([(number, cells[column]) for number, cells in body], shown, _TEMPLATES)
        for name, column in place.items()
        if column is not None and name != "image"
    }
    subjects = columns.get("subject")
    if subjects is not None:
        couples = np.unique(np.stack([columns["template"], subjects], axis=1), axis=0)
        if len(couples) != len(np.unique(columns["template"])):
            raise UserError(f"A template of {shown} shows two people: mend its columns of templates and subjects.")
    images = tuple(cells[place["image"]] for _, cells in body)
    return TemplateList(images, columns["template"], columns.get("medium"), subjects)


def read_template_pairs(path: str) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """Reads which templates are compared, and whether they show one person.

    Args:
        path: the file, UTF-8; ``~`` and environment variables are replaced.

    Raises:
        UserError: there is no such file, or a line is no pair, which is named.
    """
    rows, shown = read_rows(path, "pairs", _PAIRS)
    for number, cells in rows:
        if len(cells) != 3 or label_of(cells[2]) is None:
            raise UserError(f"Line {number} of {shown} is no pair of templates: {printable(' '.join(cells)[:80])!r}. {_PAIRS}")
    first, second = (_whole([(number, cells[column]) for number, cells in rows], shown, _PAIRS) for column in (0, 1))
    return first, second, np.array([label_of(cells[2]) for _, cells in rows], bool)


def read_groups(path: str) -> dict[str, str]:
    """Reads the group of each person, by name (:func:`~likeness.research.data.names.identity_name`).

    Args:
        path: the file, UTF-8, a person and a group a line, with or without a heading ``person,group``.

    Raises:
        UserError: there is no such file, a line is laid out otherwise, or a person has two groups.
    """
    rows, shown = read_rows(path, "groups", _GROUPS)
    if [cell.lower() for cell in rows[0][1]] in (["person", "group"], ["name", "group"], ["identity", "group"]):
        rows = rows[1:]
    found: dict[str, str] = {}
    for number, cells in rows:
        if len(cells) != 2 or not all(cells):
            raise UserError(f"Line {number} of {shown} has {len(cells)} columns. {_GROUPS}")
        person = identity_name(cells[0])
        if found.setdefault(person, cells[1]) != cells[1]:
            raise UserError(
                f"Line {number} of {shown} puts {person} into {cells[1]}, and another into {found[person]}: give one group."
            )
    if not found:
        raise UserError(f"{shown} has no person. {_GROUPS}")
    return found


def _whole(cells: Sequence[tuple[int, str]], shown: str, formats: str) -> np.ndarray:
    try:
        return np.array([int(cell) for _, cell in cells], np.int64)
    except (ValueError, OverflowError) as error:
        for number, cell in cells:
            if not cell.strip().lstrip("-").isdigit() or len(cell) > 18:
                wrong = f"Line {number} of {shown} has {printable(cell[:40])!r} where a whole number is expected"
                raise UserError(f"{wrong}. {formats}") from error
        raise


__all__ = ["TemplateList", "read_groups", "read_template_pairs", "read_templates"]
