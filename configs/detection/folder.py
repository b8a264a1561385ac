"""Your own annotated images: a folder with VOC's XML, COCO's JSON or YOLO's text, told by its content.

The parts are those that the folder says (VOC's ImageSets, folders called train, val and test), or else shares of the images.
The network starts from ImageNet's weights: `likeness weights fetch shufflenetv2` says what to bring. Where there
are none, ``detection/folder_scratch`` starts from random ones. Images are shown at 320×320 with bars at two sides; for small
objects give a larger size, a multiple of 32 (--experiment.size 480 480). What is wrong with the annotations is named and
counted when training begins.

    likeness train detection/folder --experiment.data.path FOLDER
"""

from likeness.experiments.detection import ObjectDetection
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data.detection import DetectionAugmentation, DetectionFolder
from likeness.research.detectors.heads import AnchorFreeHead
from likeness.research.encoders import FeaturePyramid
from likeness.research.weights import Pretrained


def get_config() -> Run:
    return Run(
        experiment=ObjectDetection(
            data=DetectionFolder(path="$LIKENESS_DATA/annotated"),
            size=(320, 320),
            encoder=FeaturePyramid(),
            weights=Pretrained(name="shufflenetv2"),
            head=AnchorFreeHead(maps=("pyramid8", "pyramid16", "pyramid32"), width=96),
            augmentation=DetectionAugmentation(scale=(0.6, 1.4), mosaic=0.3, brightness=0.3, contrast=0.3, saturation=0.3),
            batch=8,
        ),
        steps=1500,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=2e-3, warmup_share=0.05), weight_decay=0.02, clip_norm=10.0),
        ema_decay=0.998,
        evaluate_every=500,
        checkpoints=Checkpoints(every=500, best_metric="detection/ap", mode="max"),
    )
