from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.commands.main import run

_PRESET = """
from experiments.frozen import FrozenEncoder
from experiments.optimizers import Adam
from experiments.run import Run
from experiments.schedules import Constant
from experiments.judge import Judge
from experiments.stylization import StylePicture, Stylization
from experiments.terms import Term
from research.pictures.sources import Photograph
from research.encoders import Vgg
from research.losses import Content, Gram

TINY = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(4, 6), pooling="average"))


def get_config():
    return Run(
        experiment=Stylization(
            content=Photograph(name="china"),
            styles=(StylePicture(picture=Photograph(name="flower")),),
            encoder=TINY,
            judge=Judge(encoder=TINY, content=("relu2_1",), style=("relu1_1",)),
            size=32,
            content_terms=(Term(loss=Content(layers=("relu2_1",))),),
            style_terms=(Term(loss=Gram(layers=("relu1_1",))),),
        ),
        steps=3,
        optimizer=Adam(schedule=Constant(rate=0.05), box=(0.0, 1.0)),
    )
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("preset.py").write_text(_PRESET)
    for name, color in (("content", (200, 30, 60)), ("style", (20, 90, 220))):
        noise = np.random.default_rng(0).integers(0, 36, (40, 60, 3))
        Image.fromarray((noise + np.array(color)).astype(np.uint8)).save(f"{name}.png")


def test_paints_two_files_and_again_the_same_bits(capsys):
    command = ["stylize", "content.png", "style.png", "-o", "out/painted.png", "--preset", "preset.py", "--size", "48"]
    assert run(command) == 0
    first = Path("out/painted.png").read_bytes()
    with Image.open("out/painted.png") as picture:
        assert picture.size == (48, 32)
    printed = capsys.readouterr().out
    assert "picture  out/painted.png" in printed
    assert "style/relative" in printed
    assert len(list(Path("runs/stylize").iterdir())) == 1
    assert run([*command, "--workdir", "elsewhere"]) == 0
    assert Path("out/painted.png").read_bytes() == first


def test_strength_and_seed_make_another_picture_in_another_directory():
    for extra in ([], ["--strength", "9"]):
        assert run(["stylize", "-o", f"{len(extra)}.png", "--preset", "preset.py", *extra]) == 0
    assert Path("0.png").read_bytes() != Path("2.png").read_bytes()
    assert len(list(Path("runs/stylize").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.png"], "The picture gone.png cannot be used: it cannot be opened (No such file or directory)."),
        (["preset.py"], "it is not a "),
        (["-o", "painted.psd"], "The picture painted.psd has the suffix .psd, which names no format: call it .png"),
        (["-o", "."], "The picture"),
        (["--strength", "-1"], "--strength is -1.0: give a finite number, 0 or more"),
        (["--size", "3"], "Stylization.size is 3: give 16 to 16384 pixels"),
        (["--preset", "recognition/quickstart"], "is a Recognition and paints nothing"),
    ],
)
def test_bad_input_is_explained_and_nothing_is_written(arguments, message, capsys):
    preset = [] if "--preset" in arguments else ["--preset", "preset.py"]
    assert run(["stylize", *arguments, *preset]) == 2
    assert message in capsys.readouterr().err
    assert not Path("stylized.png").exists()
    assert not list(Path().glob("runs/stylize/*/checkpoints"))
