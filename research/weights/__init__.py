"""Published weights: reading them safely, putting them into an encoder with a report of what matched, writing them, and
fetching them with their checksums.

    >>> from likeness.research.weights import KNOWN
    >>> [published.name for published in KNOWN][:2]
    ['textures', 'vgg19']

Any file into any encoder is ``fill(variables, read(path), layout)``; known weights are ``named("vgg19_pruned16x").load()``,
and in a config ``Pretrained(name="vgg19_pruned16x")``.
"""

from typing import TYPE_CHECKING

from likeness.research.lazy import lazily

if TYPE_CHECKING:
    from likeness.research.weights.directories import cache
    from likeness.research.weights.download import NotObtained, Patience, fetch, obtain
    from likeness.research.weights.known import KNOWN, named, recognize
    from likeness.research.weights.layout import Entry, Layout, own
    from likeness.research.weights.matching import best, compare, fill, shapes, take
    from likeness.research.weights.pretrained import Pretrained
    from likeness.research.weights.published import Published
    from likeness.research.weights.readers import read
    from likeness.research.weights.release import File, Release
    from likeness.research.weights.releases import RELEASES
    from likeness.research.weights.report import Match, MatchReport
    from likeness.research.weights.writers import write
else:
    __getattr__ = lazily(
        __name__,
        {
            "directories": ("cache",),
            "download": ("NotObtained", "Patience", "fetch", "obtain"),
            "known": ("KNOWN", "named", "recognize"),
            "layout": ("Entry", "Layout", "own"),
            "matching": ("best", "compare", "fill", "shapes", "take"),
            "pretrained": ("Pretrained",),
            "published": ("Published",),
            "readers": ("read",),
            "release": ("File", "Release"),
            "releases": ("RELEASES",),
            "report": ("Match", "MatchReport"),
            "writers": ("write",),
        },
    )

__all__ = [
    "KNOWN",
    "RELEASES",
    "Entry",
    "File",
    "Layout",
    "Match",
    "MatchReport",
    "NotObtained",
    "Patience",
    "Pretrained",
    "Published",
    "Release",
    "best",
    "cache",
    "compare",
    "fetch",
    "fill",
    "named",
    "obtain",
    "own",
    "read",
    "recognize",
    "shapes",
    "take",
    "write",
]
