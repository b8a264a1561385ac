"""A decoder that paints any image in the style of any other in one pass, with nothing to download.

Adaptive instance normalization (Huang and Belongie 2017) at relu3_1 of the VGG with random filters; its mirror image is
trained to decode. The styles are procedural. It is evaluated on a painting of a kind that it has never seen, the strokes, and
on one of a kind that it has.

    likeness train stylization/fast_adain
    likeness stylize photo.jpg painting.jpg --model runs/stylization/fast_adain -o painted.png
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import ArbitraryStyle, StyleObjective
from likeness.experiments.style.held_out import HeldOut
from likeness.experiments.style.terms import Term
from likeness.research.data.image_sets import DeadLeaves, FaceImages, Paintings, Photographs, RandomCrops
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import Content, MeanStd, TotalVariation
from likeness.research.synthetic.styles import CurlStrokes, InkWash, Pointillism, VoronoiMosaic, Woodcut


def get_config() -> Run:
    return Run(
        experiment=ArbitraryStyle(
            contents=RandomCrops(sources=(Photographs(names=("flower",)), DeadLeaves(), FaceImages()), size=96),
            styles=RandomCrops(
                sources=(
                    Paintings(styles=(VoronoiMosaic(), Pointillism(), InkWash(), Woodcut()), count=20),
                    DeadLeaves(seed=1),
                ),
                weights=(3.0, 1.0),
                size=96,
                zoom=(0.4, 1.0),
            ),
            layer="relu3_1",
            held_out=HeldOut(images=(Photograph(name="china"),)),
            held_out_styles=HeldOut(
                images=tuple(Painting(style=style, seed=1000) for style in (CurlStrokes(), VoronoiMosaic()))
            ),
            objective=StyleObjective(
                encoder=FrozenEncoder(),
                beta=3.0,
                content_terms=(Term(loss=Content(layers=("relu3_1",))),),
                style_terms=(Term(loss=MeanStd(layers=("relu1_1", "relu2_1", "relu3_1"))),),
                image_terms=(Term(loss=TotalVariation(), weight=0.03),),
            ),
        ),
        steps=1500,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=2e-3, warmup_share=1 / 75, final=0.05), b2=0.99, clip_norm=1.0),
        evaluate_every=500,
        checkpoints=Checkpoints(every=250),
    )
