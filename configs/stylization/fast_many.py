"""A network that paints any image in one pass, in four styles and in what lies between them, with nothing to download.

The styles are procedural and share all convolutions; each has its own scale and shift after each of them (Dumoulin et al.
2017). Otherwise as stylization/fast_johnson.

    likeness train stylization/fast_many
    likeness stylize photo.jpg --model runs/stylization/fast_many --weights 0.5 0.5 0 0 -o painted.png
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import FastStyle, LearnedStyle, StyleObjective
from likeness.experiments.style.held_out import HeldOut
from likeness.experiments.style.terms import Term
from likeness.research.data.image_sets import DeadLeaves, FaceImages, Photographs, RandomCrops
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import Content, TotalVariation, Wasserstein
from likeness.research.style_networks import Conditional
from likeness.research.synthetic.styles import CurlStrokes, InkWash, Pointillism, VoronoiMosaic


def get_config() -> Run:
    return Run(
        experiment=FastStyle(
            styles=tuple(
                LearnedStyle(image=Painting(style=style), size=320)
                for style in (CurlStrokes(), VoronoiMosaic(), InkWash(), Pointillism())
            ),
            images=RandomCrops(sources=(Photographs(names=("flower",)), DeadLeaves(), FaceImages()), size=96),
            network=Conditional(widths=(16, 32, 64), blocks=3, outer=5, styles=4),
            held_out=HeldOut(images=(Photograph(name="china"),)),
            objective=StyleObjective(
                encoder=FrozenEncoder(),
                beta=8.0,
                content_terms=(Term(loss=Content(layers=("relu2_2", "relu3_2"))),),
                style_terms=(Term(loss=Wasserstein(layers=("relu1_2", "relu2_2", "relu3_2"))),),
                image_terms=(Term(loss=TotalVariation(), weight=0.03),),
            ),
        ),
        steps=2000,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=1e-2, warmup_share=0.01, final=0.05), b2=0.99, clip_norm=1.0),
        evaluate_every=500,
        checkpoints=Checkpoints(every=250),
    )
