"""The house in numbers, and its tree with one line a file.

    python -m likeness.experiments.benchmarks.house [--tree] [REVISION …]

Of the files of a checkout as they are, or as they were at git revisions: lines of code outside tests, files, rooms (the folders
right below ``research``, ``experiments`` and ``configs``), loose files beside the rooms, import edges between rooms, edges that
run against ``configs → experiments → research``, and circles of rooms. ``--tree`` prints the first sentence of each file too.
"""

import argparse
import ast
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
WINGS = ("research", "experiments", "configs")
"""What runs stands above what it runs: each may import those before it."""


class Counts(NamedTuple):
    """What is counted."""

    lines: int
    files: int
    rooms: int
    loose: int
    edges: int
    against: int
    circles: int


def sources(revision: str | None) -> dict[PurePosixPath, str]:
    """The text of every module outside tests, by path."""
    names = _git("ls-files") if revision is None else _git("ls-tree", "-r", "--name-only", revision)
    paths = [
        PurePosixPath(name) for name in names.splitlines() if name.endswith(".py") and name.startswith((*WINGS, "likeness"))
    ]
    if revision is None:
        return {path: (ROOT / path).read_text() for path in paths if (ROOT / path).is_file()}
    return {path: _git("show", f"{revision}:{path}") for path in paths}


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def room(path: PurePosixPath) -> str:
    """The folder right below a wing; of a loose file, the file itself."""
    return "/".join(path.parts[:2]).removesuffix(".py")


def names(path: PurePosixPath, tree: ast.AST) -> set[str]:
    """What a module imports, inside its functions too, as dotted names.

    Args:
        path: of the module, below the checkout's root.
        tree: its syntax.
    """
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = ("likeness", *path.parts[: len(path.parts) - node.level]) if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def imported(path: PurePosixPath, text: str, modules: Mapping[str, PurePosixPath]) -> Iterator[PurePosixPath]:
    """The modules of the house that a module imports."""
    for name in names(path, ast.parse(text)):
        # Before there was a door, the folders were imported by their own names.
        parts = name.removeprefix("likeness.").split(".")
        homes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        found = [modules[home] for home in homes if home in modules]
        if found and found[0] != path:
            yield found[0]


def count(texts: Mapping[PurePosixPath, str]) -> Counts:
    """Counts a house."""
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in texts}
    arrows = {
        (room(path), room(other))
        for path, text in texts.items()
        for other in imported(path, text, modules)
        if room(path) != room(other) and path.name != "__init__.py" and {path.parts[0], other.parts[0]} <= {*WINGS}
    }
    rooms = {room(path) for path in texts if len(path.parts) > 2 and path.parts[0] in WINGS}
    loose = [path for path in texts if len(path.parts) == 2 and path.parts[0] in WINGS and path.name != "__init__.py"]
    heights = {wing: height for height, wing in enumerate(WINGS)}
    against = [(one, other) for one, other in arrows if heights[one.split("/")[0]] < heights[other.split("/")[0]]]
    lines = sum(text.count("\n") for text in texts.values())
    return Counts(lines, len(texts), len(rooms), len(loose), len(arrows), len(against), circles(arrows))


def circles(arrows: set[tuple[str, str]]) -> int:
    """How many sets of rooms there are in which every room leads to every other."""
    reached = {one: {other for first, other in arrows if first == one} for one, _ in arrows}
    for _ in reached:
        for one, those in reached.items():
            reached[one] = those.union(*(reached.get(other, set()) for other in those))
    rings = {
        frozenset(other for other in those if one in reached.get(other, ())) for one, those in reached.items() if one in those
    }
    return len(rings)


def tree(texts: Mapping[PurePosixPath, str]) -> Iterator[str]:
    """Each folder, and below it each file with its first sentence."""
    folder = None
    for path, text in sorted(texts.items()):
        said = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].replace("\n", " ")
        if path.parent != folder:
            folder = path.parent
            yield f"{folder}/"
        if path.name != "__init__.py" or said:
            yield f"  {path.name:<28} {said}"


def main() -> None:
    """Print the table, and the tree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("revisions", nargs="*", metavar="REVISION")
    parser.add_argument("--tree", action="store_true")
    asked = parser.parse_args()
    counted = {revision or "as it is": count(sources(revision)) for revision in (*asked.revisions, None)}
    print(f"{'':<10}" + "".join(f"{name:>9}" for name in Counts._fields))
    for name, counts in counted.items():
        print(f"{name:<10}" + "".join(f"{number:>9,}" for number in counts))
    if asked.tree:
        print("\n".join(["", *tree(sources(None))]))


if __name__ == "__main__":
    main()
