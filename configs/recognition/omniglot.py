"""Omniglot's official one-shot test: 20 characters of an unknown alphabet, one drawing of each; which is this?

Each drawing is seen as the square around its ink, at 36 pixels. A small residual network learns from the 30 background
alphabets, with random affine changes and elastic distortions, by the softmax of one pair against all others; half of its
batches are drawn within one alphabet. A drawing is embedded as the mean over itself and 24 affine copies. It is evaluated by
the official 400 trials (20 runs of 20) of Lake et al. 2015. Error, with Wilson's 95 % interval, and training on one core that
was shared:

    seed 0        1.25 % [0.5, 2.9]      566 s
    seed 1        1.25 % [0.5, 2.9]      566 s
    seed 2        2.00 % [1.0, 3.9]      656 s
    seed 3        1.50 % [0.7, 3.2]      665 s
    seed 4        2.00 % [1.0, 3.9]      577 s
    mean          1.60 %
    raw pixels   54.75 % [49.9, 59.6]    of the same squares

People err in 4.5 %, Bayesian program learning in 3.3 % (Lake et al. 2015), the Siamese network of Koch et al. 2015 in 8.0 %.

    export JAX_NUM_CPU_DEVICES=2 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false   # two cores share each batch
    likeness train recognition/omniglot --seed 0

The official zips are read from ``$LIKENESS_DATA/omniglot``. From the two small background sets, of five
alphabets each, it learns by the line below: 4.50 % [2.9, 7.0] by the first and 2.25 % [1.2, 4.2] by the second, seed 0.

    likeness train recognition/omniglot --steps 2000 --evaluate-every 2000 --experiment.data.subset background_small1 \\
        --experiment.data.rotations True --experiment.split.validation 10
"""

from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.embedders import RawPixels
from likeness.experiments.recognition.protocols import OfficialOmniglot, OneShot
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data import Augmentation, IdentityBatches, Omniglot, OmniglotRuns, OmniglotSplit
from likeness.research.distances import SquaredEuclidean
from likeness.research.encoders import ResidualConv, TestTimeAugmentation
from likeness.research.losses import NTXent


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Omniglot(size=36, frame="dark"),
            split=OmniglotSplit(validation=100, test=0),
            batches=IdentityBatches(people=20, images=6, within_group=0.5),
            augmentation=Augmentation(
                rotate=15.0, scale=(0.8, 1.2), shear=15.0, translate=0.1, elastic=0.03, border="constant", fill=0.0
            ),
            encoder=TestTimeAugmentation(
                encoder=ResidualConv(),
                views=24,
                rotate=15.0,
                scale=1.18,
                shear=15.0,
                translate=0.07,
                border="constant",
            ),
            loss=NTXent(distance=SquaredEuclidean(), temperature=1.0),
            validation=(OneShot(ways=20, trials=400),),
            test=(OfficialOmniglot(runs=OmniglotRuns(size=36, frame="dark")),),
            baselines=(RawPixels(),),
        ),
        steps=4000,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=2e-3, warmup_share=1 / 30)),
        ema_decay=0.999,
        log_every=100,
        evaluate_every=4000,
        checkpoints=Checkpoints(every=1000),
    )
