"""What lacks a member of its protocol is refused when the config is built; an encoder without an embedding, at the start."""

import dataclasses
import re
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.classification import Classification
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.recognition import Recognition
from likeness.experiments.style.terms import Term
from likeness.research.data import Faces
from likeness.research.data.sampling import IdentityBatches
from likeness.research.data.split import CountSplit
from likeness.research.data.synthetic_examples import Ecg
from likeness.research.encoders import Conv4
from likeness.research.errors import UserError
from likeness.research.losses import Triplet


class Half:
    """A loss, a source, a protocol and a sampler, each by half."""

    def init(self, key, dimension):
        return {}


class Deaf(nn.Module):
    @nn.compact
    def __call__(self, images):
        return {"embedding": nn.Dense(2)(images.reshape(len(images), -1))}


class Returns(nn.Module):
    what: str

    @nn.compact
    def __call__(self, images, train: bool = False):
        x = nn.Dense(2)(images.reshape(len(images), -1))
        return {"array": x, "tuple": (x, x), "others": {"code": x, "map": x}, "map": {"embedding": x[:, None, :]}}[self.what]


def recognition(**fields: Any) -> Recognition:
    given = {"split": CountSplit(validation=2, test=2), "batches": IdentityBatches(people=2, images=2)}
    return Recognition(**{"data": Faces(people=8, images=2), "encoder": Conv4(), "loss": Triplet(), **given, **fields})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"loss": Half()}, "Recognition.loss is .*no RecognitionLoss: Half has no `value_and_diagnostics` and no `compare`"),
        ({"loss": "triplet"}, "Recognition.loss is 'triplet', which is no RecognitionLoss: str has no `init`"),
        ({"loss": Triplet}, r"Recognition.loss is the class Triplet: give one of its values, such as Triplet\(…\)"),
        ({"data": Half()}, "Recognition.data is .*no Source: Half has no `open`"),
        ({"batches": Half()}, "Recognition.batches is .*no Sampler: Half has no `batches`"),
        ({"validation": (Half(),)}, "Recognition.validation is .*no EvaluationProtocol: Half has no `metrics`"),
        ({"baselines": (Half(),)}, "Recognition.baselines is .*no Baseline: Half has no `name` and no `fit`"),
        ({"encoder": Half()}, "Recognition.encoder is .*Half is no flax.linen.Module"),
        ({"encoder": Conv4}, r"Recognition.encoder is the class Conv4: give one of its values, such as Conv4\(\)"),
        ({"encoder": Deaf()}, "Recognition.encoder: Deaf's `__call__` takes no `train`"),
    ],
)
def test_a_part_that_lacks_a_member_is_refused_by_name(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        recognition(**fields)


def test_the_other_experiments_name_it_too() -> None:
    with pytest.raises(ValueError, match="Classification.data is .*no ExampleSource: Half has no `open` and no `class_names`"):
        Classification(data=Half(), encoder=Conv4())  # pyright: ignore
    with pytest.raises(ValueError, match=r"Classification.encoder is .*is no flax\.linen\.Module"):
        Classification(data=Ecg(), encoder=Half())  # pyright: ignore
    with pytest.raises(ValueError, match=r"Term.loss is .*no ActivationLoss: Half has no `follows` and no `layers` and"):
        Term(loss=Half())  # pyright: ignore
    with pytest.raises(ValueError, match="FrozenEncoder.weights is 'vgg19', which is no Weights: str has no `variables`"):
        FrozenEncoder(weights="vgg19")  # pyright: ignore


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("array", "The encoder Returns returns an array, and is asked for named activations"),
        ("tuple", "The encoder Returns returns a tuple"),
        ("others", "returns no activation called 'embedding', only code, map"),
        ("map", re.escape("returns an 'embedding' of shape (1, 1, 2)")),
    ],
)
def test_activations_without_an_embedding_are_refused_at_the_start(what: str, said: str) -> None:
    images, key = np.zeros((2, 8, 8, 1), np.uint8), jax.random.key(0)
    with pytest.raises(UserError, match=said):
        jax.eval_shape(lambda: recognition(encoder=Returns(what)).init(key, {}, {"images": images}))
    classification = Classification(data=Ecg(), encoder=Returns(what))
    with pytest.raises(UserError, match=said):
        jax.eval_shape(lambda: classification.init(key, {}, {"values": jnp.zeros((2, 8, 1))}))


def test_a_strangers_parts_are_accepted() -> None:
    @dataclasses.dataclass(frozen=True)
    class Own:
        def init(self, key, dimension):
            return {}

        def value_and_diagnostics(self, params, embeddings, labels_or_same, key=None):
            return jnp.sum(embeddings), {}

        def compare(self, params, first, second):
            return jnp.sum(jnp.abs(first - second), axis=-1)

    assert recognition(loss=Own()).loss == Own()
