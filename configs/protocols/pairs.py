"""Any list of pairs: verification over two paths and `same` or `different` a line, with intervals.

MobileFaceNet's published weights as they are (0 steps); YuNet finds the largest face of each photograph. Reported are the
accuracy over ten folds with its standard error, TAR at FAR, the equal error rate and the area under the curve.

    likeness train protocols/pairs --experiment.data.path people --experiment.test.0.pairs pairs.csv

``people`` has a folder for each person; the list is CSV, or divided by tabs or spaces, or in the format of LFW. ``likeness
weights list`` says how to get the weights.
"""

from likeness.experiments.recognition.protocols import ListedPairs
from likeness.experiments.recognition.published import published
from likeness.experiments.run import Run
from likeness.research.faces import FaceFolder


def get_config() -> Run:
    one = published("mobilefacenet")
    data = FaceFolder("$LIKENESS_DATA/people", crop=one.crop)
    return Run(experiment=one.evaluated(data, ListedPairs(pairs="$LIKENESS_DATA/pairs.csv")), steps=0)
