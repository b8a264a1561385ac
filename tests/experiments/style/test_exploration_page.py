import json
import re
import sys
from pathlib import Path

import chromium
import numpy as np
import pytest
from report_pages import checked
from small_style import PRESET

from likeness.experiments.config import load
from likeness.experiments.style.correspondence import CellGrid, Partners
from likeness.experiments.style.exploration import Explored, ExploredLayer, ExploredPainting
from likeness.experiments.style.exploration_page import exploration_page, write_exploration
from likeness.experiments.style.judged_paintings import Judged, Series
from likeness.research.errors import UserError
from likeness.research.geometry.receptive_field import ReceptiveField

ROWS, COLUMNS, HEIGHT, WIDTH = 6, 8, 48, 64
HOSTILE = "</script><script>alert(1)</script>"


def explored(tmp_path: Path, strengths: int = 4, size: int = 1) -> Explored:
    """Cell (i, j) has its partner in row i + 1 and column j + 2; input asks most in the left half, relu2_1 in the right."""
    preset = tmp_path / "tiny_style_of_a_page.py"
    preset.write_text(PRESET)
    draw = np.random.default_rng(0)
    rows, columns = (each.reshape(-1) for each in np.mgrid[:ROWS, :COLUMNS])
    fine = Partners(0 * rows, rows + 1, columns + 2, np.full(rows.shape, 0.5))
    coarse = Partners(0 * rows, rows, columns, np.full(rows.shape, 0.25))
    gradients = np.where(columns < COLUMNS / 2, 3.0, 1.0)
    paintings = tuple(
        ExploredPainting(
            2.0 ** (number - 1),
            10.0 * 2.0 ** (number - 1),
            draw.uniform(size=(size * HEIGHT, size * WIDTH, 3)).astype(np.float32),
            (fine, coarse),
            np.stack([gradients, 4.0 - gradients]),
        )
        for number in range(strengths)
    )
    layers = (
        ExploredLayer("input", ReceptiveField(size=1, stride=1, offset=0), (HEIGHT, WIDTH), "euclidean"),
        ExploredLayer("relu2_1", ReceptiveField(size=10, stride=2, offset=-4), (HEIGHT // 2, WIDTH // 2), "cosine"),
    )
    values = tuple(0.1 * (number + 1) for number in range(strengths))
    judged = Judged(
        (Series("Style error", f"Words {HOSTILE}.", values, percent=True), Series("Same person", "Who.", values, line=0.25)),
        ("LPIPS is not measured. The weights alexnet are not here: likeness weights fetch alexnet.",),
    )
    style = draw.uniform(size=(40, 56, 3)).astype(np.float32)
    grid = CellGrid(ROWS, COLUMNS, size * HEIGHT, size * WIDTH)
    return Explored(load(str(preset)), grid, layers, paintings, paintings[0].pixels, (style,), judged, ("A note.",))


def test_the_page_keeps_every_promise_and_says_what_is_missing(tmp_path: Path) -> None:
    page = checked(exploration_page(explored(tmp_path)), scripts=3)
    assert len(page.all("img")) == 4 + 1 + 1
    text = " ".join(page.words)
    assert HOSTILE in text
    for words in ("likeness weights fetch alexnet", "A note.", "4 paintings of 64 × 48 pixels", "6 × 8 places", "each 2 times"):
        assert words in text


def test_strengths_are_those_of_what_was_asked_for_and_not_of_the_preset(tmp_path: Path) -> None:
    """With --strength 2 the run's beta is twice the preset's, and the factor 1 is that."""
    text = " ".join(checked(exploration_page(explored(tmp_path)), scripts=3).words)
    assert "1 × the strength asked for, beta 10" in text and "times the strength of the style that was asked for" in text
    assert "× the preset's" not in text


def test_the_extra_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = explored(tmp_path)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UserError, match=r"An exploration needs jinja2, .*likeness-jax\[report\]"):
        exploration_page(found)


@pytest.mark.slow
def test_sixteen_large_paintings_stay_below_ten_megabytes(tmp_path: Path) -> None:
    assert len(exploration_page(explored(tmp_path, 16, 12)).encode()) <= 10_000_000


@pytest.mark.end_to_end
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_in_a_browser_slider_and_pointer_work_by_mouse_and_keyboard(tmp_path: Path, width: int, dark: bool) -> None:
    browser = chromium.find() or pytest.skip("Chromium is not installed: apt-get install chromium")
    path = tmp_path / "page.html"
    write_exploration(explored(tmp_path), path)
    with chromium.Chromium(browser, tmp_path / "profile", width=width, dark=dark) as window:
        window.open(path)
        assert window.until("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        assert window.evaluate("document.documentElement.scrollWidth") <= width

        shown = "[...document.querySelectorAll('.painted')].map(each => each.checkVisibility())"
        card = "[...document.querySelectorAll('.judged strong')].map(each => each.textContent)"
        assert window.evaluate(shown) == [False, True, False, False]
        assert window.evaluate("document.querySelector('#strength-said').value") == "1 × the strength asked for, beta 10"
        assert window.evaluate(card) == ["20.0 %", "yes, 0.2"]
        window.evaluate("document.getElementById('strength').focus()")
        window.press("End")
        assert window.evaluate(shown) == [False, False, False, True]
        assert window.evaluate("document.querySelector('#strength-said').value") == "4 × the strength asked for, beta 40"
        assert window.evaluate(card) == ["40.0 %", "no, 0.4"]
        window.press("ArrowLeft")
        assert window.evaluate(shown) == [False, False, True, False]

        def pointed(row: int, column: int) -> None:
            left, top, wide, high = window.evaluate(
                "(box => [box.left, box.top, box.width, box.height])(document.getElementById('place').getBoundingClientRect())"
            )
            window.point(left + (column + 0.5) * wide / COLUMNS, top + (row + 0.5) * high / ROWS)

        def said() -> str:
            return window.evaluate("document.getElementById('said').textContent")

        def marked() -> list[float]:
            rect = "document.querySelector('.view.style rect.field')"
            names = json.dumps(["x", "y", "width", "height"])
            return window.evaluate(f"{names}.map(name => Number({rect}.getAttribute(name)))")

        window.evaluate("document.getElementById('place').scrollIntoView({block: 'end'})")
        pointed(2, 1)
        assert said().startswith("Row 3, column 2: input asks most, with 75 %")
        assert marked() == [3, 3, 1, 1]
        assert re.search(r"distance of colors 0\.50", said())
        pointed(4, 6)
        assert said().startswith("Row 5, column 7: relu2_1 asks most, with 75 %")
        assert marked() == [2 * 6 - 4, 2 * 4 - 4, 10, 10]
        assert re.search(r"cosine distance 0\.25", said())
        assert window.evaluate("document.getElementById('there').getContext('2d').getImageData(160, 160, 1, 1).data[3]") == 255

        # What a field sees beyond the edge is not drawn over the rest of the page.
        pointed(0, 7)
        assert marked() == [2 * 7 - 4, 0, 10, 10 - 4]

        pointed(4, 6)
        window.evaluate("document.getElementById('place').focus({preventScroll: true})")
        window.press("ArrowUp")
        assert said().startswith("Row 4, column 7")
        window.press("ArrowRight")
        window.press("ArrowRight")
        assert said().startswith("Row 4, column 8")
        window.press("ArrowDown")
        window.press("Home")
        assert said().startswith("Row 5, column 1: input")
        assert marked() == [2, 5, 1, 1]
        window.evaluate("document.querySelectorAll('.asking input')[2].click()")
        assert marked() == [0, 4, 10 - 4, 10]

        window.evaluate("document.getElementById('unpainted').click()")
        assert window.evaluate("document.querySelector('.original').checkVisibility()")
        assert window.evaluate(shown) == [False] * 4
        window.evaluate("document.getElementById('tinted').click()")
        assert window.evaluate("document.getElementById('tints').getContext('2d').getImageData(0, 0, 1, 1).data[3]") > 0
        assert window.errors == []
