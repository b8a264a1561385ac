"""Parting Omniglot's characters, each with all of its turns."""

import dataclasses
import re
from pathlib import Path

import numpy as np

from likeness.research.data.images import Images
from likeness.research.data.omniglot import TURNED
from likeness.research.data.paths import expand_path, printable
from likeness.research.data.split import Split, Splits, hash_people
from likeness.research.errors import UserError

_LINE = re.compile(r"([^/]+)/(character\d+)(?:/rot(?:000|090|180|270))?")
_FILES = {"train": "train.txt", "validation": "val.txt", "test": "test.txt"}
_LONGEST_LIST = 1 << 22


@dataclasses.dataclass(frozen=True, kw_only=True)
class OmniglotSplit(Split):
    """Parts characters; those that are another one turned (``Omniglot.rotations``) are in its part.

    A split by names alone would learn from a character turned by 90 degrees and evaluate by it upright.

    Either by a hash of the characters' names, as :class:`~likeness.research.data.CountSplit` does; or by published lists:
    a folder with ``train.txt``, ``val.txt`` and ``test.txt``, whose lines are ``Greek/character07`` or
    ``Greek/character07/rot090``, such as those of Vinyals et al. that came with prototypical networks. Characters on no list
    are left out.

    Raises:
        ValueError: a count is negative.
    """

    validation: int = 0
    """How many characters to evaluate by while learning."""
    test: int = 423
    """How many characters to evaluate by at the end: 423 of all 1,623 in the few-shot literature."""
    seed: int = 0
    """Another seed parts the characters otherwise."""
    lists: str = ""
    """The folder of the published lists, which go before the counts; ``~`` and environment variables are replaced."""

    def __post_init__(self) -> None:
        if min(self.validation, self.test) < 0:
            raise ValueError(
                f"OmniglotSplit's validation and test are numbers of characters, not {self.validation} and {self.test}."
            )

    def __call__(self, images: Images) -> Splits:
        """Parts the characters.

        Raises:
            UserError: there are not more characters than asked for, or a list is missing, damaged, names a character that the
                data lack, or one that is on another list too.
        """
        upright = [TURNED.sub("", person) for person in images.people]
        characters = sorted(set(upright))
        parts = self._listed(characters) if self.lists else self._counted(characters)
        if not parts["train"] and self.lists:
            raise UserError(
                f"{printable(expand_path(self.lists) / _FILES['train'])} is empty, so there is nothing to learn from: give the "
                "folder of the published lists."
            )
        if not parts["train"]:
            raise UserError(
                f"Of {len(characters):,} characters OmniglotSplit leaves none to learn from ({self.validation} for validation, "
                f"{self.test} for the test): lower `validation` or `test` (--experiment.split.test)."
            )
        rows = {name: [row for row, base in enumerate(upright) if base in part] for name, part in parts.items()}
        return Splits(**{name: images.select_people(np.array(part, np.int64)) for name, part in rows.items()})

    def _counted(self, characters: list[str]) -> dict[str, set[str]]:
        order = np.argsort(hash_people(tuple(characters), self.seed), kind="stable")
        ranked = [characters[i] for i in order]
        first, second = self.test, self.test + self.validation
        return {"train": set(ranked[second:]), "validation": set(ranked[first:second]), "test": set(ranked[:first])}

    def _listed(self, characters: list[str]) -> dict[str, set[str]]:
        folder, known = expand_path(self.lists), set(characters)
        parts: dict[str, set[str]] = {}
        for name, file in _FILES.items():
            where = printable(folder / file)
            found: set[str] = set()
            for number, line in enumerate(_lines(folder / file), 1):
                match = _LINE.fullmatch(line)
                base = f"{match[1]}/{match[2]}" if match else ""
                if base not in known:
                    raise UserError(
                        f"Line {number} of {where} is {printable(line[:80])!r}, which is no character of the data: lines are "
                        'like Greek/character07 or Greek/character07/rot090, and lists of all alphabets need `subset="all"`.'
                    )
                if other := next((o for o, part in parts.items() if base in part), None):
                    raise UserError(
                        f"Line {number} of {where} names {base}, which is on {_FILES[other]} too: give lists that share none."
                    )
                found.add(base)
            parts[name] = found
        return parts


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _LONGEST_LIST:
            raise UserError(
                f"{printable(path)} is too long to be a list of characters: give the folder of the published lists."
            )
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"The list {printable(path)} cannot be read: give in `lists` the folder with {', '.join(_FILES.values())}, or "
            "leave it empty to part the characters by a hash of their names."
        ) from error
    return [line.strip() for line in text.splitlines() if line.strip()]
