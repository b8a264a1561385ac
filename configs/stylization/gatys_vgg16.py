"""Gatys et al. (2016) on torchvision's VGG-16: content at relu4_2, Gram matrices at relu1_1 to relu5_1, from small to large.

The layers are those of the paper, whose VGG-19 has the same names. Adam and the pyramid of sizes are this project's choice;
``stylization/gatys_paper`` and ``stylization/gatys_code`` keep to the paper and to its code, on Oxford's VGG-19.

It wants torchvision's VGG-16 (``likeness weights fetch vgg16``; without it, it does not run).

    likeness train stylization/gatys_vgg16
    likeness stylize CONTENT STYLE --preset stylization/gatys_vgg16
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import Pyramid, StyleImage, StyleObjective, Stylization
from likeness.experiments.style.terms import Term
from likeness.research.encoders import Vgg
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import Content, Gram, TotalVariation
from likeness.research.synthetic.styles import CurlStrokes
from likeness.research.weights import Pretrained


def get_config() -> Run:
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=(StyleImage(image=Painting(style=CurlStrokes())),),
            objective=StyleObjective(
                encoder=FrozenEncoder(
                    encoder=Vgg(convolutions=(2, 2, 3, 3, 3), last="relu5_1", preprocessing="torchvision"),
                    weights=Pretrained(name="vgg16"),
                ),
                beta=8.0,
                content_terms=(Term(loss=Content(layers=("relu4_2",))),),
                style_terms=(Term(loss=Gram(layers=("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"))),),
                image_terms=(Term(loss=TotalVariation()),),
            ),
            size=512,
            pyramid=Pyramid(smallest=128),
        ),
        steps=300,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=0.03, final=0.1), b2=0.99, box=(0.0, 1.0)),
        ema_decay=0.95,
        log_every=10,
        evaluate_every=100,
        checkpoints=Checkpoints(every=100),
    )
