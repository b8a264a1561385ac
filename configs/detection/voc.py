"""Pascal VOC 2007 through TensorFlow Datasets: twenty classes of things and animals in photographs.

TFDS prepares the data once, on a machine with network and TensorFlow; reading them needs none:

    python -c "import tensorflow_datasets as t; t.builder('voc/2007', file_format='array_record').download_and_prepare()"
    likeness train detection/voc

No result was measured: this config shows that a data set of TFDS takes the place of a folder, and its parts are tested on one
that the tests write. The network starts from ImageNet's weights: `likeness weights fetch shufflenetv2` says what to bring.
"""

from likeness.experiments.detection import ObjectDetection
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data.detection import DetectionAugmentation, DetectionTfds
from likeness.research.detectors.heads import AnchorFreeHead
from likeness.research.encoders import FeaturePyramid
from likeness.research.weights import Pretrained


def get_config() -> Run:
    return Run(
        experiment=ObjectDetection(
            data=DetectionTfds(builder="voc/2007", voc_pixels="one_based"),
            size=(320, 320),
            encoder=FeaturePyramid(),
            weights=Pretrained(name="shufflenetv2"),
            head=AnchorFreeHead(maps=("pyramid8", "pyramid16", "pyramid32"), width=96),
            augmentation=DetectionAugmentation(scale=(0.5, 1.5), mosaic=0.5, brightness=0.3, contrast=0.3, saturation=0.3),
            batch=32,
        ),
        steps=12000,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=2e-3, warmup_share=0.05), weight_decay=0.02, clip_norm=10.0),
        ema_decay=0.998,
        evaluate_every=2000,
        checkpoints=Checkpoints(every=1000, best_metric="detection/ap", mode="max"),
    )
