"""A portrait in ink in which the person stays the same: an encoder of faces holds what the brush would lose.

The photograph of Grace Hopper comes with Matplotlib, the painting is procedural, and the encoder that paints has random
filters; the encoder of faces, a MobileFaceNet of 4 MB, is fetched. It is asked to see the person at a distance of at most 0.25,
nearer than two photographs of a person mostly are, and not nearer: beyond that it can be had by noise.

    likeness weights fetch mobilefacenet
    likeness train stylization/portrait

A face of your own is a config file of your own, which says where its landmarks are:

    photograph = ImageFile(path="me.jpg")
    face = Landmarks(points=((x, y), …), size=(width, height))
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import StyleImage, StyleObjective, Stylization
from likeness.experiments.style.colors import Matched
from likeness.experiments.style.portrait import Portrait
from likeness.experiments.style.terms import Term
from likeness.research.images.portraits import GraceHopper
from likeness.research.images.sources import Painting
from likeness.research.losses import Content, TotalVariation, Wasserstein
from likeness.research.synthetic.styles import InkWash


def get_config() -> Run:
    return Run(
        experiment=Stylization(
            content=GraceHopper(),
            styles=(StyleImage(image=Painting(style=InkWash()), scale=2.0),),
            objective=StyleObjective(
                encoder=FrozenEncoder(),
                beta=10.0,
                content_terms=(Term(loss=Content(layers=("relu2_2", "relu3_4")), weight=0.3),),
                style_terms=(Term(loss=Wasserstein(layers=("relu1_2", "relu2_2", "relu3_2"))),),
                image_terms=(Term(loss=TotalVariation(), weight=0.3),),
            ),
            size=320,
            colors=Matched(change="content"),
            portrait=Portrait(weight=0.3, margin=0.25),
        ),
        steps=60,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=0.03, final=0.1), b2=0.99, box=(0.0, 1.0)),
        ema_decay=0.9,
        log_every=10,
        evaluate_every=30,
        checkpoints=Checkpoints(every=30),
    )
