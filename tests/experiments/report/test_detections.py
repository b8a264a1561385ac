"""Images with boxes on a report's page: switched by class and threshold, and nothing believed that a run has written."""

import json
from pathlib import Path

import chromium
import pytest
from report_pages import HOSTILE, checked, image, rate, written

from likeness.experiments.config import load, to_json
from likeness.experiments.report.page import report, write_report


def box(x, y, number, **more):
    return {"box": [x, y, x + 20.0, y + 10.0], "class": number, **more}


SHOWN = {
    "score_threshold": 0.5,
    "class_names": ["cat", HOSTILE],
    "first": [
        {
            "name": HOSTILE,
            "height": 40,
            "width": 60,
            "there": [box(5, 5, 0, ignored=False, found_at=0.9), box(30, 20, 1, ignored=False, found_at=0.3)],
            "found": [
                box(6, 5, 0, score=0.9, kind="right"),
                box(31, 20, 1, score=0.3, kind="right"),
                box(0, 25, 0, score=0.6, kind="background"),
            ],
        }
    ],
    "worst": [{"name": "b", "height": 40, "width": 60, "there": [box(5, 5, 0, ignored=True, found_at=None)], "found": []}],
}


def detection(root: Path, shown: object = SHOWN) -> Path:
    written(root, to_json(load("detection/anchor_free_shapes")) | {"steps": 4}, {"detection/ap50": rate(0.9, 0.8, 0.95)})
    (root / "shown.json").write_text(json.dumps(shown))
    for number, name in enumerate(("first_00", "worst_00")):
        image(root / "figures" / "detections" / f"{name}.png", number)
    return root


def test_images_with_boxes_are_on_the_page(tmp_path: Path) -> None:
    made = report([detection(tmp_path / "a")])
    page = checked(made.page)
    assert made.problems == ()
    assert "Images with boxes" in page.text
    assert "The images with most mistakes" in page.text
    groups = [group for group in page.all("g") if "data-class" in group]
    scores = {group["data-score"]: group for group in groups if "data-score" in group}
    assert list(scores) == ["0.3", "0.6", "0.9"]
    # Without scripts, the boxes above the run's own threshold are there, and what they leave is missed.
    assert [("hidden" in group) for group in scores.values()] == [True, False, False]
    assert scores["0.6"]["class"] == "wrong"
    assert [group["class"] for group in groups if "data-at" in group] == ["there", "there missed", "there"]
    assert len(page.all("img")) == 2
    (slider,) = [field for field in page.all("input") if field["type"] == "range"]
    assert slider["value"] == "0.5"
    assert "90.00 %" in page.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"class_names": ["cat"]}, "1 is none of 1 classes"),
        ({"first": 3}, "does not say which boxes there are"),
        ({"score_threshold": "high"}, "'high' is no number"),
        ({"worst": [{"name": "b", "height": 0, "width": 60, "there": [], "found": []}]}, "an image of 60.0 × 0.0 pixels"),
        ({"worst": [{"name": "b", "height": 40, "width": 60, "there": [], "found": [{"box": [1]}]}]}, "does not say"),
    ],
)
def test_what_cannot_be_read_is_said_and_the_rest_is_shown(tmp_path: Path, change: dict, said: str) -> None:
    made = report([detection(tmp_path / "a", SHOWN | change)])
    assert said in checked(made.page).text
    assert len(made.problems) == 1
    broken = detection(tmp_path / "b")
    (broken / "shown.json").write_text("{")
    assert "not readable as JSON" in checked(report([broken]).page).text


def test_images_that_are_lost_are_left_out(tmp_path: Path) -> None:
    root = detection(tmp_path / "a")
    (root / "figures" / "detections" / "worst_00.png").unlink()
    page = checked(report([root]).page)
    assert len(page.all("img")) == 1 and "most mistakes" not in page.text
    (root / "figures" / "detections" / "first_00.png").unlink()
    assert "Images with boxes" not in checked(report([root]).page).text


@pytest.mark.end_to_end
@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser_boxes_are_switched_by_class_and_threshold(tmp_path: Path, width: int) -> None:
    browser = chromium.find() or pytest.skip("Chromium is not installed: apt-get install chromium")
    page = tmp_path / "page.html"
    write_report([detection(tmp_path / "a"), detection(tmp_path / "b")], page)
    with chromium.Chromium(browser, tmp_path / "profile", width=width) as window:
        window.open(page)
        assert window.evaluate("document.documentElement.scrollWidth") <= width
        are = "].map(g => getComputedStyle(g).display !== 'none')"
        seen = f"[...document.querySelector('.boxes').querySelectorAll('[data-score]'){are}"
        counts = "document.querySelector('.boxes .counts').textContent"
        missed = "document.querySelector('.boxes').querySelectorAll('.missed').length"
        assert window.evaluate(seen) == [False, True, True]
        assert window.evaluate(counts) == "In these images: 2 found, 1 of them wrong; 2 there, 1 of them missed."
        assert window.evaluate("document.querySelector('.said').textContent") == "2 found, 1 wrong, 1 missed"

        window.evaluate("document.querySelector('.boxes input[type=range]').focus()")
        window.press("Home")
        assert window.evaluate(seen) == [True, True, True]
        assert window.evaluate(missed) == 0
        window.press("End")
        assert window.evaluate(seen) == [False, False, False]
        assert window.evaluate(missed) == 2
        assert window.evaluate("document.querySelector('.boxes output').value") == "0.99"

        window.press("Home")
        window.evaluate("document.querySelector('.boxes input[value=\"0\"]').click()")
        assert window.evaluate(seen) == [True, False, False]
        truth = f"[...document.querySelector('.boxes').querySelectorAll('[data-at]'){are}"
        assert window.evaluate(truth) == [False, True, False]
        window.evaluate("document.querySelector('.boxes .truth').click()")
        assert window.evaluate(truth) == [False, False, False]
        window.evaluate("document.querySelector('.boxes .names').click()")
        text = "document.querySelector('.boxes [data-score] text')"
        assert window.evaluate(f"getComputedStyle({text}).display") == "none"
        # The other run's boxes stay as they were.
        others = f"[...document.querySelectorAll('.boxes')[1].querySelectorAll('[data-score]'){are}"
        assert window.evaluate(others) == [False, True, True]
        # The boxes lie on their image, at any width.
        lies = "(e => [e.getBoundingClientRect().width, e.getBoundingClientRect().height])"
        image_size, drawn = (window.evaluate(f"{lies}(document.querySelector('.seen {name}'))") for name in ("img", "svg"))
        assert image_size == pytest.approx(drawn, abs=0.5)
        assert window.errors == []
