"""Working directories as a report reads them, and what every page promises."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

HOSTILE = '<script>alert("x")</script>'


class Page(HTMLParser):
    """What a page holds, element by element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.marked: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in ("img", "input", "link", "meta", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)
            if "mark" in self.open:
                self.marked.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(self.words)


def rate(value, low, high):
    return {"value": value, "low": low, "high": high, "n": 840}


def image(path: Path, seed: int = 0, size: tuple[int, int] = (40, 60)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(noise).save(path)


def written(root: Path, config: dict, metrics: dict) -> Path:
    root.mkdir(parents=True)
    (root / "config.json").write_text(json.dumps(config))
    origin = {
        "git": "abc",
        "versions": {"python": "3.11.7"},
        "devices": ["cpu:0 cpu"],
        "argv": ["likeness", HOSTILE],
        "seed": 0,
    }
    (root / "provenance.json").write_text(json.dumps(origin))
    summary = {"metrics": metrics, "notes": [f"6 people, {HOSTILE}"], "seconds": 12.5, "steps": config["steps"]}
    (root / "summary.json").write_text(json.dumps(summary))
    lines = [{"step": s, "split": "train", "loss": 1 / s, "wide": 10.0 ** (s % 4)} for s in range(1, config["steps"] + 1)]
    lines += [{"step": s, "split": "validation", "verification/eer": rate(0.2, 0.1, 0.3)} for s in (2, config["steps"])]
    (root / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (root / "system.jsonl").write_text('{"step": 4, "seconds_per_step": 0.25}\n')
    return root


def checked(page: str, scripts: int = 1) -> Page:
    """A page that keeps every promise that each page makes, with so many scripts, data among them."""
    assert len(page.encode()) < 5_000_000
    parsed = Page(page)
    for tag, attributes in parsed.elements:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "poster", "action", "data", "xlink:href"):
                assert re.match(r"data:image/|data:,$|#", value or ""), f"{tag} {name}={value}"
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert not re.search(r"https?://|\"//", page)
    for img in parsed.all("img"):
        assert img["alt"]
        data = re.fullmatch(r"data:image/(png|webp);base64,(.+)", img["src"] or "")
        assert data is not None
        with Image.open(io.BytesIO(base64.b64decode(data[2]))) as opened:
            opened.load()
            assert opened.size == (int(img["width"] or 0), int(img["height"] or 0))
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in parsed.elements:
        for name in ("aria-controls", "aria-labelledby", "for"):
            assert name not in attributes or attributes[name] in ids
        if (attributes.get("href") or "").startswith("#"):
            assert (attributes["href"] or "")[1:] in ids
    for field in parsed.all("input"):
        assert field["aria-label"]
    assert len(parsed.all("script")) == scripts
    assert len(parsed.all("h1")) == 1
    return parsed
