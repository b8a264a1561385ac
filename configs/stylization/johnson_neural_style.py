"""jcjohnson/neural-style, with the options that it has when none are given.

    L = 5 MSE(F, P) + 100 Σ MSE(G/(C h w), A/(C h' w')) + 1e-3 TV

with the content at relu4_2, the style at relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1, maximum pooling, Oxford's VGG-19,
noise of a thousandth of a level around the mean color to begin with, and 1000 iterations of L-BFGS with a fixed step of 1
and 100 pairs. Its TV has a gradient and no value; here it has both, so the loss is larger than what neural-style prints.

Torch's images are multiplied by 256 before the mean is subtracted, here by 255 as in neural-style-pt, its port to PyTorch:
the network sees 0.4 % less contrast. TV's factor, 1e-3 · 256², is Torch's.

It wants Oxford's weights: bring vgg19-d01eb7cb.pth (jcjohnson/pytorch-vgg) and run
``likeness weights import FILE --name vgg19_caffe``. Without them it does not run; nobody has run it here with them, so neither
its result nor its time is measured:

    likeness train stylization/johnson_neural_style

Your own images: ``likeness stylize CONTENT STYLE --preset stylization/johnson_neural_style``.
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.lbfgs import Lbfgs
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import StyleImage, StyleObjective, Stylization
from likeness.experiments.style.starts import FromNoise
from likeness.experiments.style.terms import Term
from likeness.research.encoders import Vgg
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import Content, Gram, TotalVariation
from likeness.research.synthetic.styles import CurlStrokes
from likeness.research.weights import Pretrained

STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def get_config() -> Run:
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=(StyleImage(image=Painting(style=CurlStrokes())),),
            objective=StyleObjective(
                encoder=FrozenEncoder(encoder=Vgg(last="relu5_1"), weights=Pretrained(name="vgg19_caffe")),
                alpha=5.0,
                beta=100.0,
                content_terms=(Term(loss=Content(layers=("relu4_2",), normalizer="mean")),),
                style_terms=(Term(loss=Gram(layers=STYLE, weights=(1.0,) * 5, normalizer="johnson")),),
                image_terms=(Term(loss=TotalVariation(convention="johnson"), weight=1e-3 * 256**2),),
            ),
            size=512,
            start=FromNoise(center=(123.68 / 255, 116.779 / 255, 103.939 / 255), deviation=1e-3 / 255),
        ),
        steps=1000,
        optimizer=Lbfgs(memory=100, search="fixed", rate=1.0, first_change=1e-5),
        log_every=10,
        evaluate_every=100,
        # A checkpoint holds the pairs: 0.4 GB at 512 × 341.
        checkpoints=Checkpoints(every=500, keep_last=1),
    )
