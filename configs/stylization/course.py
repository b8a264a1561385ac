"""Neural style transfer as the course teaches it: start at random, then plain gradient descent.

    J(G) = α ½ ‖a(C) − a(G)‖² + β Σ λ_l ‖G(S) − G(G)‖² / (2 nH nW nC)²

The formula compares sums over pixels, so the style is cut to the content's size. The content term grows with the number of
pixels and the style term does not: for the same balance, let β grow with the square of ``size``.

Nothing is downloaded: the network is a VGG with random filters, the images are built in. The course's own network is
VGG-19, of which it takes a hidden layer for the content and the first of each block for the style.

    likeness train stylization/course

J, times 1e-5, falls from 1.67 (mean of the first ten steps) to 0.37 (of the last ten). The content's features are missed by
0.24 of their energy, the style's Gram matrices by 0.05. The pagoda is plain to see in the style's blues, but the image is
grainy: nothing in the formula asks neighbors to agree, and noise from pixel to pixel is nearly lost on random filters behind
an average. 98 s of training, on one core shared with other programs.
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Sgd
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import StyleImage, StyleObjective, Stylization
from likeness.experiments.style.starts import FromNoise
from likeness.experiments.style.terms import Term
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import Content, Gram
from likeness.research.synthetic.styles import CurlStrokes


def get_config() -> Run:
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=(StyleImage(image=Painting(style=CurlStrokes()), fit="crop", scale=2.0),),
            objective=StyleObjective(
                encoder=FrozenEncoder(),
                alpha=1.0,
                beta=1e6,
                content_terms=(Term(loss=Content(layers=("relu2_2",), normalizer="course")),),
                style_terms=(Term(loss=Gram(layers=("relu1_1", "relu2_1", "relu3_1", "relu4_1"), normalizer="course")),),
                image_terms=(),
            ),
            size=128,
            start=FromNoise(deviation=0.05),
            scale=1e-5,
        ),
        steps=300,
        optimizer=Sgd(schedule=Constant(peak_lr=100.0), momentum=0.0, halvings=20),
        log_every=10,
        evaluate_every=100,
        checkpoints=Checkpoints(every=100),
    )
