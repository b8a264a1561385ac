import dataclasses
from pathlib import Path

import numpy as np
import pytest
from small_style import PRESET

from likeness.experiments.config import load
from likeness.experiments.run import Run
from likeness.experiments.style.exploration import FACTORS, Exploration
from likeness.experiments.style.exploration_page import exploration_page
from likeness.experiments.style.image import StyleImage
from likeness.experiments.style.stylization import Stylization
from likeness.research.errors import UserError
from likeness.research.images.sources import Photograph


@pytest.fixture
def run(tmp_path: Path) -> Run:
    preset = tmp_path / "tiny_style_of_explorations.py"
    preset.write_text(PRESET)
    return load(str(preset))


def changed(run: Run, **fields: object) -> Run:
    assert isinstance(run.experiment, Stylization)
    return dataclasses.replace(run, experiment=dataclasses.replace(run.experiment, **fields))


def test_sixteen_strengths_are_spaced_around_the_presets_own() -> None:
    assert len(FACTORS) == 16
    assert 1.0 in FACTORS
    np.testing.assert_allclose(np.diff(np.log2(FACTORS)), 0.5)


@pytest.mark.slow
@pytest.mark.end_to_end
def test_every_place_of_every_painting_is_explained(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # As on a machine without weights.
    monkeypatch.setenv("LIKENESS_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = Exploration(factors=(0.5, 1.0, 8.0), cells=8)(run, tmp_path / "runs")
    assert [painting.beta for painting in found.paintings] == [0.5, 1.0, 8.0]
    height, width, _ = found.original.shape
    assert found.grid == (5, 8, height, width)
    for painting in found.paintings:
        assert painting.pixels.shape == found.original.shape
        assert painting.gradients.shape == (1, 40)
        assert np.all(painting.gradients > 0)
        (partner,) = painting.partners
        assert np.all(partner.row < found.styles[0].shape[0]) and np.all(partner.column < found.styles[0].shape[1])
        assert np.all((partner.distance >= 0) & (partner.distance <= 2))
    series = {each.name: each.values for each in found.judged.series}
    assert all(0 < value < 1 for value in series["Style error"])
    assert all(value > 0 for value in series["Content error"])
    missing = " ".join(found.judged.missing)
    assert "LPIPS is not measured" in missing and "likeness weights fetch lpips_alex" in missing
    # The faces package may have brought a recognizer, which then finds nobody.
    assert "still the same person" in missing or "No face is found" in missing
    assert "3 paintings" in exploration_page(found)


@pytest.mark.slow
@pytest.mark.end_to_end
def test_a_style_that_counts_nothing_is_no_partner(tmp_path: Path, run: Run) -> None:
    experiment = run.experiment
    assert isinstance(experiment, Stylization)
    here = StyleImage(image=Photograph(name="flower"))
    found = Exploration(factors=(1.0,), cells=4)(
        changed(run, styles=(here, dataclasses.replace(here, image=Photograph(name="china"), weight=0.0))), tmp_path / "runs"
    )
    assert np.all(found.paintings[0].partners[0].style == 0)


def test_what_cannot_be_explored_is_refused_before_it_is_painted(tmp_path: Path, run: Run) -> None:
    experiment = run.experiment
    assert isinstance(experiment, Stylization)
    nothing = changed(run, objective=dataclasses.replace(experiment.objective, beta=0.0))
    for refused, why in ((nothing, "strength of the style is 0"), (changed(run, size=640, tile=320), "read in tiles")):
        with pytest.raises(UserError, match=why):
            Exploration()(refused, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("factors", [(), (0.0, 1.0), (2.0, 1.0), (1.0, 1.0)])
def test_factors_are_in_order(factors: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"Exploration\.factors"):
        Exploration(factors=factors)
