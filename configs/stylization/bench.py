"""Which loss takes on a style best? Three contents in three styles by five losses, in one program, with nothing to download.

    likeness train stylization/bench

A synthetic face, a pagoda and a dahlia are painted in three procedural paintings. The methods differ in the style's loss and
its strength alone; each is as strong as makes its style cost ½ before the first step, the mean over the nine pairs. (To see it:
`--steps 1 --log-every 1 --workdir /tmp/start`, then the first line of metrics.jsonl.) The encoder that evaluates did not paint.

Means over the nine images; 0 is perfect but for the last two lines, where it is 1:

    |                            | Gram  | MeanStd | Wasserstein | SlicedWasserstein | MRF   | unpainted |
    |----------------------------|-------|---------|-------------|-------------------|-------|-----------|
    | held_out/content/relative  | 0.111 | 0.159   | 0.181       | 0.180             | 0.181 |           |
    | held_out/style/relative    | 0.037 | 0.039   | 0.034       | 0.036             | 0.070 | 1.071     |
    | style/color_distance       | 0.064 | 0.041   | 0.036       | 0.039             | 0.085 | 0.218     |
    | style/patch_distance       | 0.063 | 0.050   | 0.044       | 0.050             | 0.081 | 0.221     |
    | content/ssim               | 0.777 | 0.700   | 0.652       | 0.648             | 0.611 |           |
    | content/edge_correlation   | 0.897 | 0.770   | 0.719       | 0.740             | 0.713 |           |

The content's errors are those from the content in the style's palette, with which all methods begin; what is said to be
unpainted is the photograph. Gram keeps most of the content, Wasserstein comes nearest to the style by colors and patches. MRF
has one layer, for patches of a finer one are too many, and under random filters it paints dots. To look at:
figures/contact_sheet.png and figures/errors.png; every number of every image: grid.json.

Eleven minutes of painting on one core shared with other work.
"""

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.style import Method, StyleGrid, StyleImage, StyleObjective, Stylization
from likeness.experiments.style.colors import Matched
from likeness.experiments.style.terms import Term
from likeness.research.images.portraits import ProceduralFace
from likeness.research.images.sources import Painting, Photograph
from likeness.research.losses import MRF, Content, Gram, MeanStd, SlicedWasserstein, TotalVariation, Wasserstein
from likeness.research.losses.style.layers import ActivationLoss
from likeness.research.synthetic.styles import CurlStrokes, VoronoiMosaic, Woodcut

SHALLOW = ("relu1_2", "relu2_2", "relu3_2")


def method(name: str, loss: ActivationLoss, beta: float) -> Method:
    """Everything but the loss of the style and its strength is common; content and painting are those of the grid."""
    how = Stylization(
        content=Photograph(name="china"),
        styles=(StyleImage(image=Painting(style=CurlStrokes()), scale=2.0),),
        objective=StyleObjective(
            encoder=FrozenEncoder(),
            beta=beta,
            content_terms=(Term(loss=Content(layers=("relu2_2", "relu3_4"))),),
            style_terms=(Term(loss=loss),),
            image_terms=(Term(loss=TotalVariation(), weight=0.3),),
        ),
        colors=Matched(change="content"),
    )
    return Method(name=name, how=how)


def get_config() -> Run:
    return Run(
        experiment=StyleGrid(
            contents=(ProceduralFace(person=3), Photograph(name="china"), Photograph(name="flower")),
            styles=tuple(Painting(style=style) for style in (CurlStrokes(), VoronoiMosaic(), Woodcut())),
            methods=(
                method("Gram", Gram(layers=SHALLOW), 9.5),
                method("MeanStd", MeanStd(layers=SHALLOW), 14.1),
                method("Wasserstein", Wasserstein(layers=SHALLOW), 5.6),
                method("SlicedWasserstein", SlicedWasserstein(layers=SHALLOW, projections=16), 9.3),
                method("MRF", MRF(layers=("relu3_2",)), 2.7),
            ),
            size=128,
        ),
        steps=50,
        optimizer=Adam(schedule=WarmupCosine(peak_lr=0.03, final=0.1), b2=0.99, box=(0.0, 1.0)),
        ema_decay=0.9,
        log_every=5,
        checkpoints=Checkpoints(every=25),
    )
