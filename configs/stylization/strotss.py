"""STROTSS: style transfer by relaxed optimal transport and self-similarity (Kolkin, Salavon and Shakhnarovich 2019).

    L = α Sim(C, G) + REMD(S, G) + M(S, G) + P(S, G)/α

on hypercolumns of VGG-16 and the image itself: REMD is the relaxed earth mover's distance of their cosine distances, M compares
their mean and covariance, P is the same as REMD for colors alone, and Sim compares which of 1024 places of one image are alike
with which of the same places of the other are. Places are drawn anew at each step, 5000 once from the style.

The content's weight is halved at each of the sizes 64, 128, 256 and 512. Two things differ from the authors' code: the network
is shown ImageNet's mean and deviation, as its weights expect, where theirs is shown RGB less a half; and layers are read where
a place lies in them, where theirs are read up to half a cell beside it.

What was measured: Tübingen in *The Starry Night* at 512 × 384 (``--size 512 --steps 320``, 80 at each size) took 636 seconds of
processor time. Two moons have come into the sky beside the tree, rings of strokes around them; strokes run along gables, shore
and reflections as they run along the painting's hills, all forms of the content are legible, and nothing is fog. Most of the
sky is fine hatching instead of large swirls. The authors show larger swirls, with more steps. At 128 × 96 with 400 steps
``held_out/style/relative`` was 0.072 and ``held_out/content/relative`` 0.159. All of the preset's 1,000 steps nobody has taken
with it here.

It wants torchvision's VGG-16 (``likeness weights fetch vgg16``; without it, it does not run).

    likeness train stylization/strotss
    likeness stylize CONTENT STYLE --preset stylization/strotss
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import RmsProp
from likeness.experiments.optim.schedules import ExponentialDecay
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import StyleImage, StyleObjective, Stylization
from likeness.experiments.style.details import FromDetails
from likeness.experiments.style.parametrizations import LaplacianPyramid
from likeness.experiments.style.pyramid import Pyramid
from likeness.experiments.style.terms import Term
from likeness.research.encoders import Vgg
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import HypercolumnMoments, HypercolumnSimilarity, PaletteEMD, RelaxedEMD
from likeness.research.synthetic.styles import CurlStrokes
from likeness.research.weights import Pretrained

LAYERS = (
    *("input", "relu1_1", "relu1_2", "relu2_1", "relu2_2"),
    *("relu3_1", "relu3_2", "relu3_3", "relu4_3", "relu5_3"),
)


def get_config() -> Run:
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=(StyleImage(image=Painting(style=CurlStrokes())),),
            objective=StyleObjective(
                encoder=FrozenEncoder(
                    encoder=Vgg(convolutions=(2, 2, 3, 3, 3), preprocessing="torchvision"),
                    weights=Pretrained(name="vgg16"),
                ),
                content_terms=(Term(loss=HypercolumnSimilarity(layers=LAYERS), weight=16.0, growth=0.5),),
                style_terms=(
                    Term(loss=RelaxedEMD(layers=LAYERS)),
                    Term(loss=HypercolumnMoments(layers=LAYERS)),
                    Term(loss=PaletteEMD(), weight=1 / 16, growth=2.0),
                ),
                image_terms=(),
            ),
            size=512,
            start=FromDetails(),
            pyramid=Pyramid(smallest=64),
            parametrization=LaplacianPyramid(levels=5),
        ),
        steps=1000,
        # 0.002, and half of that at the last of four sizes.
        optimizer=RmsProp(schedule=ExponentialDecay(peak_lr=2e-3, factor=0.5, every=750)),
        log_every=10,
        evaluate_every=250,
        checkpoints=Checkpoints(every=250),
    )
