"""Where weights are kept on this machine."""

import os
from pathlib import Path

from likeness.research.data.paths import expand_path


def cache() -> Path:
    """Where fetched and imported weights are kept: ``$LIKENESS_CACHE/weights``, else ``~/.cache/likeness/weights``.

    Raises:
        UserError: ``LIKENESS_CACHE`` names a variable that is not set.
    """
    return expand_path(os.environ.get("LIKENESS_CACHE") or "~/.cache/likeness", "LIKENESS_CACHE") / "weights"


def data() -> Path | None:
    """``$LIKENESS_DATA/weights``, where somebody may have put weights already; None where that is not set."""
    root = os.environ.get("LIKENESS_DATA")
    return expand_path(root, "LIKENESS_DATA") / "weights" if root else None
