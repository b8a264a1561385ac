"""Code of one's own: found beside a config, kept with a run, found again, and not executed when it is somebody else's."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from forgetful import new_process
from listener import Listener

from likeness.experiments.config import from_json, load, to_json
from likeness.experiments.fingerprints import Fingerprints
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.own_code import own_code, trust_code
from likeness.experiments.own_code.classes import RunCode
from likeness.experiments.own_code.keeping import keep, kept, manifest
from likeness.experiments.own_code.trust import known_place, remember
from likeness.experiments.storage.workdir import write_json
from likeness.experiments.training.evaluation import read_run
from likeness.experiments.training.provenance import own_revision, provenance
from likeness.experiments.training.trainer import train
from likeness.research.errors import UserError

CONFIG = """
import dataclasses
from likeness.experiments.run import Run
from likeness.experiments.optim.optimizers import Adam, Sgd
from likeness.experiments.optim.schedules import Constant
import pixels
import my_parts
from my_pkg.sub import Deep


@dataclasses.dataclass(frozen=True)
class Slow(Constant):
    pass


def get_config():
    return Run(experiment=my_parts.Mine(size=6, deep=Deep()), steps=2, optimizer=Sgd(schedule=Slow(peak_lr=0.5)))
"""
DEEP = """
import dataclasses
from .names import NAME

@dataclasses.dataclass(frozen=True)
class Deep:
    x: str = NAME
"""
FILES = {
    "my_config.py": CONFIG,
    "my_parts.py": """
import dataclasses
import pixels

@dataclasses.dataclass(frozen=True, kw_only=True)
class Mine(pixels.Pixels):
    deep: object = None

    def describe(self, data):
        import my_later
        return (my_later.said(),)
""",
    "my_later.py": "def said():\n    return 'mine'\n",
    "my_pkg/__init__.py": "",
    "my_pkg/sub.py": DEEP,
    "my_pkg/names.py": "NAME = 'deep'\n",
    "unused.py": "raise RuntimeError\n",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a config and modules of one's own, in a process and with a state directory of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with new_process():
        yield write(tmp_path / "mine", FILES)


@pytest.fixture
def trained(mine: Path, tmp_path: Path) -> Path:
    """A run that was trained with it."""
    with new_process():
        config = str(mine / "my_config.py")
        run = load(config)
        train(run, tmp_path / "run", code=own_code(run, config))
    return tmp_path / "run"


def test_a_run_keeps_the_code_that_it_was_made_with(mine: Path, trained: Path) -> None:
    """All that the config imports, packages and what a function imports included, and nothing else of the folder."""
    code = kept(trained)
    assert sorted(place for place in code.files if place != "pixels.py") == sorted(set(FILES) - {"unused.py"})
    folder = trained / "code" / code.digest[:12]
    assert all((folder / name).read_text() == text for name, text in FILES.items() if name != "unused.py")
    said = json.loads((trained / "provenance.json").read_text())["code"]
    assert said["digest"] == code.digest and said["files"]["my_parts.py"] == str(mine / "my_parts.py")


def test_it_is_found_again_when_its_files_are_gone(mine: Path, trained: Path) -> None:
    for name in FILES:
        (mine / name).unlink()
    run = read_run(trained)
    assert type(run.experiment).__module__ == "my_parts" and type(run.optimizer.schedule).__module__ == "my_config"  # type: ignore[attr-defined]
    assert run.experiment.describe(None) == ("mine",)  # type: ignore[arg-type]
    assert to_json(run) == json.loads((trained / "config.json").read_text())
    assert own_code(run).checksums.items() >= {k: v for k, v in kept(trained).checksums.items() if "pixels" not in k}.items()


def test_code_of_others_is_executed_only_when_asked(
    mine: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
    with pytest.raises(UserError, match=r"my_parts\.py.*--trust-code"):
        read_run(trained)
    assert "my_parts" not in sys.modules and "my_config" not in sys.modules
    with new_process():
        trust_code(trained)
        assert read_run(trained).steps == 2
    with pytest.raises(UserError, match="--trust-code"):
        read_run(trained)
    # Whoever has loaded the same code is not asked.
    load(str(mine / "my_config.py"))
    assert read_run(trained).steps == 2


def test_what_was_changed_is_not_what_was_trusted(trained: Path) -> None:
    digest = kept(trained).digest
    file = trained / "code" / digest[:12] / "my_parts.py"
    file.write_text(file.read_text() + "\nraise SystemExit\n")
    with pytest.raises(UserError, match="a file in it was changed"):
        read_run(trained)
    described = json.loads(manifest(trained).read_text())
    write_json(manifest(trained), described | {"modules": ["../my_parts"]})
    with pytest.raises(UserError, match="does not describe the code"):
        read_run(trained)


def test_two_modules_of_one_name_are_not_mixed(mine: Path, trained: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", FILES | {"my_later.py": "def said():\n    return 'other'\n"})
    load(str(other / "my_config.py"))
    with pytest.raises(UserError, match="my_later.*start a new process"):
        __import__("my_later")
        read_run(trained)
    with pytest.raises(UserError, match="start a new process"):
        load(str(mine / "my_config.py"))


def test_changed_code_is_told_and_kept_beside_the_old(mine: Path, trained: Path) -> None:
    before = kept(trained)
    (mine / "my_later.py").write_text("def said():\n    return 'changed'\n")
    config = str(mine / "my_config.py")
    run = load(config)
    code = own_code(run, config)
    with pytest.raises(UserError, match="code/my_later.py: .* → "):
        train(run, trained, code=code)
    say = Listener()
    train(dataclasses.replace(run, steps=3), trained, code=code, reporter=say)
    assert any("code/my_later.py: " in line for line in say.said)
    (line,) = (trained / "changes.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == 2 and any("code/my_later.py" in change for change in json.loads(line)["changed"])
    assert kept(trained).digest == code.digest != before.digest
    assert kept(trained, before.digest).modules["my_later"].data == FILES["my_later.py"].encode()


@pytest.mark.parametrize(
    "written",
    [
        "antigravity.Run",
        "this.Run",
        "os.system",
        "subprocess.Popen",
        "likeness.experiments.config.Path",
        "likeness.experiments.run._positive",
    ],
)
def test_a_written_config_imports_and_calls_nothing(written: str) -> None:
    before = set(sys.modules)
    with pytest.raises(UserError):
        from_json({"type": written, "args": "true"}, RunCode(Path("nowhere")))
    assert not {name for name in set(sys.modules) - before if not name.startswith("likeness")}


@pytest.mark.parametrize("name", ["numpy.py", "types.py", "jax.py", "test.py", "likeness.py", "sys.py"])
def test_a_config_does_not_stand_for_another_module(mine: Path, name: str) -> None:
    before, path = sys.modules.get(name[:-3]), list(sys.path)
    (mine / name).write_text(CONFIG)
    with pytest.raises(UserError, match=f"{name[:-3]}.*give the file another name"):
        load(str(mine / name))
    assert sys.modules.get(name[:-3]) is before and sys.path == path


def test_a_neighbour_does_not_stand_for_another_module(mine: Path) -> None:
    write(mine, {"colorsys.py": "X = 1", "sndhdr_.py": "", "numpy/__init__.py": "raise RuntimeError"})
    assert load(str(mine / "my_config.py")).steps == 2
    sys.modules.pop("colorsys", None)
    assert hasattr(__import__("colorsys"), "rgb_to_hsv")
    (mine / "my_config.py").write_text(CONFIG + "import colorsys\n")
    with pytest.raises(UserError, match=r"imports colorsys, .*Give the file beside it another name"):
        load(str(mine / "my_config.py"))


def test_a_config_imports_from_the_directory_that_a_command_is_typed_in(
    tmp_path: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither Likeness's checkout nor an environment in it is kept with the run."""
    project = write(
        tmp_path / "project", {f"configs/{name}" if name == "my_config.py" else name: text for name, text in FILES.items()}
    )
    installed = write(
        project / ".venv" / "lib" / "site-packages", {"bought/__init__.py": "from bought import parts", "bought/parts.py": ""}
    )
    (project / "configs" / "my_config.py").write_text(CONFIG + "import bought\n")
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(str(installed))
    with new_process():
        run = load("configs/my_config.py")
        code = own_code(run, project / "configs" / "my_config.py")
    assert "my_parts.py" in code.files and not [name for name in code.files if "bought" in name or "likeness" in name]


def test_a_config_in_a_package_may_import_its_neighbours_relatively(tmp_path: Path, mine: Path) -> None:
    folder = write(tmp_path / "project" / "lab", {**FILES, "__init__.py": "", "configs/__init__.py": ""})
    text = CONFIG.replace("import my_parts", "from .. import my_parts").replace("from my_pkg", "from ..my_pkg")
    (folder / "configs" / "one.v2.py").write_text(text)
    run = load(str(folder / "configs" / "one.v2.py"))
    assert type(run.experiment).__module__ == "lab.my_parts"
    code = own_code(run, folder / "configs" / "one.v2.py")
    assert {"lab/__init__.py", "lab/configs/one_v2.py", "lab/my_pkg/names.py"} <= set(code.files)
    keep(tmp_path / "run", code)
    write_json(tmp_path / "run" / "config.json", to_json(run))
    with new_process():
        trust_code(tmp_path / "run")
        assert type(read_run(tmp_path / "run").experiment).__module__ == "lab.my_parts"


def test_what_cannot_be_found_again_is_said(mine: Path) -> None:
    @dataclasses.dataclass(frozen=True)
    class Local(Adam):
        pass

    assert "is defined in a function" in own_code(Local()).warnings[0]


def test_an_edited_config_is_loaded_anew_and_old_classes_are_refused(mine: Path) -> None:
    config = mine / "my_config.py"
    old = load(str(config))
    assert type(load(str(config)).optimizer.schedule) is type(old.optimizer.schedule)  # type: ignore[attr-defined]
    config.write_text(CONFIG + "\nMORE = 1\n")
    assert load(str(config)).steps == 2
    with pytest.raises(UserError, match="loaded anew since the config was made"):
        own_code(old)


def test_the_list_of_what_is_trusted_is_the_users_alone(mine: Path) -> None:
    remember("a" * 64)
    remember("a" * 64)
    remember("b" * 64)
    place = known_place()
    assert place.read_text().split() == ["a" * 64, "b" * 64]
    assert place.stat().st_mode & 0o777 == 0o600
    place.chmod(0o666)
    with pytest.raises(UserError, match="can be written by others"):
        remember("c" * 64)


def test_a_revision_is_that_of_whose_code_it_is(tmp_path: Path, mine: Path) -> None:
    """Likeness in an environment within somebody's repository has no revision of its own; the user's stands beside the code."""

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    installed = write(tmp_path / ".venv" / "lib" / "site-packages" / "experiments", {"provenance.py": ""}) / "provenance.py"
    at_the_root = write(tmp_path / "experiments", {"provenance.py": ""}) / "provenance.py"
    git("init", "-q")
    git("add", "mine")
    git("commit", "-qm", "mine")
    assert own_revision(installed) == own_revision(at_the_root) == "not a git checkout"
    root = Path(__file__).parents[3]
    if (root / ".git").exists():
        head = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
        assert own_revision().startswith(head.strip())
    run = load(str(mine / "my_config.py"))
    said = provenance(0, Fingerprints(training={"data": "data"}), own_code(run))
    assert said["code"]["git"][str(tmp_path.resolve())] == git("rev-parse", "HEAD")
    assert said["git"] == own_revision() and said["git"] != git("rev-parse", "HEAD")
    assert provenance(0, Fingerprints(training={"data": "data"}), own_code(()))["code"] is None
