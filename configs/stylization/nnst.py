"""NNST: neural neighbor style transfer, by optimization (Kolkin et al. 2022, "Neural neighbor style transfer").

Each place of the image is held to the hypercolumn of the style, or of one of its three turned copies, that is nearest to what
the content and the painting so far have there, centered, by cosine; the neighbors are looked up once at each size. There is no
loss of the content: it shows by whose neighbors the places are. A last pass at the full size lets each layer find its own
nearest at every step.

The last step is the authors' too: the painting gives light and dark, and the content's hues get the style's palette
(``--colors free`` leaves the colors that the features bring). They take pixel values for linear ones there, which are decoded
here.

What was measured: Tübingen in *The Starry Night* at 256 × 192 (``--size 256 --steps 400``), looked at after 306 of the steps,
the first few of the last pass, in the colors that the features bring. The sky turns in large swirls of long curved strokes, as
in the painting and as the authors show theirs, lights have halos of concentric strokes, hills and shore are dark as the
painting's cypress and hills, every house is legible, and nothing is fog. At the preset's size and steps nobody has painted with
it here. A step of the last pass compares 4096 places with 16384 in each shallow layer, which is slow on a CPU.

It wants torchvision's VGG-16 (``likeness weights fetch vgg16``; without it, it does not run).

    likeness train stylization/nnst
    likeness stylize CONTENT STYLE --preset stylization/nnst
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import StyleImage, StyleObjective, Stylization
from likeness.experiments.style.colors import ByHue
from likeness.experiments.style.parametrizations import LaplacianPyramid
from likeness.experiments.style.pyramid import Pyramid
from likeness.experiments.style.terms import Term
from likeness.research.encoders import Vgg
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import NearestNeighbors, NeuralNeighbors
from likeness.research.synthetic.styles import CurlStrokes
from likeness.research.weights import Pretrained

LAYERS = (
    *("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1"),
    *("relu3_2", "relu3_3", "relu4_1", "relu4_2", "relu4_3"),
)


def get_config() -> Run:
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=(StyleImage(image=Painting(style=CurlStrokes()), turned=(1, 2, 3)),),
            objective=StyleObjective(
                encoder=FrozenEncoder(
                    encoder=Vgg(convolutions=(2, 2, 3, 3, 3), last="relu4_3", preprocessing="torchvision"),
                    weights=Pretrained(name="vgg16"),
                ),
                alpha=0.0,
                content_terms=(),
                style_terms=(Term(loss=NeuralNeighbors(layers=LAYERS, content=0.75)),),
                image_terms=(),
            ),
            size=512,
            pyramid=Pyramid(smallest=64),
            parametrization=LaplacianPyramid(levels=8),
            colors=ByHue(),
            last_terms=(Term(loss=NearestNeighbors(layers=LAYERS)),),
        ),
        steps=1000,
        optimizer=Adam(schedule=Constant(peak_lr=2e-3)),
        log_every=10,
        evaluate_every=200,
        checkpoints=Checkpoints(every=200),
    )
