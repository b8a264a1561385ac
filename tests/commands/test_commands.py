"""Every command as a person meets it: what it prints, what it writes, and its exit code."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from small_world import Likeness, World, contents

from likeness.experiments.commands.main import COMMANDS
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.experiments.training.evaluation import read_run, restore

pytestmark = pytest.mark.end_to_end


@pytest.mark.slow
def test_training_leaves_what_the_design_says(world: World) -> None:
    files = {path.name for path in world.workdir.iterdir()}
    assert {"config.json", "provenance.json", "metrics.jsonl", "summary.json", "checkpoints", "figures"} <= files
    lines = [json.loads(line) for line in (world.workdir / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["split"] == "train"] == [8, 16, 24, 32, 40]
    summary = json.loads((world.workdir / "summary.json").read_text())
    assert {"value", "low", "high", "n"} <= summary["metrics"]["verification/eer"].keys()
    assert {path.name for path in (world.workdir / "figures").iterdir()} >= {
        "roc.png",
        "distances.png",
        "mistakes.png",
        "curves.png",
    }


@pytest.mark.slow
def test_training_again_goes_on_and_fresh_starts_over(workdir: Path, world: World, likeness: Likeness) -> None:
    said = likeness("train", world.config, "--workdir", workdir)
    assert said.code == 0
    assert "going on from step 40" in said.err
    assert "verification/eer" in said.out
    assert f"summary  {workdir / 'summary.json'}" in said.out
    pair = f"{workdir}/figures/mistakes/different_1_a.png {workdir}/figures/mistakes/different_1_b.png"
    assert f"next:    likeness verify {pair} --why why.png --model {workdir}" in said.out
    before = contents(workdir)
    said = likeness("train", world.config, "--workdir", workdir, "--fresh", "--steps", "2")
    assert said.code == 0
    assert contents(workdir) == before
    assert json.loads(workdir.with_name("run-2").joinpath("config.json").read_text())["steps"] == 2


@pytest.mark.slow
def test_evaluate_gives_the_same_numbers(workdir: Path, likeness: Likeness) -> None:
    before = json.loads((workdir / "summary.json").read_text())
    said = likeness("evaluate", workdir)
    assert said.code == 0
    assert "identification/rank1" in said.out
    assert json.loads((workdir / "summary.json").read_text()) == before
    told = json.loads(likeness("evaluate", workdir, "--json").out)
    assert told["metrics"] == before["metrics"] and told["summary"] == f"{workdir}/summary.json"
    assert likeness("evaluate", workdir, "--json", "--follow").code == 2


@pytest.mark.slow
def test_two_runs_are_compared_by_the_same_people(workdir: Path, world: World, likeness: Likeness, tmp_path: Path) -> None:
    other, elsewhere = tmp_path / "other", tmp_path / "elsewhere"
    assert likeness("train", world.config, "--workdir", other, "--steps", "4", "--seed", "1").code == 0
    summary = (workdir / "summary.json").read_bytes()
    said = likeness("evaluate", workdir, "--against", other)
    assert said.code == 0 and (workdir / "summary.json").read_bytes() == summary
    assert re.search(r"the first less the second: [+-]\d+\.\d\d points \[", said.out)
    told = json.loads(likeness("evaluate", workdir, "--against", other, "--json").out)
    for side, place in (("first", workdir), ("second", other)):
        trained = json.loads((place / "summary.json").read_text())["metrics"]["verification/eer"]["value"]
        assert told[side] == pytest.approx(trained, abs=1e-9)
    assert told["low"] <= told["difference"] <= told["high"] and told["notes"]
    split = ("--experiment.split.seed", "5")
    assert likeness("train", world.config, "--workdir", elsewhere, "--steps", "4", *split).code == 0
    said = likeness("evaluate", workdir, "--against", elsewhere)
    assert said.code == 2 and "different images" in said.err
    assert likeness("evaluate", workdir, "--against", tmp_path / "nowhere").code == 2
    assert likeness("evaluate", workdir, "--against", other, "--follow").code == 2


def test_configs_lists_the_shipped_ones_in_their_own_words(likeness: Likeness) -> None:
    said = likeness("configs")
    assert said.code == 0
    assert re.search(r"^recognition/quickstart +The demo: learns to tell procedural faces apart", said.out, re.MULTILINE)


@pytest.mark.slow
def test_show_tells_fields_parameters_and_cost(world: World, likeness: Likeness) -> None:
    said = likeness("show", world.config)
    assert said.code == 0
    assert '"margin": 0.3' in said.out
    assert "encoder/conv1" in said.out
    assert "2,536" in said.out
    assert "GFLOP" in said.out
    assert "peak memory of a step" in said.out
    said = likeness("show", world.config, "--no-compile", "--experiment.loss.margin", "0.5")
    assert '"margin": 0.5' in said.out
    assert "GFLOP" not in said.out


def test_doctor_tells_what_to_do(likeness: Likeness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIKENESS_DATA", str(tmp_path / "nowhere"))
    said = likeness("doctor")
    assert said.code == 0
    for name in ("python", "jax", "devices", "compile cache", "free disk"):
        assert name in said.out
    assert "which is not a folder: correct it" in said.out
    monkeypatch.setenv("LIKENESS_DATA", "")
    assert "LIKENESS_DATA is not set: configs of real data" in likeness("doctor").out
    monkeypatch.setenv("LIKENESS_DATA", str(tmp_path))
    said = likeness("doctor")
    assert f"{tmp_path}, an empty folder" in said.out and "Nothing is missing" not in said.out
    (tmp_path / "orl_faces").mkdir()
    assert f"{tmp_path}: orl_faces" in likeness("doctor").out
    told = json.loads(likeness("doctor", "--json").out)
    assert told["found"]["data"] == f"{tmp_path}: orl_faces" and "cpu cores" in told["found"]
    assert all(isinstance(sentence, str) for sentence in told["advice"])


def test_verify_says_same_or_different_with_the_error_rate(world: World, likeness: Likeness) -> None:
    ada, bob = world.strangers / "ada", world.strangers / "bob"
    said = likeness("verify", ada / "0.png", ada / "1.png", "--model", world.workdir)
    assert said.code == 0
    assert said.out.startswith("same: distance ")
    assert "false accepts at this τ" in said.out
    assert f"measured on the 6 validation people of Folder {world.people}, for whom τ was chosen." in said.out
    said = likeness("verify", "--model", world.workdir, ada / "0.png", bob / "0.png")
    assert said.code == 0
    assert said.out.startswith("different: distance ")


@pytest.mark.slow
def test_a_person_enrolled_by_one_image_is_known_by_another(workdir: Path, world: World, likeness: Likeness) -> None:
    """F4: enrolment is no training: the parameters stay as they are, to the bit."""
    before = contents(workdir)
    _, parameters = restore(workdir, read_run(workdir))
    for name in ("ada", "bob"):
        assert likeness("enroll", "add", name, world.strangers / name / "0.png", "--model", workdir).code == 0
    assert contents(workdir).keys() - before.keys() == {"gallery.sqlite"}
    assert before.items() <= contents(workdir).items()
    _, after = restore(workdir, read_run(workdir))
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((np.asarray(a) == np.asarray(b)).all()), parameters, after))
    images = [world.strangers / name / "1.png" for name in ("ada", "bob")]
    said = likeness("identify", *images, "--model", workdir)
    assert said.code == 0
    *answers, rates, measured_on = said.out.splitlines()
    assert "6 validation people" in measured_on
    # What holds for every answer is said once.
    assert rates.startswith("For each of them: τ ") and "a stranger among 2 people" in rates
    for line, image, name in zip(answers, images, ("ada", "bob"), strict=True):
        assert line.startswith(f"{image}: {name}: nearest is {name} at distance ") and "; τ" not in line


@pytest.mark.slow
def test_an_image_that_is_enrolled_is_said_to_be_and_under_two_names_is_a_tie(
    workdir: Path, world: World, likeness: Likeness
) -> None:
    where = ("--model", workdir)
    image, copy = world.strangers / "ada" / "0.png", workdir / "copy.png"
    copy.write_bytes(image.read_bytes())
    assert likeness("enroll", "add", "Ada", image, *where).code == 0
    said = likeness("identify", copy, *where)
    assert said.out.startswith(f"{copy}: Ada: nearest is Ada at distance 0")
    assert "; this very image is enrolled as Ada; τ " in said.out
    said = likeness("enroll", "add", "Bob", copy, *where)
    assert f"warning: {copy} is also enrolled as Ada" in said.out
    said = likeness("identify", image, *where)
    assert said.out.startswith(f"{image}: Ada or Bob: a tie, all of them are at distance 0")
    assert "; this very image is enrolled as Ada and as Bob; τ " in said.out
    assert "this very image" not in likeness("identify", world.strangers / "ada" / "1.png", *where).out


def test_the_gallery_decides_as_comparing_images_would(world: World, tmp_path: Path) -> None:
    """F13: codes computed once at enrolment give the decisions and distances of encoding both images each time."""
    recognizer = Recognizer.load(world.workdir)
    enrolled = {name: [world.strangers / name / "0.png"] for name in ("ada", "bob", "cyd")}
    recognizer.enroll(tmp_path / "gallery.sqlite", enrolled)
    probes = [world.strangers / name / f"{index}.png" for name in enrolled for index in (1, 2)]
    with recognizer.gallery(tmp_path / "gallery.sqlite") as gallery:
        answers = recognizer.identify(gallery, probes)
    for probe, answer in zip(probes, answers, strict=True):
        both = {name: recognizer.verify(probe, images[0]) for name, images in enrolled.items()}
        nearest = min(both, key=lambda name: both[name].distance)
        assert answer.nearest.name == nearest
        assert answer.distance == pytest.approx(both[nearest].distance, abs=1e-5)
        assert answer.name == (nearest if both[nearest].same else None)


def test_enrolling_listing_renaming_and_removing(workdir: Path, world: World, likeness: Likeness) -> None:
    ada, where = world.strangers / "ada", ("--model", workdir)
    said = likeness("enroll", "add", "Ada Lovelace", ada / "0.png", ada / "1.png", *where)
    assert (said.code, said.out) == (
        0,
        f"enrolled Ada Lovelace with 2 images\n1 person in {workdir / 'gallery.sqlite'}\n",
    )
    said = likeness("enroll", *where, "folder", world.strangers)
    assert "enrolled bob with 3 images" in said.out
    assert f"warning: {ada / '0.png'} is also enrolled as Ada Lovelace" in said.out
    assert f"{ada / '1.png'} was enrolled before: skipped" in likeness("enroll", "add", "ada", ada / "1.png", *where).out
    assert likeness("enroll", "rename", "bob", "Bob", *where).out.startswith("bob is now Bob\n")
    assert likeness("enroll", "remove", "ada", *where).out.startswith("removed ada with 3 images\n")
    said = likeness("enroll", "list", *where)
    assert said.out.splitlines()[:3] == ["Ada Lovelace  2 images", "Bob  3 images", "cyd  3 images"]
    said = likeness("enroll", "rename", "nobody", "somebody", *where)
    assert (said.code, said.out) == (2, "")
    assert "nobody is enrolled as nobody" in said.err


def test_a_gallery_of_ones_own(world: World, likeness: Likeness, tmp_path: Path) -> None:
    where = ("--model", world.workdir, "--gallery", tmp_path / "deep" / "people.sqlite")
    assert likeness("enroll", "add", "Ada", world.strangers / "ada" / "0.png", *where).code == 0
    assert ": Ada: nearest is Ada" in likeness("identify", world.strangers / "ada" / "0.png", *where).out
    assert not (world.workdir / "gallery.sqlite").exists()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_command_has_help(likeness: Likeness, command: str) -> None:
    said = likeness(command, "--help")
    assert said.code == 0
    assert said.out.startswith(f"usage: likeness {command}")
    assert not said.err
    # What is optional is told in words, and not by Python's own.
    assert "{None}" not in said.out


@pytest.mark.parametrize("action", ["add", "folder", "list", "rename", "replace", "remove", "history", "export"])
def test_each_action_of_enroll_has_help(likeness: Likeness, action: str) -> None:
    said = likeness("enroll", action, "--help")
    assert said.code == 0
    assert "--model NAME|FILE|DIR" in said.out
    assert "--gallery FILE" in said.out


def test_the_fields_of_a_config_have_help(world: World, likeness: Likeness) -> None:
    said = likeness("train", world.config, "--help")
    assert said.code == 0
    for flag in (
        "--workdir DIR",
        "--fresh",
        "--steps INT",
        "--experiment.loss.margin FLOAT",
        "--optimizer.schedule.peak-lr FLOAT",
    ):
        assert flag in said.out


def test_no_command_and_a_misspelt_command(likeness: Likeness) -> None:
    assert likeness().code == 2
    said = likeness("trian")
    assert said.code == 2
    assert "did you mean 'train'?" in said.err
    assert likeness("--help").code == 0


def test_a_trace_is_shown_when_asked_for(world: World, likeness: Likeness, tmp_path: Path) -> None:
    command = ("verify", tmp_path / "a.jpg", tmp_path / "b.jpg", "--model", world.workdir)
    assert "Traceback" not in likeness(*command).err
    said = likeness(*command, "--traceback")
    assert said.code == 2
    assert "Traceback" in said.err


def test_help_does_not_wait_for_jax() -> None:
    code = (
        "import sys; from likeness.experiments.commands.main import run; run(['enroll', 'add', '--help']); "
        "print('jax' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "False"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_says_how_to_go_on(world: World, likeness: Likeness, tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end with a checkpoint, one paragraph and code 75, "try again later"."""
    made = tmp_path / "run"

    def stop() -> None:
        # A line of the log is written when the loop, which handles the signal, has begun.
        while not (made / "metrics.jsonl").exists() or not (made / "metrics.jsonl").stat().st_size:
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    threading.Thread(target=stop, daemon=True).start()
    said = likeness("train", world.config, "--workdir", made, "--steps", "1000000", "--log-every", "1")
    assert said.code == 75
    last = said.err.strip().splitlines()[-1]
    assert last.startswith(f"likeness: Stopped by {number.name} at step ")
    assert "the same command goes on from there" in last
    assert [path for path in (made / "checkpoints").iterdir() if path.name.isdigit()]


def test_an_interrupted_command_is_no_trace(world: World, likeness: Likeness, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(path: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Recognizer, "load", interrupt)
    image = world.strangers / "ada" / "0.png"
    said = likeness("verify", image, image, "--model", world.workdir)
    assert (said.code, said.err) == (130, "likeness: interrupted.\n")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = [sys.executable, "-m", "likeness.experiments.commands.main", "configs"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_output_that_does_not_fit_is_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "likeness.experiments.commands.main", "configs"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("likeness: Cannot use the standard output: No space left on device.")
    assert done.stderr.count("\n") == 1


def test_show_tells_images_from_the_boxes_beside_them() -> None:
    """Boxes (b, m, 4) have as many axes as signals (b, t, c)."""
    from likeness.experiments.commands.show import _image

    batch = {"boxes": np.zeros((2, 5, 4)), "images": np.zeros((2, 8, 9, 3))}
    assert _image(batch) == (8, 9, 3)
    assert _image({"labels": np.zeros(2), "values": np.zeros((2, 512, 1))}) == (512, 1)
