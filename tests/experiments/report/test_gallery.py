"""The page of all configs, and what the repository keeps for it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.experiments.commands.main import run as likeness
from likeness.experiments.config import load, to_json
from likeness.experiments.report import gallery as module
from likeness.experiments.report.gallery import gallery, keep
from likeness.experiments.shipped import shipped
from likeness.experiments.storage.workdir import write_json
from likeness.research.errors import UserError

NAME = "recognition/quickstart"


def ran(runs: Path, **changes: object) -> Path:
    root = runs / NAME
    write_json(root / "config.json", to_json(load(NAME)) | changes)
    write_json(root / "provenance.json", {"devices": ["cpu:0 cpu"], "cpus": 2, "seed": 0})
    rate = {"value": 0.125, "low": 0.1, "high": 0.15, "n": 30}
    write_json(root / "summary.json", {"metrics": {"verification/eer": rate}, "steps": 250, "seconds": 21.4})
    (root / "figures").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), np.uint8)
    Image.fromarray(pixels).save(root / "figures" / "roc.png")
    return root


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "KEPT", tmp_path / "kept")


def entry(page: str, name: str) -> str:
    return re.search(rf'<article class="config"><h3 id="{re.escape(name)}">.*?</article>', page, re.S)[0]


def test_every_config_has_its_words_and_its_command(tmp_path: Path) -> None:
    page = gallery(tmp_path)
    for name in shipped():
        assert "Not run here" in entry(page, name)
        assert re.search(rf"<code>likeness [^<]*{name}", entry(page, name))
    assert "likeness sweep recognition/digits_sweep" in entry(page, "recognition/digits_sweep")
    assert not re.search(r"(src|href)=\"http", page)


def test_what_was_run_is_shown_with_image_numbers_and_cost(tmp_path: Path) -> None:
    ran(tmp_path / "runs")
    found = entry(gallery(tmp_path / "runs"), NAME)
    assert "data:image/" in found
    assert "12.50 %" in found
    assert "21 s of training, 250 steps, 2 cores." in found


def test_other_settings_are_said(tmp_path: Path) -> None:
    ran(tmp_path / "runs", seed=3)
    assert re.search(r"with other settings than the config&#39;s: seed: .*3", entry(gallery(tmp_path / "runs"), NAME))


def test_what_is_kept_shows_the_same_and_is_small(tmp_path: Path) -> None:
    root = ran(tmp_path / "runs")
    keep(root, NAME, tmp_path / "kept")
    kept = sorted(path.relative_to(tmp_path / "kept" / NAME).as_posix() for path in (tmp_path / "kept").rglob("*.*"))
    assert kept == ["config.json", "figures/roc.webp", "provenance.json", "summary.json"]
    with Image.open(tmp_path / "kept" / NAME / "figures" / "roc.webp") as image:
        assert image.size == (800, 600)
    found = entry(gallery(tmp_path / "nothing"), NAME)
    assert "data:image/" in found
    assert "21 s of training, 250 steps, 2 cores." in found


def test_a_run_with_other_settings_or_without_an_end_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run of recognition/quickstart as it is shipped: seed"):
        keep(ran(tmp_path / "a", seed=3), NAME, tmp_path / "kept")
    (whole := ran(tmp_path / "b")).joinpath("summary.json").unlink()
    with pytest.raises(UserError, match=r"has no summary\.json"):
        keep(whole, NAME, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert likeness(["configs", "--html", str(tmp_path / "all.html"), "--runs", str(tmp_path)]) == 0
    assert "all.html (0." in capsys.readouterr().out
    assert likeness(["configs", "--html", str(tmp_path / "all.txt")]) == 2
    assert "ends in .html" in capsys.readouterr().err
    assert likeness(["configs", "--keep", "recognition/quikstart"]) == 2
    assert "nearest: recognition/quickstart" in capsys.readouterr().err


KEPT = module.KEPT


@pytest.mark.parametrize("place", sorted(path.parent for path in KEPT.rglob("config.json")))
def test_what_the_repository_keeps_is_of_the_configs_as_they_are(place: Path) -> None:
    name = "/".join(place.parts[-2:])
    assert json.loads((place / "config.json").read_text()) == to_json(load(name))
