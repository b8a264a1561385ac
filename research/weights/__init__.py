"""Published weights: reading them safely, putting them into an encoder with a report of what matched, writing them, and
fetching them with their checksums.

    >>> from research.weights import KNOWN
    >>> [published.name for published in KNOWN][:2]
    ['vgg19', 'vgg16']

Any file into any encoder is ``fill(variables, read(path), layout)``; known weights are ``named("vgg19_pruned16x").load()``,
and in a config ``Pretrained(name="vgg19_pruned16x")``.
"""

from research.weights.cache import cache
from research.weights.fetch import NotObtained, Patience, fetch, obtain
from research.weights.known import KNOWN, named, recognize
from research.weights.layout import Entry, Layout, own
from research.weights.matching import best, compare, fill, shapes, take
from research.weights.pretrained import Pretrained
from research.weights.published import File, Published
from research.weights.readers import read
from research.weights.report import Match, Report
from research.weights.writers import write

__all__ = [
    "KNOWN",
    "Entry",
    "File",
    "Layout",
    "Match",
    "NotObtained",
    "Patience",
    "Pretrained",
    "Published",
    "Report",
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
