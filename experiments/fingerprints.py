"""Whether a run may go on from what a working directory holds: only with what it began with."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from likeness.research.errors import UserError
from likeness.research.types import PyTree


class CannotResume(UserError):
    """What a working directory holds and what was asked for do not go together; another directory would do."""


class ChangedInputs(CannotResume):
    """What a run was trained on is not what is there now."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fingerprints:
    """What identifies the content of everything that an experiment has read, by the name that its user knows it by.

    What the config says is no content: a procedural image is known by its config, a file by its bytes.
    """

    training: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Of what the steps depend on."""
    validation: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Of what only evaluations read, those on the way among them."""
    test: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Of what only the last evaluation reads."""

    def to_json(self) -> dict[str, dict[str, str]]:
        """Its parts by name."""
        return {field.name: dict(getattr(self, field.name)) for field in dataclasses.fields(self)}

    @property
    def digest(self) -> str:
        """One SHA-256, in hex, for all of it."""
        lines = [f"{part} {name} {value}" for part, of in self.to_json().items() for name, value in sorted(of.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def since(self, before: Mapping[str, Mapping[str, str]]) -> "Changes":
        """What is otherwise than in the JSON of an earlier time; nothing where there is none."""
        now = self.to_json()
        found = {part: _differences(before[part], now[part]) if part in before else () for part in now}
        return Changes(**found)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Changes:
    """The inputs that have changed, those that have come and those that are missing: their names."""

    training: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.training or self.validation or self.test)

    def described(self, before: Mapping[str, Mapping[str, str]], now: Fingerprints) -> list[str]:
        """One line for each, as for what changes in a config: ``inputs.training.content: 1f0e8c12 → 77ab03d4``."""
        after = now.to_json()
        return [
            f"inputs.{part}.{name}: {_brief(before[part].get(name))} → {_brief(after[part].get(name))}"
            for part, names in dataclasses.asdict(self).items()
            for name in names
        ]

    @property
    def beside_training(self) -> tuple[str, ...]:
        """What evaluations read."""
        return self.validation + self.test


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names in a sentence, and how many more there are: ``content, style 1 and style 2``."""
    shown = list(names[:most]) + ([f"{len(names) - most} more"] if len(names) > most else [])
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def of_arrays(tree: PyTree) -> str:
    """SHA-256, in hex, of arrays and of where in the tree they are, such as weights that were read from a file."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array: Any = np.asarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _brief(fingerprint: str | None) -> str:
    return "nothing" if fingerprint is None else fingerprint[:12]


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys([*before, *now]) if before.get(name) != now.get(name))
