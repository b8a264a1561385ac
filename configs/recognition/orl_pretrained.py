"""ORL faces, MobileFaceNet's published weights as they are: four people set the threshold, ten others evaluate.

Nothing is learned here (0 steps). In each of the 92×112 gray images YuNet finds the face, and five landmarks lay it over the
template that the encoder was trained with; a face is found in all 400. Equal error rate of verification over all pairs of the
ten (450 of the same person), by the same evaluator for all three:

    split seed        0        1        2     mean
    published    0.22 %   0.36 %   0.31 %   0.30 %
    raw pixels  21.11 %  23.56 %  25.78 %  23.48 %
    eigenfaces  21.78 %  26.22 %  27.33 %  25.11 %

The baselines see the same aligned crops, which show less of the head than the whole images that ``recognition/orl_triplet``
gives them (10.07 % there): hair and outline tell these 40 people apart too. Ten people are few: the interval of each split
reaches 9 %. Nothing was chosen by these numbers.

    likeness train recognition/orl_pretrained --experiment.split.seed 0

``likeness weights list`` says how to get both sets of weights. The images (AT&T Laboratories Cambridge) are read from
``$LIKENESS_DATA/orl_faces``.
"""

import dataclasses

from likeness.experiments.recognition.embedders import Eigenfaces, RawPixels
from likeness.experiments.recognition.protocols import Identification, Verification
from likeness.experiments.recognition.published import published
from likeness.experiments.run import Run
from likeness.research.data import CountSplit


def get_config() -> Run:
    return Run(
        experiment=dataclasses.replace(
            published("mobilefacenet").experiment("$LIKENESS_DATA/orl_faces"),
            split=CountSplit(validation=4, test=10),
            test=(Verification(), Identification(fpirs=(1e-1,))),
            baselines=(RawPixels(), Eigenfaces()),
        ),
        steps=0,
    )
