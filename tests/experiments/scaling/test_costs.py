import pytest
from rich.console import Console

from likeness.experiments.commands import show
from likeness.experiments.scaling.costs import fields
from likeness.research.encoders import Koch, NN4Small2, Vgg


def cells(table, width=100):
    console = Console(width=width)
    with console.capture() as capture:
        console.print(table)
    rows = [line.split() for line in capture.get().splitlines()]
    return {row[0]: row[1:] for row in rows if len(row) > 1}


def test_every_layer_is_shown_with_its_map_its_field_and_its_stride():
    rows = cells(fields(Koch(), (105, 105, 1)))
    assert rows["conv1"] == ["96×96×64", "10", "px", "1", "px"]
    assert rows["relu4"] == ["6×6×256", "65", "px", "8", "px"]
    assert len(rows) == 1 + len(Koch().geometry)


def test_without_an_image_there_are_no_maps():
    assert cells(fields(Vgg(), None))["relu5_1"] == ["156", "px", "16", "px"]


def test_layers_without_a_field_are_left_out():
    assert list(cells(fields(NN4Small2(), (96, 96, 3))))[-1] == "pool2"


@pytest.mark.end_to_end
def test_the_command_shows_the_encoder_on_the_images_of_its_data(capsys):
    assert show.main(["recognition/digits", "--no-compile", "--experiment.encoder.dtype", "bfloat16"]) == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["pool4", "1×1×16", "46", "px", "16", "px"] in shown
    lines = [" ".join(line) for line in shown]
    assert "parameters: float32" in lines and "statistics: float32" in lines
    assert "computed in bfloat16: --experiment.encoder.dtype bfloat16" in lines
