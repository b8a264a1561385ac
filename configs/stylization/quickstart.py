"""A photograph in the look of a painting, with nothing to download.

The photograph comes with scikit-learn, the painting is procedural, and the encoder is a VGG of half the width with random
filters (He, Wang and Hopcroft 2016), which knows nothing of any image.

    likeness train stylization/quickstart
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import StyleImage, StyleObjective, Stylization
from likeness.experiments.style.colors import Matched
from likeness.experiments.style.starts import FromContent
from likeness.experiments.style.terms import Term
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import Content, TotalVariation, Wasserstein
from likeness.research.synthetic.styles import CurlStrokes


def get_config() -> Run:
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=(StyleImage(image=Painting(style=CurlStrokes()), scale=2.0),),
            objective=StyleObjective(
                encoder=FrozenEncoder(),
                beta=3.0,
                content_terms=(Term(loss=Content(layers=("relu2_2", "relu3_4"))),),
                style_terms=(Term(loss=Wasserstein(layers=("relu1_2", "relu2_2", "relu3_2"))),),
                image_terms=(Term(loss=TotalVariation(), weight=0.3),),
            ),
            size=320,
            colors=Matched(change="content"),
            start=FromContent(),
        ),
        steps=100,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=0.03, final=0.1), b2=0.99, box=(0.0, 1.0)),
        ema_decay=0.9,
        log_every=10,
        evaluate_every=50,
        checkpoints=Checkpoints(every=50),
    )
