"""Retrieval: P@1, R-precision and MAP@R of every image among all others, and every pair verified.

MobileFaceNet's published weights as they are (0 steps); YuNet finds the largest face of each photograph. All pairs are
counted exactly, however many, in constant memory.

    likeness train protocols/retrieval --experiment.data.path people

``people`` has a folder for each person. Musgrave et al., A metric learning reality check, ECCV 2020. ``likeness weights
list`` says how to get the weights.
"""

from likeness.experiments.recognition.protocols import EveryPair, Retrieval
from likeness.experiments.recognition.published import published
from likeness.experiments.run import Run
from likeness.research.faces import FaceFolder


def get_config() -> Run:
    one = published("mobilefacenet")
    return Run(experiment=one.evaluated(FaceFolder("$LIKENESS_DATA/people", crop=one.crop), Retrieval(), EveryPair()), steps=0)
