"""Labeled Faces in the Wild, View 2 and more: 6,000 pairs in ten folds, with the threshold of each chosen on the other nine.

MobileFaceNet's published weights as they are (0 steps); YuNet finds the face in the middle of each of the 13,233 images.
Reported are the accuracy with its standard error in the restricted and the unrestricted setting, TAR at FAR with intervals,
and, in the form of deepface's tables, the 1,000 development pairs, by their own best threshold and by that of the training
pairs.

    likeness train protocols/lfw

``$LIKENESS_DATA/lfw`` holds the images and the official ``pairs.txt``, ``pairsDevTrain.txt`` and ``pairsDevTest.txt``. Huang
et al., Labeled Faces in the Wild, 2007. ``likeness weights list`` says how to get the weights.
"""

from likeness.experiments.recognition.protocols import ListedPairs
from likeness.experiments.recognition.published import published
from likeness.experiments.run import Run
from likeness.research.data.duplicates import Duplicates
from likeness.research.faces import FaceFolder

LFW = "$LIKENESS_DATA/lfw"


def get_config() -> Run:
    one = published("mobilefacenet")
    return Run(
        experiment=one.evaluated(
            # The lists name every image, so copies stay.
            FaceFolder(LFW, crop=one.in_the_middle, duplicates=Duplicates(within="keep", across="keep")),
            ListedPairs(pairs=f"{LFW}/pairs.txt", name="view2"),
            ListedPairs(pairs=f"{LFW}/pairs.txt", name="view2_unrestricted", setting="unrestricted"),
            ListedPairs(pairs=f"{LFW}/pairsDevTest.txt", threshold_from=f"{LFW}/pairsDevTrain.txt", name="development"),
        ),
        steps=0,
    )
