"""The course's YOLO: a grid of 8×8 cells, four anchors, and the plain squared error.

The cell of a shape's midpoint answers for it, with the anchor of the most similar shape. Every number counts alike, as in the
course's formula. 16,000 images of 64×64 to learn from. On 1,000 others (seed 0): AP 70.3 %, AP50 95.5 %, AP75 82.1 %, AR
75.8 %. Data and augmentation are those of ``detection/anchor_free_shapes``, to compare with. The images are synthetic: numbers
on them say nothing of real objects.

likeness train detection/yolo_course
"""

from likeness.experiments.detection import ObjectDetection
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data.detection import DetectionAugmentation, Shapes
from likeness.research.detectors.course_yolo import CourseYoloHead
from likeness.research.encoders import PatchPyramid


def get_config() -> Run:
    return Run(
        experiment=ObjectDetection(
            data=Shapes(train=16000, validation=500, test=1000),
            size=(64, 64),
            encoder=PatchPyramid(widths=(48, 96), blocks=(0, 3), pyramid_width=None),
            head=CourseYoloHead(map="stage8", width=96),
            augmentation=DetectionAugmentation(mirror=0.5, quarter_turns=0.75, hue=180.0, brightness=0.2, contrast=0.2),
            batch=32,
        ),
        steps=1500,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=3e-3, warmup_share=0.05), weight_decay=0.02, clip_norm=10.0),
        ema_decay=0.998,
        evaluate_every=750,
        checkpoints=Checkpoints(every=750, best_metric="detection/ap50", mode="max"),
    )
