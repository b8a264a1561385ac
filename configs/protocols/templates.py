"""Templates as in IJB-B and IJB-C: sets of images of one person, compared 1:1 by a list, and 1:N with strangers.

MobileFaceNet's published weights as they are (0 steps). The images of a template are pooled with the lengths of their
embeddings as weights, which say how well a face is seen; ``--experiment.test.0.pooling mean`` weighs them alike. Reported are
TAR at FAR of the listed pairs, and rank 1 and FNIR at FPIR of the probes in the gallery.

    likeness train protocols/templates --experiment.data.path ijbc

``ijbc`` has a folder of images, which is taken for a person though it is none; its lists are in the formats of IJB:
``face_tid_mid.txt``, ``template_pair_label.txt``, and tables of the gallery and of the probes with the columns TEMPLATE_ID,
SUBJECT_ID and FILENAME. ``likeness weights list`` says how to get the weights.
"""

import dataclasses

from likeness.experiments.encoders import unnormalized
from likeness.experiments.recognition.protocols import TemplateIdentification, TemplateVerification
from likeness.experiments.recognition.published import published
from likeness.experiments.run import Run
from likeness.research.data.duplicates import Duplicates
from likeness.research.faces import FaceFolder

IJB = "$LIKENESS_DATA/ijbc"


def get_config() -> Run:
    one = published("mobilefacenet")
    # Embeddings of unit length would all weigh alike.
    one = dataclasses.replace(one, encoder=unnormalized(one.encoder))
    return Run(
        experiment=one.evaluated(
            FaceFolder(IJB, crop=one.crop, duplicates=Duplicates(within="keep", across="keep")),
            TemplateVerification(templates=f"{IJB}/face_tid_mid.txt", pairs=f"{IJB}/template_pair_label.txt", pooling="norm"),
            TemplateIdentification(gallery=f"{IJB}/gallery.csv", probes=f"{IJB}/probes.csv", pooling="norm"),
        ),
        steps=0,
    )
