"""A stylization preset so small that a test can paint by it."""

PRESET = """
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.run import Run
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.style.evaluator import StyleEvaluator
from likeness.experiments.style import StyleImage, StyleObjective, Stylization
from likeness.experiments.style.terms import Term
from likeness.research.images.sources import Photograph
from likeness.research.encoders import Vgg
from likeness.research.losses import Content, Gram

TINY = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(4, 6), pooling="average"))


def get_config():
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=(StyleImage(image=Photograph(name="flower")),),
            objective=StyleObjective(
                encoder=TINY,
                evaluator=StyleEvaluator(encoder=TINY, content=("relu2_1",), style=("relu1_1",)),
                content_terms=(Term(loss=Content(layers=("relu2_1",))),),
                style_terms=(Term(loss=Gram(layers=("relu1_1",))),),
            ),
            size=32,
        ),
        steps=3,
        optimizer=Adam(schedule=Constant(peak_lr=0.05), box=(0.0, 1.0)),
    )
"""
