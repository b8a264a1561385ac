import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_style import PRESET

from likeness.experiments.commands.main import run
from likeness.experiments.commands.painted import load_preset, place
from likeness.experiments.style.exploration import Exploration
from likeness.experiments.training.interruption import Interrupted
from likeness.research.images.sources import ImageFile

pytestmark = pytest.mark.end_to_end


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("preset.py").write_text(PRESET)
    for name, color in (("content", (200, 30, 60)), ("style", (20, 90, 220)), ("other", (90, 200, 40))):
        noise = np.random.default_rng(0).integers(0, 36, (40, 60, 3))
        Image.fromarray((noise + np.array(color)).astype(np.uint8)).save(f"{name}.png")
    Image.new("L", (20, 20), 255).save("square.png")
    Path("cut.png").write_bytes(Path("style.png").read_bytes()[:900])
    Image.new("L", (30_000, 4)).save("wide.png")


@pytest.mark.slow
def test_paints_two_files_and_again_the_same_bits(capsys):
    command = ["stylize", "content.png", "style.png", "-o", "out/painted.png", "--preset", "preset.py", "--size", "48"]
    assert run(command) == 0
    first = Path("out/painted.png").read_bytes()
    with Image.open("out/painted.png") as image:
        assert image.size == (48, 32)
    printed = capsys.readouterr().out
    assert "image  out/painted.png" in printed
    assert "style/relative" in printed
    assert len(list(Path("runs/stylize").iterdir())) == 1
    assert run([*command, "--workdir", "elsewhere"]) == 0
    assert Path("out/painted.png").read_bytes() == first


@pytest.mark.slow
def test_another_image_of_the_same_name_and_size_is_painted_in_a_directory_of_its_own(capsys):
    command = ["stylize", "content.png", "style.png", "--preset", "preset.py"]
    assert run([*command, "-o", "1.png"]) == 0
    assert run([*command, "-o", "kept.png", "--workdir", "given", "--steps", "2"]) == 0
    Image.fromarray(np.random.default_rng(7).integers(0, 256, (40, 60, 3)).astype(np.uint8)).save("content.png")
    capsys.readouterr()
    assert run([*command, "-o", "2.png"]) == 0
    assert "going on from" not in capsys.readouterr().err
    assert Path("1.png").read_bytes() != Path("2.png").read_bytes()
    assert len(list(Path("runs/stylize").iterdir())) == 2
    # In a directory that was given it is refused, with advice that this command can follow.
    assert run([*command, "-o", "3.png", "--workdir", "given"]) == 2
    said = capsys.readouterr().err
    assert "content changed" in said and "--workdir" in said and "--fresh" not in said
    assert not Path("3.png").exists()


@pytest.mark.slow
def test_something_else_is_not_painted_on_in_a_directory_that_was_given(capsys):
    command = ["stylize", "content.png", "style.png", "--preset", "preset.py", "-o", "1.png", "--workdir", "given"]
    assert run([*command, "--steps", "2"]) == 0
    assert run([*command, "--steps", "3"]) == 0
    assert run([*command, "--steps", "4", "--strength", "2"]) == 2
    said = capsys.readouterr().err
    assert "holds a painting that something else was asked for (experiment.objective.beta" in said and "--fresh" not in said


@pytest.mark.slow
def test_equal_weights_are_no_weights():
    command = ["stylize", "content.png", "style.png", "other.png", "--preset", "preset.py"]
    for number, weights in enumerate(([], ["--weights", "1", "1"], ["--weights", "7", "7"])):
        assert run([*command, *weights, "-o", f"{number}.png", "--workdir", f"w{number}"]) == 0
    assert Path("0.png").read_bytes() == Path("1.png").read_bytes() == Path("2.png").read_bytes()


@pytest.mark.slow
def test_strength_and_seed_make_another_image_in_another_directory():
    for extra in ([], ["--strength", "9"]):
        assert run(["stylize", "-o", f"{len(extra)}.png", "--preset", "preset.py", *extra]) == 0
    assert Path("0.png").read_bytes() != Path("2.png").read_bytes()
    assert len(list(Path("runs/stylize").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.png"], "The image gone.png cannot be used: it cannot be opened (No such file or directory)."),
        (["preset.py"], "it is not a "),
        (["-o", "painted.psd"], "The image painted.psd has the suffix .psd, which names no format: call it .png"),
        (["-o", "."], "The image"),
        (["--strength", "-1"], "--strength is -1.0: give a finite number, 0 or more"),
        (["content.png", "style.png", "style.png", "--weights", "1"], "--weights has 1 values for 2 styles: give one for each"),
        (["--face", "1", "2"], "--face is for a preset that holds a portrait to its person"),
        (["--film", "film.mp4"], "--film is film.mp4: give a file that ends in .gif or .webp"),
        (["content.png", "style.png", "--mask", "square.png=style1"], "StyleImage.region square has the proportions"),
        (["content.png", "style.png", "--style-mask", "square.png"], "StyleImage.mask square has the proportions"),
        (["content.png", "style.png", "other.png", "--mask", "m.png=stile2"], "style1, style2, style, other. Perhaps you"),
        (
            ["content.png", "style.png", "other.png", "--mask", "m.png"],
            "--mask is m.png: give FILE=STYLE, where STYLE is one",
        ),
        (["content.png", "style.png", "--mask", "a.png", "b.png"], "--mask gives style1 two masks, a.png and b.png"),
        (["--style-layers", "relu1_2"], "no layer 'relu1_2'; nearest: "),
        (["--content-layers", "relu3_1"], "no layer 'relu3_1'; nearest: "),
        (["--style-weights", "1", "2"], "--style-weights has 2 numbers for 1 layers (relu1_1): give one for each"),
        (["--style-weights", "-1"], "--style-weights is -1.0: give finite numbers"),
        (["--content-weight", "nan"], "--content-weight is nan: give a finite number, 0 or more"),
        (["content.png", "cut.png"], "The image cut.png cannot be used: it is damaged"),
        (["wide.png"], "wide.png"),
        (["--model", "nowhere", "content.png"], "There is no working directory nowhere"),
        (["--tile", "1"], "A tile of 1 pixels is smaller than the stride of the deepest layer"),
        (["--size", "0"], "--size is 0: give 16 to 16384 pixels"),
        (["--style-scale", "0"], "--style-scale is 0.0: give a number above 0"),
        (["--steps", "0"], "--steps is 0: give 1 or more"),
        (["--tile", "0"], "--tile is 0: give the side of a tile in pixels, such as 512"),
        (["content.png", "style.png", "style.png", "--weights", "0", "0"], "have the weight 0, all of them"),
        (["content.png", "style.png", "style.png", "--weights", "1", "-1"], "StyleImage.weight is -1.0: give a finite"),
        (["content.png", "style.png", "style.png", "--weights", "1", "nan"], "StyleImage.weight is nan: give a finite"),
        (["--size", "3"], "--size is 3: give 16 to 16384 pixels"),
        (["--preset", "recognition/quickstart"], "is a Recognition, not a Stylization"),
    ],
)
def test_bad_input_is_explained_and_nothing_is_written(arguments, message, capsys):
    preset = [] if {"--preset", "--model"} & {*arguments} else ["--preset", "preset.py"]
    assert run(["stylize", *arguments, *preset]) == 2
    assert message in capsys.readouterr().err
    assert not Path("stylized.png").exists()
    assert not list(Path().glob("runs/stylize/*/checkpoints"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stylize", "content.png", "style.png", "-o", "content.png"], "--out is content.png, an image that is read"),
        (["stylize", "content.png", "style.png", "-o", "./style.png"], "--out is style.png, an image that is read"),
        (["stylize", "content.png", "style.png", "--mask", "square.png=style1", "-o", "square.png"], "--out is square.png"),
        (["stylize", "content.png", "style.png", "--init", "other.png", "-o", "other.png"], "--out is other.png"),
        (["stylize", "content.png", "-o", "a.webp", "--film", "a.webp"], "--out and --film are both a.webp: give each a file"),
        (["textures", "style.png", "-o", "style.png"], "--out is style.png"),
        (["reconstruct", "content.png", "-o", "content.png"], "--out is content.png"),
    ],
)
def test_an_image_that_is_read_is_not_written_over(arguments, message, capsys):
    before = {path: path.read_bytes() for path in Path().glob("*.png")}
    assert run([*arguments, "--preset", "preset.py"]) == 2
    assert message in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path().glob("*.png")} == before and not Path("runs").exists()


def test_images_with_the_longest_names_have_a_directory():
    long, letters = "l" * 240, "\u65e5" * 80
    for name in (long, letters):
        Path(f"{name}.png").write_bytes(Path("content.png").read_bytes())
        preset = load_preset("preset.py")
        experiment = dataclasses.replace(preset[1], content=ImageFile(path=f"{name}.png"))
        where = place(dataclasses.replace(preset[0], experiment=experiment), experiment, None, "stylize", f"{name}_style")
        where.with_name(f"{where.name}_100_steps").mkdir(parents=True)
        assert where.name.startswith(name[:60])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["L", "LA", "RGBA", "I;16", "P"])
def test_images_of_every_kind_are_painted_and_transparency_is_kept(kind):
    gray = np.random.default_rng(1).integers(0, 256, (40, 60)).astype(np.uint8)
    image = Image.fromarray(gray.astype(np.uint16) * 257) if kind == "I;16" else Image.fromarray(gray).convert(kind)
    if "A" in kind:
        image.putalpha(Image.fromarray(gray))
    image.save("own.png")
    assert run(["stylize", "own.png", "style.png", "-o", "painted.png", "--preset", "preset.py"]) == 0
    with Image.open("painted.png") as painted:
        assert painted.size == (32, 21)
        assert painted.mode == ("RGBA" if "A" in kind else "RGB")


@pytest.mark.slow
def test_several_styles_regions_colors_and_tiles_in_one_command():
    half = np.zeros((40, 60), np.uint8)
    half[:, :30] = 255
    for name, mask in (("left.png", half), ("right.png", 255 - half)):
        Image.fromarray(mask).save(name)
    command = ["stylize", "content.png", "style.png", "content.png", "--preset", "preset.py", "--weights", "1", "0.5"]
    extra = [
        "--mask",
        "left.png=style1",
        "right.png=content",
        "--colors",
        "luminance",
        "--style-scale",
        "1.5",
        "-o",
        "painted.png",
    ]
    assert run([*command, *extra, "--workdir", "whole"]) == 0
    whole = np.asarray(Image.open("painted.png")).astype(int)
    assert run([*command, *extra, "--tile", "16", "--workdir", "tiled"]) == 0
    tiled = np.asarray(Image.open("painted.png")).astype(int)
    assert np.abs(whole - tiled).max() <= 1


@pytest.mark.slow
def test_a_much_larger_image_is_painted_in_scales(capsys):
    assert run(["stylize", "--preset", "preset.py", "--size", "128", "-o", "large.png"]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("painting china")]
    assert [line.split("(")[1].split(" ")[0] for line in lines] == ["32", "64", "128"]


@pytest.mark.slow
def test_a_film_shows_how_it_came_about_and_live_keeps_the_image_up_to_date(monkeypatch):
    from likeness.experiments.commands import painted

    written = []
    whole = painted.write_image
    monkeypatch.setattr(
        painted, "write_image", lambda out, *given, **more: (written.append(str(out)), whole(out, *given, **more))
    )
    command = [
        "stylize",
        "-o",
        "painted.png",
        "--preset",
        "preset.py",
        "--size",
        "48",
        "--steps",
        "3",
        "--film",
        "film.gif",
        "--live",
    ]
    assert run(command) == 0
    # Once to see that it can be written, after each of three steps, and at the end.
    assert written == ["painted.png"] * 5
    with Image.open("film.gif") as film, Image.open("painted.png") as image:
        assert film.n_frames == 3
        assert film.size == image.size


def test_the_first_line_comes_before_the_libraries_that_take_seconds():
    """Typed as a person would: whatever is imported later, JAX is not there yet."""
    told = "likeness.experiments.commands.stylize.say_first"
    code = (
        f"import sys; from unittest import mock; from likeness.experiments.commands.main import run\n"
        f"def first(text): print(text, 'jax' in sys.modules); sys.exit(0)\n"
        f"import likeness.experiments.commands.stylize\n"
        f"with mock.patch('{told}', first): run(['stylize', 'content.png', 'style.png'])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("painting content.png in the look of style.png by stylization/quickstart") and "False" in said


@pytest.mark.slow
def test_the_first_steps_are_told_and_the_image_is_there_before_it_is_evaluated(capsys, monkeypatch):
    from likeness.experiments.style import Stylization

    seen = []
    whole = Stylization.evaluate
    monkeypatch.setattr(Stylization, "evaluate", lambda *given: (seen.append(Path("painted.png").exists()), whole(*given))[1])
    assert run(["stylize", "-o", "painted.png", "--preset", "preset.py", "--steps", "7"]) == 0
    assert seen == [True]
    steps = [line.split(" of ")[0] for line in capsys.readouterr().err.splitlines() if line.startswith("step ")]
    assert steps == ["step 1", "step 2", "step 5", "step 7"]


@pytest.mark.slow
def test_to_watch_changes_neither_the_directory_nor_a_pixel_nor_a_line_of_the_log():
    command = ["stylize", "--preset", "preset.py", "--steps", "6", "-o"]
    assert run([*command, "plain.png", "--workdir", "plain"]) == 0
    assert run([*command, "watched.png", "--live", "--film", "film.gif"]) == 0
    assert Path("plain.png").read_bytes() == Path("watched.png").read_bytes()
    (made,) = Path("runs/stylize").iterdir()
    assert (made / "metrics.jsonl").read_bytes() == Path("plain/metrics.jsonl").read_bytes()
    # Done, it is not painted again, whether anybody watches or not.
    for extra in ([], ["--live"], ["--film", "again.gif"]):
        assert run([*command, "again.png", *extra]) == 0
        assert Path("again.png").read_bytes() == Path("plain.png").read_bytes()
    assert [path.name for path in Path("runs/stylize").iterdir()] == [made.name]
    assert Path("again.gif").read_bytes() == Path("film.gif").read_bytes()


@pytest.mark.slow
def test_a_film_of_a_painting_that_is_done_needs_images_on_the_way(capsys):
    command = ["stylize", "--preset", "preset.py", "-o", "painted.png"]
    assert run(command) == 0
    assert run([*command, "--film", "film.gif"]) == 2
    assert "were not kept: to have a film, let it be painted again in another --workdir" in capsys.readouterr().err
    assert not Path("film.gif").exists()
    assert run([*command, "--film", "film.gif", "--workdir", "again"]) == 0


@pytest.mark.slow
def test_more_steps_go_on_from_what_is_there_and_fewer_are_painted_beside_it(capsys):
    command = ["stylize", "--preset", "preset.py", "-o"]
    assert run([*command, "at_once.png", "--steps", "6", "--workdir", "at_once"]) == 0
    assert run([*command, "3.png", "--steps", "3"]) == 0
    capsys.readouterr()
    assert run([*command, "6.png", "--steps", "6"]) == 0
    assert "going on from step 3" in capsys.readouterr().err
    (made,) = Path("runs/stylize").iterdir()
    # The preset's learning rate is the same throughout.
    assert Path("6.png").read_bytes() == Path("at_once.png").read_bytes()
    assert run([*command, "again.png", "--steps", "3"]) == 0
    assert Path("again.png").read_bytes() == Path("3.png").read_bytes()
    assert sorted(path.name for path in Path("runs/stylize").iterdir()) == [made.name, f"{made.name}_3_steps"]


@pytest.mark.slow
def test_a_painting_begins_with_an_image_of_ones_own(capsys):
    Image.new("RGB", (90, 60), (0, 255, 0)).save("green.png")
    command = ["stylize", "content.png", "style.png", "--preset", "preset.py", "--steps", "1", "-o"]
    assert run([*command, "plain.png"]) == 0
    assert run([*command, "begun.png", "--init", "green.png"]) == 0
    assert np.asarray(Image.open("begun.png"))[..., 1].min() > 200
    assert len(list(Path("runs/stylize").iterdir())) == 2
    assert run([*command, "none.png", "--init", "gone.png"]) == 2
    assert "The image gone.png cannot be used" in capsys.readouterr().err
    assert run(["textures", "style.png", "--preset", "preset.py", "--steps", "1", "--init", "green.png", "-o", "t.png"]) == 0
    assert np.asarray(Image.open("t.png"))[..., 1].min() > 200


@pytest.mark.slow
def test_layers_and_weights_of_ones_own_and_equal_weights_are_no_weights():
    command = ["stylize", "content.png", "style.png", "--preset", "preset.py", "--style-layers", "relu1_1", "relu2_1"]
    weights = {"none": [], "alike": ["3", "3"], "first": ["1", "0"]}
    for name, given in weights.items():
        flag = ["--style-weights", *given] if given else []
        assert run([*command, *flag, "-o", f"{name}.png", "--workdir", name]) == 0
    assert run(["stylize", "content.png", "style.png", "--preset", "preset.py", "-o", "plain.png"]) == 0
    painted = {name: Path(f"{name}.png").read_bytes() for name in (*weights, "plain")}
    assert painted["none"] == painted["alike"] != painted["first"] == painted["plain"]


@pytest.mark.slow
def test_the_content_counts_as_much_as_is_asked():
    command = ["stylize", "content.png", "style.png", "--preset", "preset.py", "--content-layers", "relu1_1", "--steps", "9"]
    errors = {}
    for weight in ("0.001", "1000"):
        assert run([*command, "--content-weight", weight, "--tv", "0", "--workdir", weight]) == 0
        errors[weight] = json.loads(Path(weight, "summary.json").read_text())["metrics"]["content/relative"]
    assert errors["1000"] < 0.1 * errors["0.001"]


@pytest.mark.slow
def test_a_style_applies_where_its_mask_is_and_softly_where_that_is_gray():
    ramp = np.tile(np.linspace(0, 255, 60), (40, 1)).astype(np.uint8)
    Image.fromarray(ramp).save("soft.png")
    Image.fromarray(np.where(ramp > 127, 255, 0).astype(np.uint8)).save("hard.png")
    command = ["stylize", "content.png", "style.png", "--preset", "preset.py", "--content-weight", "0", "--steps", "9"]
    # Not so large that it is painted smaller first.
    command += ["--tv", "0", "--size", "42"]
    content = np.round(255 * ImageFile(path="content.png").open(42))
    changed = {}
    for mask in ("soft", "hard"):
        assert run([*command, "--mask", f"{mask}.png=style1", "-o", f"{mask}_painted.png"]) == 0
        change = np.abs(np.asarray(Image.open(f"{mask}_painted.png")) - content)
        changed[mask] = [change[:, columns].mean() for columns in (slice(0, 14), slice(28, 42))]
    assert changed["hard"][0] == 0 < changed["soft"][0] and min(changed["hard"][1], changed["soft"][1]) > 5


@pytest.mark.slow
def test_only_what_a_mask_leaves_of_the_style_counts():
    half = np.zeros((40, 60, 3), np.uint8)
    half[:, :30], half[:, 30:] = (255, 0, 0), (0, 0, 255)
    Image.fromarray(half).save("two.png")
    Image.fromarray(half[..., 0]).save("red.png")
    command = ["textures", "two.png", "--preset", "preset.py", "--steps", "30", "--size", "48", "--style-mask", "red.png", "-o"]
    assert run([*command, "red_only.png"]) == 0
    assert run([*command[:-3], "-o", "both.png"]) == 0
    red, both = (np.asarray(Image.open(name)).astype(int) for name in ("red_only.png", "both.png"))
    assert (red[..., 0] - red[..., 2]).mean() > 40 + (both[..., 0] - both[..., 2]).mean()


@pytest.mark.slow
def test_a_tile_that_memory_asks_for_is_another_way_and_no_other_painting(capsys, monkeypatch):
    from likeness.experiments.style import memory

    command = ["stylize", "--preset", "preset.py", "--steps", "2", "-o"]
    assert run([*command, "whole.png"]) == 0
    monkeypatch.setattr(memory, "free", lambda: 1)
    monkeypatch.setattr(memory, "TILE", 16)
    capsys.readouterr()
    assert run([*command, "again.png"]) == 0
    assert "it is read in tiles of 16 pixels" in capsys.readouterr().err
    assert len(list(Path("runs/stylize").iterdir())) == 1
    assert Path("again.png").read_bytes() == Path("whole.png").read_bytes()


@pytest.mark.slow
def test_sixteen_strengths_are_explained_on_a_page_and_painted_once(capsys, monkeypatch):
    monkeypatch.setenv("LIKENESS_DATA", "nowhere")
    command = ["stylize", "content.png", "style.png", "-o", "out.png", "--preset", "preset.py", "--size", "32", "--steps", "1"]
    assert run([*command, "--explore", "page.html"]) == 0
    assert "page   page.html" in capsys.readouterr().out
    page = Path("page.html").read_bytes()
    assert len(page) < 10_000_000
    assert "0.0625 × the strength asked for, beta 0.0625".encode() in page.replace(b"&#39;", b"'")
    painted = sorted(Path("runs/stylize").glob("*/summary.json"))
    assert len(painted) == 16
    before = [path.stat().st_mtime_ns for path in painted if "x_" in str(path)]
    assert run([*command, "--explore", "again.html"]) == 0
    assert [path.stat().st_mtime_ns for path in painted if "x_" in str(path)] == before


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Interrupted("Stopped by SIGTERM at step 1 of 2.")])
def test_who_stops_an_exploration_hears_that_there_is_no_page_yet(stop, capsys, monkeypatch):
    def stopped(exploration, run, place):
        raise stop

    monkeypatch.setattr(Exploration, "__call__", stopped)
    monkeypatch.setattr("likeness.experiments.commands.painted.paint", lambda *arguments, **flags: 0)
    command = ["stylize", "content.png", "style.png", "-o", "out.png", "--preset", "preset.py"]
    assert run([*command, "--explore", "page.html"]) == 75
    said = capsys.readouterr().err
    assert str(stop) in said and "page page.html" in said
    assert not Path("page.html").exists()


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--explore", "page.png"], "ends in .html"),
        (["--explore", "page.html", "--strength", "0"], "strength of the style is 0"),
        (["--explore", "page.html", "--tile", "16"], "is read in tiles of 16: leave --tile out"),
        (["--explore", "page.html", "--contents", "content.png", "other.png"], "--explore is for one painting"),
    ],
)
def test_what_cannot_be_explored_is_refused_before_it_is_painted(capsys, flags, why):
    command = ["stylize", "style.png"] if "--contents" in flags else ["stylize", "content.png", "style.png"]
    assert run([*command, "--preset", "preset.py", *flags]) == 2
    assert why in capsys.readouterr().err
    assert not Path("runs").exists()
