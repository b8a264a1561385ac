"""Likeness: a JAX research framework for face recognition, style transfer, classification and seeing what networks learn.

What most people need is offered here. The rest is in ``likeness.research`` (what is computed), ``likeness.experiments`` (what
is run) and ``likeness.configs`` (what is chosen)::

    import likeness

    run = likeness.load("recognition/quickstart")
    likeness.train(run, "runs/mine")
    print(likeness.Recognizer.load("runs/mine").verify("a.png", "b.png"))

A name is imported when it is first asked for: ``import likeness`` imports neither JAX nor anything else that takes long.
"""

import importlib
from typing import TYPE_CHECKING, Any

from likeness.research.lazy import lazily, no_attribute

if TYPE_CHECKING:
    from likeness.experiments import classification as classification
    from likeness.experiments import frozen as frozen
    from likeness.experiments import optim as optim
    from likeness.experiments import recognition as recognition
    from likeness.experiments import style as style
    from likeness.experiments.config import load as load
    from likeness.experiments.detection.detector import Detector as Detector
    from likeness.experiments.display import figures as figures
    from likeness.experiments.recognition.recognizer import Recognizer as Recognizer
    from likeness.experiments.run import Checkpoints as Checkpoints
    from likeness.experiments.run import Run as Run
    from likeness.experiments.storage.metrics_log import read_metrics as read_metrics
    from likeness.experiments.style.painting import Stylizer as Stylizer
    from likeness.experiments.sweeps.sweep import sweep as sweep
    from likeness.experiments.training.evaluation import evaluate as evaluate
    from likeness.experiments.training.evaluation import read_run as read_run
    from likeness.experiments.training.evaluation import restore as restore
    from likeness.experiments.training.trainer import train as train
    from likeness.experiments.visualization.inversion import Inversion as Inversion
    from likeness.experiments.visualization.microscope import Microscope as Microscope
    from likeness.experiments.visualization.synthesis import Synthesis as Synthesis
    from likeness.research import data as data
    from likeness.research import detectors as detectors
    from likeness.research import encoders as encoders
    from likeness.research import faces as faces
    from likeness.research import gallery as gallery
    from likeness.research import geometry as geometry
    from likeness.research import images as images
    from likeness.research import losses as losses
    from likeness.research import metrics as metrics
    from likeness.research import visualization as visualization
    from likeness.research import weights as weights

    __version__: str

__all__ = [
    "Checkpoints",
    "Detector",
    "Inversion",
    "Microscope",
    "Recognizer",
    "Run",
    "Stylizer",
    "Synthesis",
    "__version__",
    "classification",
    "data",
    "detectors",
    "encoders",
    "evaluate",
    "faces",
    "figures",
    "frozen",
    "gallery",
    "geometry",
    "images",
    "load",
    "losses",
    "metrics",
    "optim",
    "read_metrics",
    "read_run",
    "recognition",
    "restore",
    "style",
    "sweep",
    "train",
    "visualization",
    "weights",
]

_find = lazily(
    __name__,
    {
        "experiments.config": ("load",),
        "experiments.detection.detector": ("Detector",),
        "experiments.recognition.recognizer": ("Recognizer",),
        "experiments.run": ("Checkpoints", "Run"),
        "experiments.storage.metrics_log": ("read_metrics",),
        "experiments.style.painting": ("Stylizer",),
        "experiments.sweeps.sweep": ("sweep",),
        "experiments.training.evaluation": ("evaluate", "read_run", "restore"),
        "experiments.training.trainer": ("train",),
        "experiments.visualization.inversion": ("Inversion",),
        "experiments.visualization.microscope": ("Microscope",),
        "experiments.visualization.synthesis": ("Synthesis",),
    },
)
_ROOMS = {
    "research": (
        "data",
        "detectors",
        "encoders",
        "faces",
        "gallery",
        "geometry",
        "images",
        "losses",
        "metrics",
        "visualization",
        "weights",
    ),
    "experiments": ("classification", "frozen", "optim", "recognition", "style"),
    "experiments.display": ("figures",),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("likeness-jax")
    for wing, rooms in _ROOMS.items():
        if name in rooms:
            return importlib.import_module(f"likeness.{wing}.{name}")
    if name not in __all__:
        raise no_attribute(__name__, name, __all__)
    return _find(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
