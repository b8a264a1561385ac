"""Landmarks: the eyes, the tip of the nose and the corners of the mouth of drawn faces, and the box of the face.

12,000 faces to learn from, each of another person, at 64×64, where the eyes are 13 pixels apart on average. On 1,000 others
(seed 0) landmarks are off by 2.15 % of the root of the box's area, or 5.8 % of the distance of the eyes. Each place of the map
says where the points are from there, and how much it is to be believed. In the mirror the left eye is a right one, as
`point_order` says. The faces are synthetic: numbers on them say nothing of real people.

likeness train detection/landmarks
"""

from likeness.experiments.detection import ObjectDetection
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data.detection import FACE_POINT_ORDER, DetectionAugmentation, DrawnFaces
from likeness.research.detectors.localization import LocalizationHead
from likeness.research.encoders import PatchPyramid


def get_config() -> Run:
    return Run(
        experiment=ObjectDetection(
            data=DrawnFaces(train=12000, validation=300, test=1000, size=64),
            size=(64, 64),
            encoder=PatchPyramid(widths=(32, 64), blocks=(0, 2)),
            head=LocalizationHead(map="pyramid4", reading="votes", width=64, points=5, landmark_weight=3.0),
            augmentation=DetectionAugmentation(mirror=0.5, translate=0.05, brightness=0.2, point_order=FACE_POINT_ORDER),
            batch=32,
        ),
        steps=2000,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=4e-3, warmup_share=0.05), weight_decay=0.02, clip_norm=10.0),
        ema_decay=0.998,
        evaluate_every=1000,
        checkpoints=Checkpoints(every=1000, best_metric="landmarks/nme"),
    )
