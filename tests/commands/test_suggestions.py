"""Flags that do not exist: what is said instead, for the words that people bring from elsewhere."""

import functools
import importlib
import shlex
from typing import Annotated

import pytest
import tyro

from likeness.experiments.commands.choose import parse
from likeness.experiments.commands.flags import parser_of
from likeness.experiments.commands.main import COMMANDS, run
from likeness.experiments.commands.suggestions import MOST, Flag, flags_of, nearest
from likeness.experiments.commands.synonyms import CHOSEN, SYNONYMS
from likeness.experiments.commands.train import Options
from likeness.experiments.config import load
from likeness.experiments.run import Run
from likeness.experiments.shipped import shipped

FACES, ANGLES, SIGNALS = "recognition/quickstart", "recognition/orl_arcface", "classification/ecg"
DETECTOR = "detection/folder"
PAINTING, QUASI_NEWTON, PAINTER = "stylization/quickstart", "stylization/gatys_paper", "stylization/fast_johnson"
RATE = "--optimizer.schedule.peak-lr FLOAT (Learning rate at the peak; now"


@pytest.mark.parametrize(
    "line, said",
    [
        (f"train {FACES} --learning-rate 1", [f"{RATE} 0.002)"]),
        (f"train {FACES} --learning_rate=1", [f"{RATE} 0.002)"]),
        (f"train {FACES} --optimzer.learning-rate 1", ["--optimzer.learning-rate", f"{RATE} 0.002)"]),
        (f"train {FACES} --optimizer.lr 1", [RATE]),
        (f"train {FACES} --LR 1", [RATE]),
        (f"train {FACES} -lr 1", ["does not know -lr", RATE]),
        (f"train {FACES} lr=1", ["does not know lr", RATE]),
        (f"train {FACES} --leanring-rate 1", [RATE]),
        (f"train {FACES} --optimizer.schedule.rat 1", [RATE]),
        (
            f"train {FACES} --batch-size 8",
            ["--experiment.batches.people INT", "now 16", "--experiment.batches.images INT", "people × "],
        ),
        (
            f"train {FACES} --epochs 3",
            ["--steps INT (Batches to train on; now 250)", "counted in steps", "E · N / (images in a batch)"],
        ),
        (f"train {FACES} --step 3", ["--steps INT"]),
        (f"train {FACES} --wd 0", ["--optimizer.weight-decay FLOAT"]),
        (f"train {FACES} --momentum 0", ["--optimizer.b1 FLOAT", "running mean"]),
        (f"train {FACES} --num-workers 4", ["read ahead in threads"]),
        (f"train {FACES} --gpu 0", ["--mesh.data", "CUDA_VISIBLE_DEVICES=0"]),
        (f"train {FACES} --device cuda", ["JAX_PLATFORMS=cpu"]),
        (f"train {FACES} --output-dir x", ["--workdir DIR"]),
        (f"train {FACES} --random-seed 1", ["--seed INT"]),
        (f"train {FACES} --resume", ["--workdir DIR", "goes on from the newest checkpoint"]),
        (f"train {FACES} --image-size 8", ["--experiment.data.size INT (Pixels on a side; now 48)"]),
        (f"train {FACES} --margin 1", ["--experiment.loss.margin FLOAT", "now 0.2"]),
        (f"train {FACES} --embedding-size 8", ["--experiment.encoder.dimension INT (Length of the embedding"]),
        (f"train {FACES} --mixed-precision", ["--experiment.encoder.dtype {float32,bfloat16}"]),
        (f"train {FACES} --glass-probability 1", ["--experiment.data.glasses FLOAT (Probability of glasses"]),
        (f"train {FACES} --loss arcface", ["Which loss a run has is written in its config file", "--experiment.loss.margin"]),
        (f"train {FACES} --lr 1 --epochs 3", ["--lr. Perhaps", RATE, "--epochs. Perhaps", "--steps INT"]),
        (f"train {FACES} --xyzzy 1", ["does not know --xyzzy, and has nothing like it", f"`likeness train {FACES} --help`"]),
        (f"train {DETECTOR} --batch 4 --steps 0", ["does not know --batch.", "--experiment.batch INT"]),
        (f"train {DETECTOR} .", ["does not know what '.' is for", "Perhaps you mean --experiment.data.path .."]),
        (
            f"train {DETECTOR} --experiment.size 300 300 3",
            ["does not know what '3' is for: it is neither a flag nor the value"],
        ),
        (f"train {ANGLES} --margin 1", ["--experiment.loss.m2 FLOAT", "now 0.5"]),
        (f"train {SIGNALS} --batch-size 8", ["--experiment.batch INT (Examples in a batch; now 64)"]),
        (f"train {PAINTING} --lr 1", ["--optimizer.schedule.peak-lr FLOAT (Learning rate; now 0.01)"]),
        (f"train {PAINTING} --style-weight 1", ["--experiment.objective.beta FLOAT (Strength of the style"]),
        (f"train {QUASI_NEWTON} --learning-rate 1", ["--optimizer.rate FLOAT (Of the fixed search"]),
        (f"train {PAINTER} --batch-size 8", ["--experiment.batch-size INT"]),
        (f"sweep {FACES} --sweep seed=0,1", ["--over FIELD=VALUE,…"]),
        (
            f"sweep {FACES} --over learning_rate=1,2",
            ["no field 'learning_rate'", "mean optimizer.schedule.peak_lr (Learning rate"],
        ),
        (f"show {FACES} --image-size 8", ["--experiment.data.size INT"]),
        ("verify a.png b.png --threshold 1", ["does not know --threshold", "calibrated on validation people"]),
        ("verify --thresold 1 a.png b.png", ["does not know --thresold", "calibrated on validation people"]),
        ("verify a.png b.png --explain x.png", ["--why FILE"]),
        ("enroll add NAME a.png --database x", ["--gallery FILE"]),
        ("enroll folder x --skip-errors", ["--on-bad {refuse,skip}"]),
        ("weights fetch vgg19 --trust-code", ["has nothing like it"]),
        ("weights export vgg19 x.npz --trust_cod", ["--trust-code"]),
        ("stylize a.png b.png --output x.png", ["--out FILE"]),
        ("visualize --top-k 3", ["--k INT"]),
    ],
)
def test_the_words_people_use_find_the_flag(line: str, said: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shlex.split(line)) == 2
    text = capsys.readouterr().err
    for part in said:
        assert part in text
    assert text.startswith("likeness: ")
    assert len(text.splitlines()) == 1


def test_what_else_is_wrong_is_told_once_and_by_tyro(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", FACES, "--steps", "many"]) == 2
    told = capsys.readouterr().err
    assert told.count("Error parsing --steps") == 1
    assert run(["verify", "a.png"]) == 2
    assert "Another image. (required)" in capsys.readouterr().err


ASKED = sorted({name for synonym in SYNONYMS for name in synonym.names[:2]} | set(CHOSEN))


@functools.cache
def flags(config: str) -> tuple[Flag, ...]:
    kind = Annotated[tyro.conf.FlagConversionOff[Run], tyro.conf.arg(name="")]
    own = flags_of(parser_of(Options, "likeness train"), [])
    return (*own, *flags_of(parser_of(kind, "likeness train", default=load(config)), []))


@pytest.mark.parametrize("config", [FACES, ANGLES, SIGNALS, PAINTING, QUASI_NEWTON, PAINTER, "visualization/units"])
def test_what_is_suggested_is_accepted(config: str) -> None:
    """Each flag that any of the known words leads to, with the value that it has at present."""
    suggested = {}
    for asked in ASKED:
        found, _ = nearest("--" + asked.replace(" ", "-"), flags(config))
        assert len(found) <= MOST
        suggested |= {flag.name: flag for flag in found}
    arguments = []
    for flag in suggested.values():
        if flag.value == "none":
            # There is nothing to type.
            continue
        # A default that only help has is in words.
        value = ["x"] if flag.takes in ("DIR", "FILE") else shlex.split(flag.value)
        arguments += [flag.name, *(value if flag.takes else [])]
    _, _, changed = parse("train", Options, [config, *arguments])
    assert changed == load(config)
    assert len(suggested) > 10


def test_no_word_stands_twice() -> None:
    names = [name.replace(" ", "") for synonym in SYNONYMS for name in synonym.names]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice


@pytest.mark.slow
def test_every_field_of_the_table_is_one() -> None:
    """Of some config that comes along, or of some command."""
    there = {flag for config in shipped() for flag in flags(config)}
    for command in COMMANDS:
        options = importlib.import_module(f"likeness.experiments.commands.{command}").Options
        actions = ("", "add", "folder", "list", "rename", "remove", "fetch", "import", "export", "check")
        there |= {flag for action in actions for flag in flags_of(parser_of(options, command), [action])}
    paths = {flag.path for flag in there}
    ends = {".".join(path[-length:]) for path in paths for length in range(1, len(path) + 1)}
    named = {field for synonym in SYNONYMS for field in (*synonym.fields, *([synonym.wants] if synonym.wants else []))}
    nowhere = named - ends
    assert not nowhere
    assert set(CHOSEN.values()) <= {part for path in paths for part in path[:-1]}
