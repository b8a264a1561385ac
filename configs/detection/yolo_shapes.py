"""YOLO's third version on drawn shapes: a grid of 8×8 cells, six anchors found by k-means, objectness, classes and CIoU.

The anchors are the six shapes of the highest mean IoU with the boxes of the training images:

    boxes = Shapes().open().boxes
    kmeans_anchors(boxes[:, 2:] - boxes[:, :2], k=6)

Data and augmentation are those of ``detection/anchor_free_shapes``, to compare with. Few of the 384 anchors of an image answer
for a shape, so objectness begins near 0 and counts for more where there is one. On 1,000 images that were not learned from
(seed 0): AP 77.1 % [76.1, 77.7], AP50 97.7 % [97.0, 98.0], AP75 89.1 %, AR 81.4 %, after 169 s of training on two cores. The
images are synthetic: numbers on them say nothing of real objects.

likeness train detection/yolo_shapes
"""

from likeness.experiments.detection import ObjectDetection
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data.detection import DetectionAugmentation, Shapes
from likeness.research.detectors.yolo import YoloHead
from likeness.research.encoders import PatchPyramid

ANCHORS = ((12.0, 12.0), (17.0, 16.0), (25.0, 13.0), (14.0, 24.0), (22.0, 22.0), (27.0, 27.0))


def get_config() -> Run:
    return Run(
        experiment=ObjectDetection(
            data=Shapes(train=16000, validation=500, test=1000),
            size=(64, 64),
            encoder=PatchPyramid(widths=(48, 96), blocks=(0, 3), pyramid_width=None),
            head=YoloHead(
                maps=("stage8",),
                anchors=(ANCHORS,),
                width=96,
                prior=0.003,
                objectness="overlap",
                scale=1.1,
                object_weight=5.0,
                box_weight=10.0,
            ),
            augmentation=DetectionAugmentation(mirror=0.5, quarter_turns=0.75, hue=180.0, brightness=0.2, contrast=0.2),
            batch=32,
        ),
        steps=2400,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=3e-3, warmup_share=0.05), weight_decay=0.02, clip_norm=10.0),
        ema_decay=0.998,
        evaluate_every=1200,
        checkpoints=Checkpoints(every=1200, best_metric="detection/ap", mode="max"),
    )
