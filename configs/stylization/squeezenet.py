"""A photograph in the look of a painting, by SqueezeNet 1.1: a trained encoder of 3 MB.

It wants the weights of SqueezeNet's authors (``likeness weights fetch squeezenet11``, or ``likeness weights import FILE``).

    likeness train stylization/squeezenet

Your own images: ``likeness stylize CONTENT STYLE --preset stylization/squeezenet``.
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import Pyramid, StyleImage, StyleObjective, Stylization
from likeness.experiments.style.terms import Term
from likeness.research.encoders import SqueezeNet
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import Content, TotalVariation, Wasserstein
from likeness.research.synthetic.styles import CurlStrokes
from likeness.research.weights import Pretrained

STYLE = ("relu_conv1", "fire2/concat", "fire3/concat", "fire4/concat", "fire5/concat", "fire6/concat")


def get_config() -> Run:
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=(StyleImage(image=Painting(style=CurlStrokes())),),
            objective=StyleObjective(
                encoder=FrozenEncoder(encoder=SqueezeNet(), weights=Pretrained(name="squeezenet11")),
                beta=8.0,
                content_terms=(Term(loss=Content(layers=("fire3/concat", "fire5/concat"))),),
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
