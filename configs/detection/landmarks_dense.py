"""68 landmarks: jaw, brows, nose, eyes and lips of drawn faces, in the order of iBUG's 300-W, and the box of the face.

12,000 faces to learn from, each of another person, at 64×64, where the eyes are 13 pixels apart on average. In the mirror the
left eye is a right one, as `point_order` says. On 1,000 faces of other people (seed 0) landmarks are 1.93 % [1.9, 2.0] of the
face's size off (NME), 5.16 % of the distance between the eyes, and the mean IoU of boxes is 93.7 %, after 138 s of training on
two cores. The faces are synthetic: numbers on them say nothing of real people.

likeness train detection/landmarks_dense
"""

from likeness.experiments.detection import ObjectDetection
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data.detection import CONTOUR_POINT_ORDER, DetectionAugmentation, DrawnFaces
from likeness.research.detectors.localization import LocalizationHead
from likeness.research.encoders import PatchPyramid


def get_config() -> Run:
    return Run(
        experiment=ObjectDetection(
            data=DrawnFaces(train=12000, validation=300, test=1000, size=64, landmarks=68),
            size=(64, 64),
            encoder=PatchPyramid(widths=(32, 64), blocks=(0, 2)),
            head=LocalizationHead(map="pyramid4", reading="votes", width=64, points=68, landmark_weight=0.3),
            augmentation=DetectionAugmentation(mirror=0.5, translate=0.05, brightness=0.2, point_order=CONTOUR_POINT_ORDER),
            batch=32,
        ),
        steps=2000,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=4e-3, warmup_share=0.05), weight_decay=0.02, clip_norm=10.0),
        ema_decay=0.998,
        evaluate_every=1000,
        checkpoints=Checkpoints(every=1000, best_metric="landmarks/nme"),
    )
