"""YOLO's third version on drawn shapes: anchors of two maps, found by k-means, with objectness, classes and CIoU.

The anchors are the six shapes of the highest mean IoU with the boxes of the training images, the three smallest on the finer
map:

    boxes = Shapes().open().boxes
    kmeans_anchors(boxes[:, 2:] - boxes[:, :2], k=6)

Data and backbone are those of ``detection/anchor_free_shapes``, to compare with. The images are synthetic: numbers on them say
nothing of real objects.

likeness train detection/yolo_shapes
"""

from likeness.experiments.detection import ObjectDetection
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data.detection import DetectionAugmentation, Shapes
from likeness.research.detectors.yolo import YoloHead
from likeness.research.encoders import PatchPyramid

SMALL = ((12.0, 12.0), (17.0, 16.0), (25.0, 13.0))
LARGE = ((14.0, 24.0), (22.0, 22.0), (27.0, 27.0))


def get_config() -> Run:
    return Run(
        experiment=ObjectDetection(
            data=Shapes(train=16000, validation=500, test=1000),
            size=(64, 64),
            encoder=PatchPyramid(widths=(48, 96), blocks=(0, 3), pyramid_width=48),
            head=YoloHead(maps=("pyramid4", "pyramid8"), anchors=(SMALL, LARGE), width=48, objectness="overlap", scale=1.1),
            augmentation=DetectionAugmentation(mirror=0.5, quarter_turns=0.75, hue=180.0, brightness=0.2, contrast=0.2),
            batch=32,
        ),
        steps=2400,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=3e-3, warmup_share=0.05), weight_decay=0.02, clip_norm=10.0),
        ema_decay=0.998,
        evaluate_every=1200,
        checkpoints=Checkpoints(every=1200, best_metric="detection/ap", mode="max"),
    )
