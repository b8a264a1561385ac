"""Identification among people, closed set and open set, and in galleries of growing size with the threshold of each.

MobileFaceNet's published weights as they are (0 steps); YuNet finds the largest face of each photograph. Reported are rank 1,
FNIR at FPIR, and, for galleries of 100 people and more, how many enrolled people are named at the threshold by which one
stranger in a hundred is.

    likeness train protocols/identification --experiment.data.path people

``people`` has a folder for each person. Galleries for which there are too few people are said to be unresolvable. ``likeness
weights list`` says how to get the weights.
"""

from likeness.experiments.recognition.protocols import GallerySizes, Identification
from likeness.experiments.recognition.published import published
from likeness.experiments.run import Run
from likeness.research.faces import FaceFolder


def get_config() -> Run:
    one = published("mobilefacenet")
    data = FaceFolder("$LIKENESS_DATA/people", crop=one.crop)
    return Run(experiment=one.evaluated(data, Identification(), GallerySizes()), steps=0)
