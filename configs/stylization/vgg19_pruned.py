"""A photograph in the look of a painting, by a VGG-19 of a quarter of the width, distilled from the full one: 4 MB.

It wants its weights (``likeness weights fetch vgg19_pruned16x``, or ``likeness weights import FILE``).

    likeness train stylization/vgg19_pruned

Your own images: ``likeness stylize CONTENT STYLE --preset stylization/vgg19_pruned``.
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import Pyramid, StyleImage, StyleObjective, Stylization
from likeness.experiments.style.terms import Term
from likeness.research.encoders import Vgg
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import Content, TotalVariation, Wasserstein
from likeness.research.synthetic.styles import CurlStrokes
from likeness.research.weights import Pretrained

STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def get_config() -> Run:
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=(StyleImage(image=Painting(style=CurlStrokes())),),
            objective=StyleObjective(
                encoder=FrozenEncoder(
                    encoder=Vgg(widths=(16, 32, 64, 128, 128), last="relu5_1", padding="reflect", preprocessing="convolution"),
                    weights=Pretrained(name="vgg19_pruned16x"),
                ),
                beta=12.0,
                content_terms=(Term(loss=Content(layers=("relu4_1",))),),
                style_terms=(Term(loss=Wasserstein(layers=STYLE)),),
                image_terms=(Term(loss=TotalVariation(), weight=1.0),),
            ),
            size=384,
            pyramid=Pyramid(smallest=192),
        ),
        steps=250,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=0.03, final=0.1), b2=0.99, box=(0.0, 1.0)),
        ema_decay=0.95,
        log_every=10,
        evaluate_every=125,
        checkpoints=Checkpoints(every=125),
    )
