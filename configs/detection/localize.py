"""The course's localization: is there a shape in the image, of which kind, and where?

One vector ``[p_c, b_x, b_y, b_h, b_w, c_1, c_2, c_3]`` an image, of which a fifth has no shape. p_c is learned by its logistic
loss, the class by cross-entropy and the box by squared error. The images are synthetic: numbers on them say nothing of real
objects.

likeness train detection/localize
"""

from likeness.experiments.detection import ObjectDetection
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data.detection import DetectionAugmentation, Shapes
from likeness.research.detectors.localization import LocalizationHead
from likeness.research.encoders import PatchPyramid


def get_config() -> Run:
    return Run(
        experiment=ObjectDetection(
            data=Shapes(train=6000, validation=500, test=1000, most=1, empty=0.2),
            size=(64, 64),
            encoder=PatchPyramid(widths=(32, 64), blocks=(0, 2)),
            head=LocalizationHead(map="stage8", width=256),
            augmentation=DetectionAugmentation(mirror=0.5, quarter_turns=0.75, hue=180.0, brightness=0.2, contrast=0.2),
            batch=32,
        ),
        steps=1500,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=2e-3, warmup_share=0.05), weight_decay=0.02, clip_norm=10.0),
        ema_decay=0.998,
        evaluate_every=750,
        checkpoints=Checkpoints(every=750, best_metric="localization/iou", mode="max"),
    )
