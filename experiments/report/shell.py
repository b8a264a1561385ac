"""The frame of a page: what it may load, how it looks, what moves in it."""

import base64
import hashlib
from collections.abc import Sequence

from likeness.experiments.report.behavior import SCRIPT
from likeness.experiments.report.html import Html, element
from likeness.experiments.report.look import STYLE


def page(title: str, body: Html, scripts: Sequence[str] = ()) -> str:
    """A page that opens from a disk and asks no network for anything.

    Args:
        title: of its window.
        body: all that it shows.
        scripts: libraries that are there before the page's own script.
    """
    codes = [*scripts, SCRIPT]
    digests = (base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in codes)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    # Whatever a run has written into the page, a browser loads nothing and runs no script but these.
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}"
    head = element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("link", {"rel": "icon", "href": "data:,"}),
        element("title", {}, title),
        element("style", {}, Html(STYLE)),
    )
    close = element("button", {"type": "button", "class": "play"}, "Close")
    loaded = [element("script", {}, Html(code)) for code in codes]
    whole = element("html", {"lang": "en"}, head, element("body", {}, body, element("dialog", {}, close), *loaded))
    return f"<!DOCTYPE html>\n{whole}\n"
