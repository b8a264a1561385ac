"""Would the tests notice? One small change at a time is made to a copy of the project, and the tests of its file are run.

``python -m likeness.experiments.benchmarks.mutations`` draws a hundred changes over the losses, metrics, gallery, samplers,
splits and the trainer, seeded: a comparison, an operator or a constant that is another, a condition that is negated, a
statement that is left out, arguments that are swapped, a minimum that is a maximum. Only what may change behavior is changed:
docstrings, the words of messages and type annotations are left alone.
The tests are those that mirror the file, and those of the files beside it that import it. What they do not notice is printed
with its place, as it was and as it became, and is either a test that is missing or a change that changes nothing.

Tests run in processes that are forked from one that has imported the libraries, in a folder of their own. ``--start 20
--count 20`` are the second twenty of the same draw; ``--within research/losses`` draws over a part of the project only.
"""

import ast
import copy
import dataclasses
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tyro

ROOT = Path(__file__).parents[2]
TRAINER = (
    *("training/trainer", "training/step", "training/program", "training/recorder", "training/stages", "training/evaluation"),
    *("optim/optimizers", "optim/schedules", "optim/lbfgs", "storage/checkpoints"),
)
PLACES = (
    "research/distances.py",
    "research/losses",
    "research/losses/metric",
    "research/losses/style",
    "research/metrics",
    "research/gallery",
    "research/data/sampling.py",
    "research/data/split.py",
    *(f"experiments/{name}.py" for name in TRAINER),
)
ALSO = {
    "research/losses/style/layers.py": "tests/losses/style/test_layers.py",
    "research/losses": "tests/losses/test_every_loss.py",
    "research/metrics": "tests/test_checks.py",
    "experiments/training/recorder.py": "tests/experiments/training/test_recorder.py",
    "experiments": "tests/experiments/training/test_trainer.py",
}
"""Tests of a whole room, or of all that imports a file."""

SWAPS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mod,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
PAIRS = (
    "min max/minimum maximum/argmin argmax/any all/floor ceil/sum mean/zeros ones/zeros_like ones_like/cumsum sort/triu tril"
)
NAMES = {a: b for pair in PAIRS.split("/") for a, b in (pair.split(), pair.split()[::-1])}


@dataclasses.dataclass(frozen=True)
class Change:
    """One change of one file, at byte offsets."""

    path: str
    line: int
    column: int
    start: int
    end: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {' '.join(self.before.split())} → {' '.join(self.after.split())}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mutations:
    """What to change, and how often."""

    within: tuple[str, ...] = PLACES
    """Files and folders."""

    count: int = 100
    """How many changes."""

    start: int = 0
    """How many changes of the draw to pass over."""

    seed: int = 0
    """Of the draw."""

    patience: float = 2.0
    """Tests that take so many times as long as all of the draw do without a change, and a minute, have noticed one."""


def mutants(node: ast.AST) -> Iterator[ast.AST]:
    """Everything that can be in the place of an expression or statement; nothing of what lies below it."""

    def changed(change: Callable[[Any], object]) -> ast.AST:
        other = copy.deepcopy(node)
        change(other)
        return other

    match node:
        case ast.Compare(ops=ops):
            for i, op in enumerate(ops):
                for swap in SWAPS[type(op)]:
                    yield changed(lambda n, i=i, swap=swap: n.ops.__setitem__(i, swap()))
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in SWAPS:
            for swap in SWAPS[type(op)]:
                yield changed(lambda n, swap=swap: setattr(n, "op", swap()))
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Constant(value=float(value)):
            yield ast.Constant(2 * value or 1.0)
        case ast.Call(func=ast.Name(id=name)) if name in NAMES:
            yield changed(lambda n: setattr(n.func, "id", NAMES[name]))
        case ast.Call(func=ast.Attribute(attr=name)) if name in NAMES:
            yield changed(lambda n: setattr(n.func, "attr", NAMES[name]))
        case ast.Call(args=[first, second, *_]) if _is_text(first) and _is_text(second):
            return
        case ast.Call(args=[ast.expr(), ast.expr(), *_]):
            yield changed(lambda n: n.args.__setitem__(slice(2), n.args[1::-1]))
        case ast.Expr(value=ast.Call()) | ast.AugAssign():
            yield ast.Pass()
        case ast.IfExp():
            yield changed(lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test)))


def _is_text(node: ast.expr) -> bool:
    """Whether it is what a message says: words, who asks, what for. Two of these that are swapped change only the sentence."""
    match node:
        case ast.Constant(value=str()) | ast.Attribute(attr="__name__") | ast.Name(id="owner" | "name"):
            return True
        case _:
            return False


def nodes(tree: ast.AST) -> Iterator[Any]:
    """What computes something: neither annotations nor messages, decorators, imports and what is listed in ``__all__``."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
                continue
            if isinstance(child, ast.Assign) and "__all__" in map(ast.unparse, child.targets):
                continue
            yield child
            yield from nodes(child)


def changes(path: str) -> list[Change]:
    """All changes of a file."""
    source = (ROOT / path).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in nodes(ast.parse(source)):
        for other in mutants(node):
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            after = ast.unparse(other) if isinstance(other, ast.stmt) else f"({ast.unparse(other)})"
            found.append(Change(path, node.lineno, node.col_offset + 1, start, end, source[start:end].decode(), after))
    return found


def imported(path: Path) -> set[str]:
    """Files of the project that a file imports by full name."""
    read = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.ImportFrom)]
    names = [name for node in read for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)) if name]
    files = {name.removeprefix("likeness.").replace(".", "/") + ".py" for name in names}
    return {name for name in files if (ROOT / name).is_file()}


def tests_of(path: str) -> list[str]:
    """The tests that mirror a file and those beside it that import it, those of the whole room, and its own examples."""
    folder = Path(path).parent
    mirror = ROOT / "tests" / (folder.relative_to("research") if folder.is_relative_to("research") else folder)
    beside = [file for file in sorted((ROOT / folder).glob("*.py")) if path in imported(file) and file.stem != "__init__"]
    found = [test for file in (Path(path), *beside) for test in sorted(mirror.glob(f"test_{file.stem}*.py"))]
    reads = {path, *imported(ROOT / path), *(name for name in imported(ROOT / path) for name in imported(ROOT / name))}
    rooms = [test for room, test in ALSO.items() if room in reads or Path(path).is_relative_to(room)]
    kept = dict.fromkeys([*(str(test.relative_to(ROOT)) for test in found), *rooms])
    own = f"tests/test_doctests.py::test_examples[likeness.{path.removesuffix('.py').replace('/', '.')}]"
    examples = [own] if ">>> " in (ROOT / path).read_text() else []
    return [*examples, *(test for test in kept if "devices" not in test and "peers" not in test)]


def run_tests(folder: Path, tests: list[str], seconds: float, log: Path) -> tuple[bool, float]:
    """Whether all pass, and after how long; False when they take longer than so many seconds."""
    begun = time.monotonic()
    child = os.fork()
    if not child:
        try:
            _child(folder, tests, log)
        finally:
            # Whatever happens, what the parent would do next is not done twice.
            os._exit(99)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        taken = time.monotonic() - begun
        if done:
            return os.waitstatus_to_exitcode(status) == 0, taken
        if taken > seconds:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False, taken
        time.sleep(0.05)


def _child(folder: Path, tests: list[str], log: Path) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.setsid()
    os.chdir(folder)
    sys.path[:] = [str(folder), *(entry for entry in sys.path if entry not in ("", str(ROOT)))]
    import pytest

    for name in [name for name in sys.modules if name.split(".")[0] == "likeness"]:
        del sys.modules[name]
    marks = "not slow and not gpu and not data and not weights"
    # Plugins that are imported before are no reason to stop.
    calm = ["-W", "ignore::pytest.PytestAssertRewriteWarning", "-p", "no:cacheprovider"]
    os._exit(int(pytest.main(["-x", "-q", *calm, "-m", marks, "--tb=short", *tests])))


def main(settings: Mutations) -> None:
    """Makes the changes one at a time and prints which are not noticed."""
    import beartype
    import flax
    import hypothesis
    import jax
    import optax
    import scipy.stats

    del beartype, flax, hypothesis, jax, optax, scipy
    files = [str(file.relative_to(ROOT)) for place in settings.within for file in _files(ROOT / place)]
    drawn = [change for path in files for change in changes(path)]
    random.Random(settings.seed).shuffle(drawn)
    chosen = drawn[settings.start : settings.start + settings.count]
    print(
        f"{len(drawn):,} changes are possible in {len(files)} files; {len(chosen)} are made, seed {settings.seed}", flush=True
    )
    unnoticed: list[Change] = []
    with tempfile.TemporaryDirectory(prefix="mutations-") as scratch:
        folder, log = Path(scratch, "likeness"), Path(scratch, "log")
        _copy(folder)
        every = sorted({test for change in chosen for test in tests_of(change.path)})
        passed, usual = run_tests(folder, every, math.inf, log)
        if not passed:
            raise SystemExit(f"Without a change these tests fail already:\n{log.read_text()[-3000:]}")
        for number, change in enumerate(chosen):
            tests, target = tests_of(change.path), folder / change.path
            source = target.read_bytes()
            target.write_bytes(source[: change.start] + change.after.encode() + source[change.end :])
            # Python tells by size and second whether what it has compiled is of this source.
            os.utime(target, (number + 1, number + 1))
            passed, taken = run_tests(folder, tests, max(60.0, settings.patience * usual), log)
            target.write_bytes(source)
            unnoticed += [change] if passed else []
            print(f"{number + 1:4d} {'UNNOTICED' if passed else 'noticed  '} {taken:5.1f} s  {change}", flush=True)
    print(f"\n{len(chosen)} made, {len(chosen) - len(unnoticed)} noticed, {len(unnoticed)} unnoticed")
    for change in unnoticed:
        print(f"  {change}")


def _files(place: Path) -> list[Path]:
    if not place.exists():
        raise SystemExit(f"There is no {place} to change: give files and folders of {ROOT}.")
    return [place] if place.is_file() else [file for file in sorted(place.glob("*.py")) if file.stem != "__init__"]


def _copy(folder: Path) -> None:
    """What git knows or would add, with the compilation cache shared, since nothing in it depends on a path."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for room in ("research", "experiments", "configs"):
        (folder / "likeness" / room).symlink_to(folder / room)
    (ROOT / ".cache").mkdir(exist_ok=True)
    (folder / ".cache").symlink_to(ROOT / ".cache")


if __name__ == "__main__":
    main(tyro.cli(Mutations, description=__doc__))
