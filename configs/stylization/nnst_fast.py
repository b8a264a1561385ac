"""NNST with few updates: neighbors are looked up once at each size, which is painted in 50 updates, and there is no last pass.

What is looked up and what the image is held to is as in ``stylization/nnst``; a larger step makes up for the updates that are
left out. Its authors' fast mode is a trained network instead, NNST-D, whose weights are not at hand.

What was measured: Tübingen in *The Starry Night* at 512 × 384 (``--size 512``, 50 updates at each of 64, 128, 256 and 512
pixels) took 379 seconds of processor time and 4 GB; the colors were those that the features bring (``--colors free``). In the
painting the sky is a field of long curved strokes that turn as in the original, every window, gable and twig is drawn in
strokes, and nothing is fog. The swirls are no larger than a house, and no star has come. The authors' images have the same
strokes and more of the large swirls.

It wants torchvision's VGG-16 (``likeness weights fetch vgg16``; without it, it does not run).

    likeness train stylization/nnst_fast
    likeness stylize CONTENT STYLE --preset stylization/nnst_fast
"""

import dataclasses

from likeness.configs.stylization import nnst
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import Stylization


def get_config() -> Run:
    run = nnst.get_config()
    assert isinstance(run.experiment, Stylization)
    return dataclasses.replace(
        run,
        experiment=dataclasses.replace(run.experiment, last_terms=()),
        steps=200,
        optimizer=Adam(schedule=Constant(peak_lr=5e-3)),
        evaluate_every=50,
        checkpoints=Checkpoints(every=100),
    )
