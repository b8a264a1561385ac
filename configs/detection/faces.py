"""Faces in drawn scenes: none to five people of several sizes before a ground with shapes, found with five landmarks each.

8,000 images of 96×96 to learn from, with faces of 12 to 40 pixels. The network has no anchors: each place says how far the
sides of a box are from it, how likely there is a face, and where its eyes, nose and mouth are. In the mirror the left eye is a
right one, as `point_order` says. On 1,000 scenes that were not learned from (seed 0): AP 79.8 % [78.7, 80.0], AP50 99.0 %
[96.8, 99.0], and landmarks are 6.84 % of the face's size off (NME), after 193 s of training on two cores. The faces are
synthetic: numbers on them say nothing of real people.

likeness train detection/faces
"""

from likeness.experiments.detection import ObjectDetection
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data.detection import FACE_POINT_ORDER, DetectionAugmentation, FaceScenes
from likeness.research.detectors.heads import AnchorFreeHead
from likeness.research.encoders import PatchPyramid


def get_config() -> Run:
    return Run(
        experiment=ObjectDetection(
            data=FaceScenes(train=8000, validation=300, test=1000),
            size=(96, 96),
            encoder=PatchPyramid(widths=(32, 64, 64), blocks=(0, 2, 1), pyramid_width=48),
            head=AnchorFreeHead(maps=("pyramid4",), width=48, points=5, landmark_weight=2.0),
            augmentation=DetectionAugmentation(mirror=0.5, brightness=0.2, contrast=0.2, point_order=FACE_POINT_ORDER),
            batch=32,
        ),
        steps=1200,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=3e-3, warmup_share=0.05), weight_decay=0.02, clip_norm=10.0),
        ema_decay=0.998,
        evaluate_every=600,
        checkpoints=Checkpoints(every=600, best_metric="detection/ap", mode="max"),
    )
