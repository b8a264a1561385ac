"""Sliding windows: a small network learns to tell crops apart, and is then applied to whole images at once.

The course's way before there were grids: windows of 24×24, of disks, boxes and triangles or of the background, are classified,
and the same network slides over images of 64×64 in steps of 4 pixels. Its dense layers become convolutions for that, which
changes no answer: on 20 images both say exactly the same, and the windows alone take 8.9 times as many multiplications. Every
box has the same size, so the shapes here are of about that size: on 1,000 others (seed 0) AP50 is 95.9 %, AP75 23.2 % and AP
43.3 %. The images are synthetic: the numbers say nothing of real objects.

likeness train detection/windows
"""

from likeness.experiments.detection import WindowDetection
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data.detection import ObjectCrops, Shapes
from likeness.research.encoders import WindowNetwork


def get_config() -> Run:
    return Run(
        experiment=WindowDetection(
            data=Shapes(train=4000, validation=300, test=1000, sides=(14.0, 22.0), most=3),
            size=(64, 64),
            network=WindowNetwork(window=24, widths=(16, 32), sides=(5, 3), pools=(2, 2), hidden=(64,)),
            crops=ObjectCrops(window=24, margin=3),
        ),
        steps=3000,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=2e-3, warmup_share=0.05), weight_decay=0.02, clip_norm=10.0),
        evaluate_every=1500,
        checkpoints=Checkpoints(every=1500, best_metric="detection/ap50", mode="max"),
    )
