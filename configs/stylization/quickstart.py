"""A photograph in the look of a painting, with nothing to download.

The photograph comes with scikit-learn, the painting is procedural, and the encoder is a small VGG that has learned to tell
drawn textures apart (``recognition/textures``). What is learned is a Laplacian pyramid of the image: a step moves large parts
of it at once, so that strokes come about where single pixels make noise. On two cores ``likeness stylize`` takes 30 seconds,
and 66 with ``--size 640``; the first time, when its programs are compiled, 50 to 51 and 88 to 91.

    likeness train stylization/quickstart
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import Pyramid, StyleImage, StyleObjective, Stylization
from likeness.experiments.style.colors import Matched
from likeness.experiments.style.parametrizations import LaplacianPyramid
from likeness.experiments.style.starts import FromContent
from likeness.experiments.style.terms import Term
from likeness.research.encoders import texture_vgg
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import Content, OutOfRange, TotalVariation, Wasserstein
from likeness.research.synthetic.styles import CurlStrokes
from likeness.research.weights import Pretrained

STYLE = {"input": 0.3, "relu1_1": 0.2, "relu1_2": 0.2, "relu2_2": 0.2, "relu3_3": 0.2, "relu4_3": 0.2}


def get_config() -> Run:
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=(StyleImage(image=Painting(style=CurlStrokes()), scale=1.5),),
            objective=StyleObjective(
                encoder=FrozenEncoder(encoder=texture_vgg(), weights=Pretrained(name="textures")),
                beta=40.0,
                content_terms=(Term(loss=Content(layers=("relu2_2", "relu3_2"))),),
                style_terms=(Term(loss=Wasserstein(layers=tuple(STYLE), weights=tuple(STYLE.values()))),),
                image_terms=(Term(loss=TotalVariation(), weight=0.3), Term(loss=OutOfRange())),
            ),
            size=320,
            pyramid=Pyramid(smallest=48, factor=4.0, steps=(2.0, 1.0)),
            parametrization=LaplacianPyramid(),
            colors=Matched(change="content"),
            start=FromContent(details=0.5),
        ),
        steps=210,
        optimizer=Adam(schedule=Constant(peak_lr=0.01)),
        log_every=10,
        checkpoints=Checkpoints(every=70),
    )
