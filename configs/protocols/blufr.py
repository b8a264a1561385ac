"""BLUFR on Labeled Faces in the Wild: ten trials of 47 million pairs each, and open-set identification among 1,000 people.

MobileFaceNet's published weights as they are (0 steps). Reported are verification at a false-accept rate of 0.1 % and
detection and identification at 1 %, as mean less deviation over the trials, and the false-accept rate that the training
people of each trial promise beside that of its test people.

    likeness train protocols/blufr

``$LIKENESS_DATA/lfw`` holds the images and the benchmark's ``blufr_lfw_config.mat``. Liao et al., A benchmark study of
large-scale unconstrained face recognition, IJCB 2014. ``likeness weights list`` says how to get the weights.
"""

from likeness.experiments.recognition.protocols import Blufr
from likeness.experiments.recognition.published import published
from likeness.experiments.run import Run
from likeness.research.data.duplicates import Duplicates
from likeness.research.faces import FaceFolder


def get_config() -> Run:
    one = published("mobilefacenet")
    # The lists name every image, so copies stay.
    data = FaceFolder("$LIKENESS_DATA/lfw", crop=one.in_the_middle, duplicates=Duplicates(within="keep", across="keep"))
    return Run(experiment=one.evaluated(data, Blufr(lists="$LIKENESS_DATA/lfw/blufr_lfw_config.mat")), steps=0)
