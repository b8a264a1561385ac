"""NNST with few updates: neighbors are looked up once at each size, which is painted in 50 updates, and there is no last pass.

What is looked up and what the image is held to is as in ``stylization/nnst``; a larger step makes up for the updates that are
left out. Its authors' fast mode is a trained network instead, NNST-D, whose weights are not at hand.

What was measured: Tübingen in *The Starry Night* at 256 × 192 (``--size 256 --steps 150``, 50 updates at each of 64, 128 and
256 pixels) took 83 seconds of processor time in all, with compiling and evaluating, on two cores that others used too;
``held_out/style/relative`` is 0.114 and ``held_out/content/relative`` 0.282. In the painting the sky is a field of short curved
strokes, all windows and gables are there, some yellow as if lit, the shore is drawn in the strokes of the hills, and nothing is
fog. Large swirls are few.

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
