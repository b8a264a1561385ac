"""Error rates by group of people: who is taken for somebody else, and who is not recognized, more often than others?

MobileFaceNet's published weights as they are (0 steps); YuNet finds the largest face of each photograph. Everybody has the
same threshold, that of a false-accept rate of 0.1 % over all pairs, and each group of the table has its own false match and
false non-match rate.

    likeness train protocols/groups --experiment.data.path people --experiment.test.0.groups groups.csv

``people`` has a folder for each person; ``groups.csv`` has a person and a group a line. ``likeness weights list`` says how to
get the weights.
"""

from likeness.experiments.recognition.protocols import GroupErrorRates
from likeness.experiments.recognition.published import published
from likeness.experiments.run import Run
from likeness.research.faces import FaceFolder


def get_config() -> Run:
    one = published("mobilefacenet")
    data = FaceFolder("$LIKENESS_DATA/people", crop=one.crop)
    return Run(experiment=one.evaluated(data, GroupErrorRates(groups="$LIKENESS_DATA/groups.csv")), steps=0)
