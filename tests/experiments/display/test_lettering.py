"""Names of any script in figures and on sheets: no warning, no box, no formula."""

import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import ImageFont

from likeness.experiments.classification.figures import confusion
from likeness.experiments.display import figures, lettering
from likeness.experiments.display.contact_sheet import Tile, sheet

IMAGE = np.full((20, 60, 3), 0.5, np.float32)
NAMES = (
    "花見",
    "かな 한글",
    "Зима é τ · ×",
    "a$x^{$",
    "\N{MATHEMATICAL SCRIPT CAPITAL A}",
    "\N{UGARITIC LETTER ALPA}\N{ZERO WIDTH JOINER}",
)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that has no fonts but Matplotlib's own."""
    bundled = tuple(each for each in lettering._candidates() if "mpl-data" in each[1])
    monkeypatch.setattr(lettering, "_candidates", lambda: bundled)
    lettering._font_of.cache_clear()
    lettering._font_of_all.cache_clear()


@pytest.mark.slow
def test_every_name_is_drawn_without_a_warning(tmp_path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.save(figures.side_by_side(dict.fromkeys(NAMES, IMAGE)), tmp_path / "row.png")
        figures.save(confusion(np.eye(6, dtype=np.int64), NAMES), tmp_path / "confusion.png")
        sheet([[Tile(IMAGE, name) for name in NAMES]], heads=NAMES, caption=NAMES)


@pytest.mark.usefixtures("alone")
def test_what_no_font_has_is_spelled_and_what_one_has_is_drawn_by_it() -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.set_title("花 かな 한 ½ é")
    axes.text(0, 0, "\N{MATHEMATICAL SCRIPT CAPITAL A}")
    axes.set_xticks([0, 1], ["猫", "$dog$"])
    lettering.write_readably(figure)
    assert axes.get_title() == "<82B1> kana han ½ é"
    assert axes.texts[0].get_text() == "\N{MATHEMATICAL SCRIPT CAPITAL A}"
    assert "STIXGeneral" in axes.texts[0].get_fontfamily()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["<732B>", r"\$dog\$"]


def test_powers_of_ten_at_an_axis_stay_formulas_and_titles_become_none(tmp_path) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2], [1e-4, 1e4])
    axes.set_yscale("log")
    axes.set_title("$broken^{$")
    figures.save(figure, tmp_path / "log.png")
    assert not axes.title.get_parse_math()
    assert all(label.get_parse_math() for label in axes.get_yticklabels())


@pytest.mark.usefixtures("alone")
def test_sheets_use_another_font_or_spell() -> None:
    plain, own = lettering.pillow_text("unit 3", 15)
    assert plain == "unit 3" and isinstance(own, ImageFont.FreeTypeFont) and own.getname() != ("DejaVu Sans", "Book")
    greek, other = lettering.pillow_text("τ → ☃", 15)
    assert greek == "τ → ☃" and isinstance(other, ImageFont.FreeTypeFont) and other.getname() == ("DejaVu Sans", "Book")
    assert lettering.pillow_text("花 kimi", 15)[0] == "<82B1> kimi"
