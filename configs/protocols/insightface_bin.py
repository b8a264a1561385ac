"""InsightFace's verification sets, `lfw.bin`, `cfp_fp.bin`, `agedb_30.bin` and so on, which are read without being unpickled.

MobileFaceNet's published weights as they are (0 steps), on the aligned crops of 112x112 pixels that the file holds. Reported
are the accuracy over ten folds with its standard error, TAR at FAR, the equal error rate and the area under the curve.

    likeness train protocols/insightface_bin --experiment.data.path cfp_fp.bin --experiment.test.0.bin.path cfp_fp.bin

``likeness weights list`` says how to get the weights.
"""

from likeness.experiments.recognition.protocols import BinaryPairs
from likeness.experiments.recognition.published import published
from likeness.experiments.run import Run
from likeness.research.data import VerificationBin


def get_config() -> Run:
    data = VerificationBin(path="$LIKENESS_DATA/faces/cfp_fp.bin")
    return Run(experiment=published("mobilefacenet").evaluated(data, BinaryPairs(bin=data)), steps=0)
