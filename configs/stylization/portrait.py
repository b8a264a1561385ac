"""A portrait in strokes of oil in which the person stays the same: an encoder of faces holds what the brush would lose.

The photograph of Grace Hopper comes with Matplotlib, the painting is procedural, and the encoder that paints comes with
Likeness; the encoder of faces, a MobileFaceNet of 4 MB, is fetched. It is asked to see the person at a distance of at most
0.25, nearer than two photographs of a person mostly are, and not nearer: beyond that it can be had by noise.

    likeness weights fetch mobilefacenet
    likeness train stylization/portrait

In a photograph of your own the faces are found, all of a group, by a detector whose weights are asked for:

    likeness stylize people.jpg style.jpg --preset stylization/portrait

In a config of your own you say where they are; `face` takes one, or a tuple of several:

    content = ImageFile(path="me.jpg")
    face = Landmarks(points=((x, y), …), size=(width, height))
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import Pyramid, StyleImage, StyleObjective, Stylization
from likeness.experiments.style.colors import Matched
from likeness.experiments.style.parametrizations import LaplacianPyramid
from likeness.experiments.style.portrait import Portrait
from likeness.experiments.style.starts import FromContent
from likeness.experiments.style.terms import Term
from likeness.research.encoders import texture_vgg
from likeness.research.images.portraits import GraceHopper
from likeness.research.images.sources import Painting
from likeness.research.losses import Content, OutOfRange, TotalVariation, Wasserstein
from likeness.research.synthetic.styles import CurlStrokes
from likeness.research.weights import Pretrained

STYLE = {"input": 0.3, "relu1_1": 0.2, "relu1_2": 0.2, "relu2_2": 0.2, "relu3_3": 0.2, "relu4_3": 0.2}


def get_config() -> Run:
    return Run(
        experiment=Stylization(
            content=GraceHopper(),
            styles=(StyleImage(image=Painting(style=CurlStrokes()), scale=2.0),),
            objective=StyleObjective(
                encoder=FrozenEncoder(encoder=texture_vgg(), weights=Pretrained(name="textures")),
                beta=12.0,
                content_terms=(Term(loss=Content(layers=("relu2_2", "relu3_2"))),),
                style_terms=(Term(loss=Wasserstein(layers=tuple(STYLE), weights=tuple(STYLE.values()))),),
                image_terms=(Term(loss=TotalVariation(), weight=0.3), Term(loss=OutOfRange())),
            ),
            size=320,
            pyramid=Pyramid(smallest=160),
            parametrization=LaplacianPyramid(),
            start=FromContent(details=0.5),
            colors=Matched(change="content"),
            portrait=Portrait(weight=0.3, margin=0.25),
        ),
        steps=140,
        optimizer=Adam(schedule=Constant(peak_lr=0.01)),
        log_every=10,
        evaluate_every=30,
        checkpoints=Checkpoints(every=30),
    )
