"""Katherine Crowson's recipe on torchvision's VGG-16 instead of its VGG-19: what stylization/crowson is, but for the network.

relu4_2 and the five style layers have the same names and widths in both; the convolutions that VGG-19 has more are missing, so
the numbers are not those of the original.

It wants torchvision's weights (``likeness weights fetch vgg16``, 553 MB). All 3,000 steps to 512 pixels were not run here. This
was, on two cores that others shared, in seven minutes: 80 steps at 128 pixels, 40 at 181 and 40 at 256 of Tübingen after *The
Starry Night*. Its sky has swirls and stars, its river and roofs have the painting's strokes, and the houses stand where they
stood:

    likeness stylize tubingen.jpg starry_night.jpg --preset stylization/crowson_vgg16 --size 256 --steps 160
    likeness train stylization/crowson_vgg16
"""

import dataclasses

from likeness.configs.stylization import crowson
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.run import Run
from likeness.experiments.style import Stylization
from likeness.research.encoders import Vgg
from likeness.research.weights import Pretrained


def get_config() -> Run:
    run = crowson.get_config()
    assert isinstance(run.experiment, Stylization)
    encoder = FrozenEncoder(
        encoder=Vgg(convolutions=(2, 2, 3, 3, 3), last="relu5_1", first_padding="replicate", preprocessing="torchvision"),
        weights=Pretrained(name="vgg16"),
    )
    objective = dataclasses.replace(run.experiment.objective, encoder=encoder)
    return dataclasses.replace(run, experiment=dataclasses.replace(run.experiment, objective=objective))
