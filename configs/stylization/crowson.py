"""Katherine Crowson's style-transfer-pytorch, with the options that it has when none are given.

    L = 0.015 MSE(F, P) + Σ w_l W₂²/C + 2 TV,  w_l ∝ 256, 64, 16, 4, 1

W₂ is the Wasserstein distance of the Gaussians that features are taken for. The content is at relu4_2, the style at relu1_1,
relu2_1, relu3_1, relu4_1 and relu5_1, with maximum pooling, conv1_1 over a repeated border, torchvision's VGG-19, the content
image to begin with, Adam with pixels kept in [0, 1], and the running mean of the images as the result.

As the original, it paints 1000 iterations at 128 pixels and 500 at each of 181, 256, 362 and 512. A size begins with the
painting of the one before, enlarged bicubically, and with Adam's moments, enlarged bilinearly (the original: that of the
gradient bicubically). Both roots of W₂ and their derivatives are 12 Newton–Schulz iterations, and several styles are blended
into one target. Two things differ: the original begins a size with the running mean of the images before and a new running
mean, while here the image and its running mean both go on; and it does not enlarge a style image that is smaller than the
painting.

It wants torchvision's weights (``likeness weights fetch vgg19``, 575 MB; without them it does not run). Nobody has run it here
with them, so neither its result nor its time is measured; stylization/crowson_vgg16 is the same on a network that was at hand:

    likeness train stylization/crowson

Your own images: ``likeness stylize CONTENT STYLE --preset stylization/crowson``.
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import Pyramid, StyleImage, StyleObjective, Stylization
from likeness.experiments.style.starts import FromContent
from likeness.experiments.style.terms import Term
from likeness.research.encoders import Vgg
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import Content, TotalVariation, Wasserstein
from likeness.research.synthetic.styles import CurlStrokes
from likeness.research.weights import Pretrained

STYLE = {"relu1_1": 256 / 341, "relu2_1": 64 / 341, "relu3_1": 16 / 341, "relu4_1": 4 / 341, "relu5_1": 1 / 341}


def get_config() -> Run:
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=(StyleImage(image=Painting(style=CurlStrokes())),),
            objective=StyleObjective(
                encoder=FrozenEncoder(
                    encoder=Vgg(last="relu5_1", first_padding="replicate", preprocessing="torchvision"),
                    weights=Pretrained(name="vgg19"),
                ),
                alpha=0.015,
                content_terms=(Term(loss=Content(layers=("relu4_2",), normalizer="mean")),),
                style_terms=(
                    Term(
                        loss=Wasserstein(
                            layers=tuple(STYLE), weights=tuple(STYLE.values()), normalizer="crowson", iterations=12
                        )
                    ),
                ),
                image_terms=(Term(loss=TotalVariation(convention="crowson"), weight=2.0),),
            ),
            size=512,
            pyramid=Pyramid(smallest=128, factor=2**0.5, steps=(2, 1)),
            start=FromContent(),
        ),
        steps=3000,
        optimizer=Adam(schedule=Constant(peak_lr=0.02), b1=0.9, b2=0.99, box=(0.0, 1.0)),
        ema_decay=0.99,
        log_every=10,
        evaluate_every=500,
        checkpoints=Checkpoints(every=500),
    )
