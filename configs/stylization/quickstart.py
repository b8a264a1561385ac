"""A photograph in the look of a painting, with nothing to download.

The photograph comes with scikit-learn, the painting is procedural, and the encoder is a VGG of half the width with random
filters (He, Wang and Hopcroft 2016), which knows nothing of any picture.

    likeness train stylization/quickstart
"""

from likeness.experiments.optimizers import Adam
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.schedules import WarmupCosine
from likeness.experiments.stylization import StylePicture, Stylization
from likeness.experiments.stylization.colors import Matched
from likeness.experiments.stylization.frozen import FrozenEncoder
from likeness.experiments.stylization.starts import FromContent
from likeness.experiments.stylization.terms import Term
from likeness.research.data.styles import CurlStrokes
from likeness.research.losses import Content, TotalVariation, Wasserstein
from likeness.research.pictures.sources import Painting, Photograph


def get_config() -> Run:
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=(StylePicture(picture=Painting(style=CurlStrokes()), scale=2.0),),
            encoder=FrozenEncoder(),
            size=320,
            beta=3.0,
            content_terms=(Term(loss=Content(layers=("relu2_2", "relu3_4"))),),
            style_terms=(Term(loss=Wasserstein(layers=("relu1_2", "relu2_2", "relu3_2"))),),
            picture_terms=(Term(loss=TotalVariation(), weight=0.3),),
            colors=Matched(change="content"),
            start=FromContent(),
        ),
        steps=100,
        optimizer=Adam(schedule=WarmupCosine(rate=0.03, final=0.1), b2=0.99, box=(0.0, 1.0)),
        ema_decay=0.9,
        log_every=10,
        evaluate_every=50,
        checkpoints=Checkpoints(every=50),
    )
