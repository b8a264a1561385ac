"""Gatys, Ecker and Bethge, "Image style transfer using convolutional neural networks", CVPR 2016, as the paper says it.

    L = α ½ Σ (F − P)² + β Σ w_l / (4 N² M²) Σ (G − A)²,  α/β = 1e-3

with the content at conv4_2, the style at conv1_1, conv2_1, conv3_1, conv4_1 and conv5_1, w_l = 1/5, average pooling, white
noise to begin with, L-BFGS, and the style image resized to the content's size. The paper's maps are those after the ReLU:
its equations 2 and 6 have no derivative where F < 0. It gives no size, no number of steps, no strength of the noise and no
search of L-BFGS; those are ours.

It wants VGG-19 scaled so that filters have a mean activation of 1 (``likeness weights fetch vgg19_adain``, 80 MB; without them
it does not run). They are AdaIN's; whether Gatys et al. scaled theirs on the same images is not known. Nobody has run it here
with them, so neither its result nor its time is measured:

    likeness train stylization/gatys_paper

The same losses on a smaller network, if its weights are below $LIKENESS_DATA/weights:

    likeness train stylization/gatys_paper --experiment.objective.encoder.weights.name vgg19_pruned16x
        --experiment.objective.encoder.encoder.widths 16 32 64 128 128

Your own images: ``likeness stylize CONTENT STYLE --preset stylization/gatys_paper``.
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.lbfgs import Lbfgs
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import StyleImage, StyleObjective, Stylization
from likeness.experiments.style.starts import FromNoise
from likeness.experiments.style.terms import Term
from likeness.research.encoders import Vgg
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import Content, Gram
from likeness.research.synthetic.styles import CurlStrokes
from likeness.research.weights import Pretrained

STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def get_config() -> Run:
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=(StyleImage(image=Painting(style=CurlStrokes()), fit="stretch"),),
            objective=StyleObjective(
                encoder=FrozenEncoder(
                    encoder=Vgg(last="relu5_1", pooling="average", preprocessing="convolution"),
                    weights=Pretrained(name="vgg19_adain"),
                ),
                alpha=1.0,
                beta=1e3,
                content_terms=(Term(loss=Content(layers=("relu4_2",), normalizer="course")),),
                style_terms=(Term(loss=Gram(layers=STYLE, normalizer="course")),),
                image_terms=(),
            ),
            size=512,
            start=FromNoise(),
        ),
        steps=500,
        optimizer=Lbfgs(),
        log_every=10,
        evaluate_every=100,
        checkpoints=Checkpoints(every=250),
    )
