"""A network that paints any image in one style in one pass, with nothing to download.

Johnson et al. 2016: a transformer of half the width learns to paint squares out of a photograph, portraits and dead leaves in
the style of a procedural painting, by the losses and the random encoder of stylization/quickstart. It is evaluated on a
photograph that it has never seen.

Its result and its time are not measured to the end: halfway through its 600 steps it paints the held-out pagoda in the
style's blues and yellows, plain to see, with little of its strokes.

    likeness train stylization/fast_johnson
    likeness stylize photo.jpg --model runs/stylization/fast_johnson -o painted.png
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
from likeness.research.style_networks import Johnson
from likeness.research.synthetic.styles import CurlStrokes


def get_config() -> Run:
    return Run(
        experiment=FastStyle(
            styles=(LearnedStyle(image=Painting(style=CurlStrokes()), size=320),),
            images=RandomCrops(sources=(Photographs(names=("flower",)), DeadLeaves(), FaceImages()), size=96),
            batch_size=4,
            network=Johnson(widths=(16, 32, 64), blocks=3, outer=5, skip=True),
            objective=StyleObjective(
                encoder=FrozenEncoder(),
                beta=3.0,
                content_terms=(Term(loss=Content(layers=("relu2_2", "relu3_2"))),),
                style_terms=(Term(loss=Wasserstein(layers=("relu1_2", "relu2_2", "relu3_2"))),),
                image_terms=(Term(loss=TotalVariation(), weight=0.1),),
            ),
            held_out=HeldOut(images=(Photograph(name="china"),), size=256),
        ),
        steps=600,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=1e-2, warmup_share=1 / 30, final=0.05), b2=0.99, clip_norm=1.0),
        log_every=20,
        evaluate_every=100,
        checkpoints=Checkpoints(every=100),
    )
