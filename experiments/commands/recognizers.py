"""Which trained recognizer a command means that names none."""

import sys
from pathlib import Path

DEFAULT = "runs/recognition/quickstart"


def recognizer_dir(given: str | None, flag: str = "--workdir") -> Path:
    """The working directory that was given, else the quickstart's, else the newest below ``runs`` that has a threshold τ.

    What was not given and is not the quickstart's is said on the standard error, so that nobody takes the answers of one model
    for those of another; ``flag`` is what the command calls it. Where there is none, the quickstart's is returned, whose
    absence is explained by who reads it.
    """
    if given is not None:
        return Path(given)
    if Path(DEFAULT).is_dir():
        return Path(DEFAULT)
    found = sorted(_trained(Path("runs")), key=lambda path: path.stat().st_mtime)
    if not found:
        return Path(DEFAULT)
    chosen = found[-1].parent
    which = "the only recognizer" if len(found) == 1 else f"the newest of {len(found)} recognizers"
    print(f"likeness: {flag} is not given: {chosen}, {which} below runs, is used.", file=sys.stderr)
    return chosen


def _trained(root: Path) -> list[Path]:
    # Not deeper than a sweep's runs lie: runs/<group>/<config>/<run>.
    return [path for depth in range(1, 5) for path in root.glob("/".join(["*"] * depth + ["threshold.json"]))]
