"""The pages of the documentation do what they say: their Python runs, and their commands have the flags that they are given."""

import functools
import importlib
import re
import shlex
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from named import check_names

import likeness
from likeness.experiments.commands.main import COMMANDS, run

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->\s*\Z")
EVERYWHERE = {"--traceback"}
"""Flags of all commands, which no command lists."""
NOT_RUN: dict[str, int] = {
    "docs/guides/detect.md": 1,
    "docs/guides/galleries.md": 1,
    "docs/guides/photographs.md": 1,
    "docs/guides/your-detector.md": 1,
}
"""How many blocks of each page cannot run."""


def blocks(page: Path, language: str) -> list[tuple[str, str | None]]:
    """The code of a language on a page, each with why it cannot run, or None."""
    text = page.read_text()
    found = [match for match in _BLOCK.finditer(text) if match[1] == language]
    said = [_NOT_RUN.search(text[: match.start()]) for match in found]
    return [(match[2], why[1] if why else None) for match, why in zip(found, said, strict=True)]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


LONG = ("docs/getting-started.md", "docs/style.md", "docs/guides/sweeps.md")
"""Pages whose Python takes longest; it is close to that of others."""
WITH_PYTHON = [
    pytest.param(page, marks=pytest.mark.slow) if name_of(page) in LONG else page for page in PAGES if blocks(page, "python")
]


@pytest.mark.slow
@pytest.mark.end_to_end
@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_of)
def test_the_python_of_a_page_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A block that begins with the name of a file is that file, and a config is loaded from it."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for number, (code, why) in enumerate(blocks(page, "python")):
        if why is not None:
            continue
        if file := re.match(r"# (\w+\.py)\n", code):
            Path(file[1]).write_text(code)
            if "def get_config" in code:
                assert isinstance(likeness.load(file[1]), likeness.Run)
            continue
        exec(compile(code, f"{page.name}, block {number}", "exec"), names)
    capsys.readouterr()


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "guides" / "your-loss.md"], ids=name_of)
@pytest.mark.parametrize("labels", [[0, 1, 0, 2, 1, 0, 3, 0], [0, 1, 2, 3, 4, 5, 6, 7]], ids=["some are the same", "none are"])
def test_the_loss_of_a_page_is_that_of_its_paper(page: Path, labels: list[int]) -> None:
    """L_out of Khosla et al. 2020 in float64, of anchors that have a positive."""
    names: dict[str, Any] = {"__name__": "supcon"}
    exec(next(code for code, _ in blocks(page, "python") if "class SupCon" in code), names)
    z = np.random.default_rng(0).normal(size=(8, 4))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    of_each = []
    for i, label in enumerate(labels):
        others = [a for a in range(8) if a != i]
        total = sum(np.exp(z[i] @ z[a] / 0.3) for a in others)
        positives = [p for p in others if labels[p] == label]
        if positives:
            of_each.append(-np.mean([np.log(np.exp(z[i] @ z[p] / 0.3) / total) for p in positives]))
    with jax.enable_x64():
        loss = functools.partial(names["SupCon"](temperature=0.3).value_and_diagnostics, {})
        (found, _), gradient = jax.value_and_grad(loss, has_aux=True)(jnp.asarray(z), jnp.asarray(labels))
    np.testing.assert_allclose(found, np.mean(of_each) if of_each else 0.0, rtol=1e-12)
    assert np.isfinite(gradient).all() and gradient.any() == bool(of_each)


@pytest.mark.parametrize("page", LONG)
def test_what_a_long_page_names_of_likeness_is_there(page: str) -> None:
    """The cheap part of running it."""
    for code, _ in blocks(ROOT / page, "python"):
        check_names(code)


def test_what_cannot_run_is_counted() -> None:
    found = Counter(name_of(page) for page in PAGES for _, why in blocks(page, "python") if why is not None)
    assert dict(found) == NOT_RUN


def commands(page: Path) -> list[list[str]]:
    """Each ``likeness …`` of a page's shell blocks, as words."""
    lines = [line for code, _ in blocks(page, "sh") for line in code.replace("\\\n", " ").splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [each[each.index("likeness") + 1 :] for each in words if "likeness" in each]


CALLS = [(name_of(page), call) for page in PAGES for call in commands(page)]


@pytest.fixture(scope="module")
def help_of() -> dict[tuple[str, ...], str]:
    return {}


@pytest.mark.parametrize("page, call", CALLS, ids=[f"{page}: {' '.join(call)}"[:100] for page, call in CALLS])
def test_a_command_has_the_flags_that_a_page_gives_it(
    page: str, call: list[str], help_of: dict[tuple[str, ...], str], capsys: pytest.CaptureFixture[str]
) -> None:
    command, *rest = call
    if command.startswith("-"):
        assert run([command]) == 0
        return
    assert command in COMMANDS
    # Of a command that has others below it, the flags are theirs; of one that takes a config, they are the config's too.
    has_others = command in ("data", "enroll", "weights")
    below = rest[:1] if has_others or (command in ("train", "sweep", "show", "scale") and rest) else []
    asked = (command, *(word for word in below if not word.startswith("-") and not word.endswith(".py")))
    if asked not in help_of:
        assert run([*asked, "--help"]) == 0
        help_of[asked] = re.sub(r"[\s│]+", " ", capsys.readouterr().out)
    flags = {word.split("=")[0] for word in rest if re.match(r"--?[a-z]", word)} - EVERYWHERE
    missing = [flag for flag in sorted(flags) if not re.search(rf"(?<![\w.-]){re.escape(flag)}(?![\w.-])", help_of[asked])]
    assert not missing, f"{page}: likeness {command} has no {', '.join(missing)}"


def test_version_is_one_everywhere() -> None:
    """A release changes it in one place too few otherwise."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    latest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    cited = re.search(r"^version: (\S+)", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert latest and cited and latest[1] == cited[1] == version


def test_every_name_that_is_offered_is_in_the_reference() -> None:
    for room in ("losses", "detectors", "encoders", "data", "metrics", "geometry", "gallery", "visualization"):
        module = importlib.import_module(f"likeness.research.{room}")
        page = (ROOT / "docs" / "api" / f"{room}.md").read_text()
        shown = re.findall(r"^::: (\S+)$", page, re.MULTILINE)
        missing = []
        for name in module.__all__:
            value = getattr(module, name)
            home = getattr(value, "__module__", None)
            if not any(each.endswith(f".{name}") or each == home for each in shown):
                missing.append(name)
        assert not missing, room


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
