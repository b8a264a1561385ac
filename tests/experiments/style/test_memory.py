import dataclasses

import jax
import pytest
from objectives import with_objective

from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.style import StyleImage, Stylization, memory
from likeness.experiments.style.terms import Term
from likeness.research.encoders import Vgg
from likeness.research.errors import UserError
from likeness.research.images.sources import Blank, Photograph
from likeness.research.losses import Gram, SlicedWasserstein

ENCODER = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(4, 6)))


def painting(size: int, loss=Gram, **fields) -> Stylization:
    return with_objective(
        Stylization,
        content=Blank(height=1, width=2),
        styles=(StyleImage(image=Photograph(name="flower")),),
        encoder=ENCODER,
        content_terms=(),
        style_terms=(Term(loss=loss(layers=("relu1_1",))),),
        size=size,
        **fields,
    )


def test_what_is_needed_is_what_all_activations_take_and_their_gradients() -> None:
    pixels = 32 * 64
    # The image, conv1_1 and relu1_1, pool1, conv2_1 and relu2_1; the last pooling is not computed.
    numbers = pixels * (3 + 4 + 4) + pixels // 4 * (4 + 6 + 6)
    assert memory.needed(ENCODER, 32, 64) == 2 * 4 * numbers


def test_an_image_that_needs_more_than_half_of_the_memory_is_read_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = memory.needed(ENCODER, 1024, 2048)
    monkeypatch.setattr(memory, "free", lambda: 2 * whole)
    assert memory.tiled_if_needed(painting(2048)) == (painting(2048), "")
    monkeypatch.setattr(memory, "free", lambda: 2 * whole - 2)
    tiled, said = memory.tiled_if_needed(painting(2048))
    assert tiled.tile == 512 and "read in tiles of 512 pixels, with the same result" in said
    assert memory.tiled_if_needed(painting(2048, tile=256)) == (painting(2048, tile=256), "")
    stays, said = memory.tiled_if_needed(painting(2048, SlicedWasserstein))
    assert stays.tile is None and "give a smaller --size, for it cannot be read in tiles (Stylization.tile is set, but" in said
    monkeypatch.setattr(memory, "free", lambda: None)
    assert memory.tiled_if_needed(painting(2048)) == (painting(2048), "")


def test_an_image_too_narrow_for_the_encoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free", lambda: 1 << 40)
    narrow = dataclasses.replace(painting(64), content=Blank(height=1, width=64))
    with pytest.raises(UserError, match=r"is 1×64 pixels \(height×width\) at a size of 64, and cannot be painted: Vgg"):
        memory.tiled_if_needed(narrow)


def test_the_free_memory_of_this_computer_is_known_or_not() -> None:
    found = memory.free()
    assert found is None or 0 < found < 1 << 44
    assert len(jax.local_devices()) > 0
