"""Finds the flag that was meant: by its spelling, by the words people use for it, and by the words of its help."""

import argparse
import dataclasses
import difflib
import functools
import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from likeness.experiments.commands.synonyms import CHOSEN, SYNONYMS, Synonym

MOST = 3
"""Flags to suggest at most."""

_ALIKE = 0.8
"""The ratio of :class:`difflib.SequenceMatcher` from which two names count as one misspelt."""
_CLOSE = 0.85
"""The same for words of several, where chance finds more."""
_BESIDE_THE_BEST = 0.75
"""The share of the best one's score from which others are suggested too."""
_LONGEST_HELP = 110
_LEAST = 0.45
"""The score from which a flag is suggested at all."""
_IDLE_WORDS = re.compile(
    r"\b(?:a|an|and|as|at|be|by|for|from|how|in|is|it|its|many|much|no|not|num|number|of|on|or|per|the|this|to|use|with)\b"
)


@dataclasses.dataclass(frozen=True)
class Flag:
    """One flag of a command, as its help has it.

    Attributes:
        name: with its dashes, such as ``--optimizer.schedule.peak-lr``.
        takes: what follows it, such as ``FLOAT``; empty for a flag that stands alone.
        help: what it does.
        value: what holds where it is not given, as help prints it; empty where help does not say.
    """

    name: str
    takes: str
    help: str
    value: str

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(self.name.lstrip("-").split("."))

    def __str__(self) -> str:
        text = re.split(r"(?<=[a-z0-9)])\.\s|:\s*\n|\n\n", self.help, maxsplit=1)[0]
        text = " ".join(text.replace("``", "").split()).rstrip(".")
        if len(text) > _LONGEST_HELP:
            text = text[:_LONGEST_HELP].rpartition(" ")[0].rstrip(",;:") + " …"
        said = [part for part in (text, f"now {self.value}" if self.value else "") if part]
        return f"{self.name}{' ' * bool(self.takes)}{self.takes}" + (f" ({'; '.join(said)})" if said else "")


def flags_of(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> tuple[Flag, ...]:
    """The flags of a command that can be changed, and of its action if the arguments name one."""
    found: list[Flag] = []
    for action in parser._actions:  # pyright: ignore[reportPrivateUsage] # argparse has no other list of them.
        if isinstance(action.choices, Mapping):
            chosen = next((argument for argument in arguments if argument in action.choices), None)
            found += flags_of(action.choices[chosen], arguments) if chosen else ()
        names = [name for name in action.option_strings if name.startswith("--") and name != "--help"]
        # A field that no text can stand for is listed by help, and refused.
        if names and "(fixed to:" not in (action.help or ""):
            found.append(_flag(names[0], action))
    return tuple(found)


def _flag(name: str, action: argparse.Action) -> Flag:
    text = (action.help or "").replace("%%", "%")
    told = re.search(r"\s*\((?:default|sets): (.*)\)\s*$", text, re.DOTALL)
    takes = action.metavar if isinstance(action.metavar, str) else ""
    return Flag(name=name, takes=takes, help=text[: told.start()] if told else text, value=told[1] if told else "")


def strangers(arguments: Iterable[str], parser: argparse.ArgumentParser, flags: Sequence[Flag], *, bare: bool) -> list[str]:
    """The arguments that look like flags and are none; ``bare`` takes ``name=value`` without dashes for one too."""
    known = {name for flag in flags for name in (flag.name, f"--no-{flag.name[2:]}")}
    known |= set(parser._option_string_actions)  # pyright: ignore[reportPrivateUsage]
    found = []
    for argument in arguments:
        name = argument.partition("=")[0].replace("_", "-")
        if (re.match(r"--?[^\W\d]", name) and name not in known) or (bare and re.match(r"[^\W\d][\w.-]*=", argument)):
            found.append(argument.partition("=")[0])
    return list(dict.fromkeys(found))


def nearest(asked: str, flags: Sequence[Flag]) -> tuple[list[Flag], str]:
    """The flags that somebody may have meant, the likeliest first, and what else is to be said.

    Args:
        asked: what was typed, with or without dashes.
        flags: those that there are.

    Returns:
        at most :data:`MOST` of them, and sentences, or nothing.
    """
    path = tuple(part for part in asked.lstrip("-").lower().replace("_", "-").split(".") if part)
    if not path:
        return [], ""
    scores = {
        flag.name: max(_spelt(path, flag), 0.85 * by_words)
        for flag, by_words in zip(flags, _by_words(path, flags), strict=True)
    }
    note = ""
    # The words that belong together may begin anywhere: those before them say where.
    for synonym in _synonyms(path[-1]):
        places = 0
        for place, field in enumerate(synonym.fields):
            ends = [flag for flag in flags if _ends(flag, field)]
            for flag in sorted(ends, key=lambda flag: (-_agreement(path[:-1], flag), len(flag.path)))[: 1 if ends else 0]:
                scores[flag.name] = max(scores[flag.name], 0.99 - 0.02 * place)
                places += 1
        if not synonym.wants or any(_ends(flag, synonym.wants) for flag in flags):
            note = synonym.note
    if not note and (part := CHOSEN.get(path[-1].replace("-", " "))):
        below = [flag for flag in flags if part in flag.path[:-1]]
        if below:
            note = f"Which {part} a run has is written in its config file; flags change the fields of it."
            for flag in below:
                scores[flag.name] = max(scores[flag.name], 0.9 - 0.01 * len(flag.path))
    best = max(scores.values(), default=0)
    if best < _LEAST:
        return [], note
    ranked = sorted(flags, key=lambda flag: (-scores[flag.name], len(flag.path)))
    return [flag for flag in ranked if scores[flag.name] >= _BESIDE_THE_BEST * best][:MOST], note


def explain(command: str, asked: Sequence[str], flags: Sequence[Flag]) -> str:
    """One paragraph about flags that a command has not.

    Args:
        command: as it was typed, up to its flags.
        asked: what was typed.
        flags: those that the command has.
    """
    told = []
    for name in asked:
        found, note = nearest(name, flags)
        told.append(f"`{command}` does not know {name}{'' if found or note else ', and has nothing like it'}.")
        if found:
            told.append(f"Perhaps you mean {_either([str(flag) for flag in found])}.")
        told += [note] if note else []
    return " ".join([*told, f"`{command} --help` lists all flags."])


def misplaced(command: str, word: str, flags: Sequence[Flag]) -> str:
    """One paragraph about a word that is neither a flag nor the value of one.

    Args:
        command: as it was typed, up to its flags.
        word: what was typed; where there is such a file or folder, the flag that may take it is named.
        flags: those that the command has.
    """
    takers = [flag for flag in flags if flag.path[-1] == "path"] if Path(word).exists() else []
    meant = f" Perhaps you mean {takers[0].name} {shlex.quote(word)}." if takers else ""
    return (
        f"`{command}` does not know what {word!r} is for: it is neither a flag nor the value of the flag before it.{meant} "
        f"`{command} --help` lists all flags."
    )


def _either(texts: list[str]) -> str:
    return ", or ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else texts[0]


@functools.lru_cache(maxsize=100_000)
def _ratio(a: str, b: str, least: float = _ALIKE) -> float:
    """How alike two words are, 0 to 1; 0 below ``least``, which spares most of the work."""
    if a == b:
        return 1.0
    matcher = difflib.SequenceMatcher(None, a, b)
    close = matcher.real_quick_ratio() >= least and matcher.quick_ratio() >= least
    ratio = matcher.ratio() if close else 0.0
    return ratio if ratio >= least else 0.0


def _spelt(path: Sequence[str], flag: Flag) -> float:
    """How much a path looks like that of a flag, 0 to 1: the last parts decide, and parts may be left out."""
    last = _ratio(path[-1], flag.path[-1])
    if not last:
        return 0
    before = _agreement(path[:-1], flag)
    # A part that is not said is a little less likely than one that is.
    return 0.75 * last + 0.25 * before - 0.01 * (len(flag.path) - len(path) if len(flag.path) > len(path) else 0)


def _agreement(path: Sequence[str], flag: Flag) -> float:
    """How much the parts before the last are those of a flag, in the mean; 1 if there are none."""
    ratios = [max((_ratio(part, own) for own in flag.path[:-1]), default=0.0) for part in path]
    return sum(ratios) / len(ratios) if ratios else 1


def _ends(flag: Flag, field: str) -> bool:
    parts = tuple(field.split("."))
    return flag.path[-len(parts) :] == parts


def _synonyms(name: str) -> list[Synonym]:
    words = name.replace("-", " ")
    joined = words.replace(" ", "")
    exact = [one for one in SYNONYMS if joined in {known.replace(" ", "") for known in one.names}]
    if exact or len(joined) < 6:
        return exact
    close = [(max(_ratio(joined, known.replace(" ", ""), _CLOSE) for known in one.names), one) for one in SYNONYMS]
    ratio, one = max(close, key=lambda each: each[0])
    return [one] if ratio else []


@functools.lru_cache(maxsize=10_000)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_stem(word) for word in re.findall(r"[^\W_]+", _IDLE_WORDS.sub(" ", text.lower())))


def _stem(word: str) -> str:
    for ending in ("ing", "ion", "ed", "es", "e", "s"):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) > 3:
            return word[: -len(ending)]
    return word


def _by_words(path: Sequence[str], flags: Sequence[Flag]) -> list[float]:
    """How many of the words typed each flag has, 0 to 1: rare ones weigh more, and those of the help less than the path's."""
    asked = _words(" ".join(path))
    if not asked:
        return [0.0] * len(flags)
    in_path = [_words(" ".join(flag.path)) for flag in flags]
    in_help = [_words(flag.help) for flag in flags]
    own = [set(a) | set(b) for a, b in zip(in_path, in_help, strict=True)]
    having = [sum(word in words for words in own) for word in asked]
    # A word that no flag has says less than a rare one.
    weights = [math.log((1 + len(flags)) / (1 + count)) * (1 if count else 0.5) for count in having]
    total = sum(weights)
    found = []
    for path_words, help_words in zip(in_path, in_help, strict=True):
        score = 0.0
        for word, weight in zip(asked, weights, strict=True):
            by_path = _nearness(word, path_words)
            by_help = 0.8 * _nearness(word, help_words[:20])
            score += weight * max(by_path, by_help)
        found.append(score / total if total else 0.0)
    return found


def _nearness(word: str, words: Sequence[str]) -> float:
    if word in words:
        return 1.0
    if len(word) < 5:
        return 0.0
    return max((_ratio(word, other, _CLOSE) for other in words), default=0.0)
