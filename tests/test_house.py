"""The rules of the house that a machine can check."""

import ast
import contextlib
import functools
import importlib
import importlib.metadata
import os
import pkgutil
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path, PurePosixPath

import optax
import pytest

import likeness
from likeness.experiments.benchmarks.house import names
from likeness.experiments.commands.main import COMMANDS

ROOT = Path(__file__).parents[1]
PACKAGES = ("research", "experiments", "configs")
GROUND = ("research.types", "research.errors", "research.checks", "research.distances", "research.tracking")
"""What every room of research stands on."""
LARGE = {"jax", "flax", "optax", "orbax", "grain", "tensorflow_datasets", "scipy", "sklearn", "matplotlib", "bokeh", "PIL"}
"""Libraries that take a tenth of a second or more to import."""
FILES = sorted(path for package in ("likeness", *PACKAGES) for path in (ROOT / package).rglob("*.py"))


@functools.cache
def text(path: Path) -> str:
    return path.read_text()


@functools.cache
def imports(path: Path) -> set[str]:
    """What a file imports of the project, by its names below ``likeness``."""
    found = names(PurePosixPath(path.relative_to(ROOT)), ast.parse(text(path)))
    return {name.removeprefix("likeness.") for name in found if name.startswith("likeness.")}


@pytest.mark.parametrize(
    "room, may_import",
    [
        ("research/losses", {"research.losses", "research.geometry", *GROUND}),
        ("research/geometry", {"research.geometry", *GROUND}),
        ("research/ops", {"research.ops", *GROUND}),
        ("research/synthetic", {"research.synthetic", *GROUND}),
        ("research/encoders", {"research.encoders", "research.ops", "research.geometry", *GROUND}),
        (
            "research/detectors",
            {
                "research.detectors",
                "research.losses",
                "research.encoders",
                "research.ops",
                "research.geometry",
                *GROUND,
            },
        ),
        ("research/style_networks", {"research.style_networks", "research.encoders", "research.ops", *GROUND}),
        ("research/metrics", {"research.metrics", "research.losses", "research.encoders", "research.geometry", *GROUND}),
        (
            "research/data",
            {
                "research.data",
                "research.lazy",
                "research.synthetic",
                "research.losses",
                "research.encoders",
                "research.geometry",
                *GROUND,
            },
        ),
        ("research", {"research"}),
        ("experiments", {"research", "experiments", "configs"}),
        ("configs", {"research", "experiments", "configs"}),
    ],
)
def test_arrows_run_one_way(room: str, may_import: set[str]) -> None:
    for path in (ROOT / room).rglob("*.py"):
        for name in imports(path):
            assert name == "research" or any(name == ok or name.startswith(ok + ".") for ok in may_import), f"{path}: {name}"


def test_only_the_finder_of_configs_knows_the_configs() -> None:
    users = {path.name for path in (ROOT / "experiments").rglob("*.py") if any(n.startswith("configs") for n in imports(path))}
    assert users == {"shipped.py"}


def test_nothing_goes_round_the_door() -> None:
    """Imported by the name of its folder, as the checkout's root allows, a module would be there twice."""
    everything = [
        *FILES,
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "notebooks").glob("*.py"),
        *(ROOT / "notebooks").glob("*.ipynb"),
    ]
    wings = "|".join(PACKAGES)
    around = re.compile(rf"^\W*(from ({wings})(\.\w+)* import|import ({wings})\b)", re.MULTILINE)
    told = {str(path): around.search(text(path)) for path in everything if path != Path(__file__)}
    assert not {path: found[0] for path, found in told.items() if found}


@pytest.mark.parametrize(
    "package",
    [
        "likeness.research.data",
        "likeness.research.data.detection",
        "likeness.research.gallery",
        "likeness.research.weights",
        "likeness.experiments.optim",
        "likeness.experiments.recognition",
        "likeness.experiments.style",
        "likeness.experiments.visualization",
    ],
)
def test_what_is_imported_late_is_what_readers_see(package: str) -> None:
    """Each name under ``TYPE_CHECKING`` is there at run time, from the same module, and no module hides it."""
    module = importlib.import_module(package)
    path = Path(module.__file__ or "")
    seen = {
        alias.name: (node.module or "").split(".")[-1]
        for node in ast.walk(ast.parse(text(path)))
        if isinstance(node, ast.ImportFrom) and ((node.module or "").startswith(f"{package}.") or node.level)
        for alias in node.names
    }
    assert sorted(seen) == sorted(module.__all__)
    assert not set(seen) & {name for _, name, _ in pkgutil.iter_modules(module.__path__)}
    for name, home in seen.items():
        assert getattr(module, name) is getattr(importlib.import_module(f"{package}.{home}"), name)
    wrong = f"{module.__all__[0]}s"
    with pytest.raises(AttributeError, match=f"has no attribute '{wrong}': did you mean '{module.__all__[0]}'") as told:
        getattr(module, wrong)
    # Else the interpreter would add a suggestion of its own.
    assert told.value.obj is None


def test_the_door_opens_on_everything_that_it_names() -> None:
    missing = [name for name in likeness.__all__ if not hasattr(likeness, name)]
    assert not missing
    with pytest.raises(AttributeError, match=r"'likeness' has no attribute 'trian': did you mean 'train'\?$"):
        likeness.trian  # noqa: B018


def test_what_prints_a_table_or_help_waits_for_no_large_library() -> None:
    tables = ["--help"], ["configs"], ["enroll", "list", "--gallery", "no.sqlite"], ["weights", "list"]
    lines = [*tables, *([command, "--help"] for command in COMMANDS)]
    code = f"""
import sys
from likeness.experiments.commands.main import run
for line in {lines}:
    run(line)
    if late := {LARGE} & set(sys.modules):
        sys.exit(f"{{line}} imports {{late}}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_one_idea_a_file() -> None:
    lengths = [len(text(path).splitlines()) for path in FILES]
    assert max(lengths) <= 500
    assert statistics.median(lengths) < 200


def test_docstrings_explain_the_arguments_that_there_are() -> None:
    wrong = []
    for path in FILES:
        for node in ast.walk(ast.parse(text(path))) if "Args:\n" in text(path) else ():
            if not isinstance(node, ast.FunctionDef):
                continue
            section = re.search(r"^Args:\n((?:    .*\n|\n)*)", f"{ast.get_docstring(node)}\n", re.MULTILINE)
            told = re.findall(r"^    (\w+): ", section[1], re.MULTILINE) if section else []
            has = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
            wrong += [f"{path.relative_to(ROOT)}: {node.name}({name})" for name in told if name not in has]
    assert not wrong


def test_names_of_modules_lead_somewhere() -> None:
    """Docstrings, messages and pages name modules that are there."""
    modules = {
        ".".join(("likeness", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for path in FILES
        if path.relative_to(ROOT).parts[0] in PACKAGES
    }
    lost = {}
    for path in [*FILES, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for name in re.findall(rf"likeness\.(?:{'|'.join(PACKAGES)})(?:\.\w+)+", text(path)):
            home = name
            while home not in modules:
                home = home.rpartition(".")[0]
            attribute = name.removeprefix(home).lstrip(".").partition(".")[0]
            if attribute and not hasattr(importlib.import_module(home), attribute):
                lost[name] = str(path.relative_to(ROOT))
    assert not lost


def test_no_public_class_name_twice() -> None:
    """Whoever reads a name knows which class it is. Options of commands and benchmarks are nobody's but their own."""
    homes: dict[str, list[str]] = {}
    for path in FILES:
        if {"commands", "benchmarks"} & set(path.parts):
            continue
        for name in re.findall(r"^class ([^\W_]\w*)", text(path), re.MULTILINE):
            homes.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert not {name: found for name, found in homes.items() if len(found) > 1}


@pytest.mark.slow
def test_importing_and_the_help_of_a_config_touch_no_device() -> None:
    """With a platform that does not exist, whatever asks for a device fails."""
    modules = [
        module.name
        for package in PACKAGES
        for module in pkgutil.walk_packages([str(ROOT / package)], prefix=f"likeness.{package}.")
        if "benchmarks" not in module.name
    ]
    code = "\n".join(f"import {name}" for name in modules)
    code += "\nraise SystemExit(likeness.experiments.commands.main.run(['train', 'recognition/quickstart', '--help']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"JAX_PLATFORMS": "none_such"},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", ["jax.pmap", "flax import nnx", "pickle.load", "allow_pickle=True", "import tensorflow as"])
def test_what_the_house_does_without(words: str) -> None:
    assert not [str(path) for path in FILES if words in text(path)]


def test_no_hint_names_another_package_of_the_index() -> None:
    """``likeness`` there is somebody else's."""
    wrong = re.compile(r"pip install [^\n]*['\"` ]likeness(?!-jax)")
    pages = (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    told = [path for path in (*FILES, *pages) if wrong.search(text(path))]
    assert not told


def test_the_constraints_cover_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(need for needs in project["optional-dependencies"].values() for need in needs)]
    pinned = {_plain(line.split("==")[0]) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert {_plain(re.split(r"[\[<>=~!; ]", need)[0]) for need in wanted} <= pinned


def test_what_is_required_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # TensorFlow Datasets imports the one without requiring it, and JAX the other.
    wanted = {_plain(re.split(r"[\[<>=~!; ]", need)[0]) for need in project["dependencies"]} - {
        "importlib-resources",
        "filelock",
    }
    found = re.findall(r"^ *(?:import|from) (\w+)", "\n".join(text(path) for path in FILES), re.MULTILINE)
    distributions = importlib.metadata.packages_distributions()
    assert not wanted - {_plain(name) for module in set(found) for name in distributions.get(module, ())}


@pytest.mark.parametrize("kind", [DeprecationWarning, PendingDeprecationWarning])
@pytest.mark.parametrize(
    ("module", "ours"),
    [("likeness.research.x", True), ("likeness", True), ("tests.x", True), ("optax", True), ("tensorflow.x", False)],
)
def test_only_deprecated_calls_of_others_are_let_pass(module: str, ours: bool, kind: type[Warning]) -> None:
    """A warning belongs to the module that it points to."""
    with pytest.raises(kind) if ours else contextlib.nullcontext():
        exec("import warnings; warnings.warn('old', kind)", {"__name__": module, "kind": kind})


def test_what_optax_gives_up_is_noticed() -> None:
    with pytest.raises(DeprecationWarning, match=r"optax\.tree\.norm"):
        optax.global_norm([])


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
