"""Many paintings by one command: which there are, what they are called, what is not painted again, and what goes wrong."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_style import PRESET

from likeness.experiments.commands.main import run
from likeness.experiments.commands.painted_folders import works

pytestmark = pytest.mark.end_to_end


def draw(path: str, seed: int, size: tuple[int, int] = (60, 40)) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3))
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("preset.py").write_text(PRESET)
    for number, path in enumerate(
        ("photos/a.png", "photos/b.jpg", "photos/below/a.png", "looks/x.png", "looks/y.png", "z.png")
    ):
        draw(path, number)


def painted(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.mark.slow
def test_a_folder_of_contents_is_painted_image_by_image_and_not_again(capsys):
    command = ["stylize", "z.png", "--contents", "photos", "--preset", "preset.py", "-o", "out", "--grid", "grid.png"]
    assert run(command) == 0
    said = capsys.readouterr()
    assert painted("out") == ["b.png", "below_a_3.png", "photos_a_1.png"]
    assert "3 to paint, in 3 directories" in said.err and "steps of 3 paintings" in said.err
    assert "below_a_3.png" in said.out and "mean" in said.out and "held_out/style/relative" in said.out
    with Image.open("grid.png") as grid:
        assert grid.height > 4 * 171 and grid.width > 2 * 256
    one = run(["stylize", "photos/b.jpg", "z.png", "--preset", "preset.py", "-o", "alone.png"])
    assert one == 0 and Path("alone.png").read_bytes() == Path("out/b.png").read_bytes()
    # Painted before, it is only written again; an image that is new is painted.
    first = Path("out/b.png").read_bytes()
    Path("out/b.png").unlink()
    draw("photos/c.png", 9)
    capsys.readouterr()
    assert run(command) == 0
    said = capsys.readouterr().err
    assert "1 to paint, 3 painted before" in said and "painting out/c.png" in said and "painting out/b.png" not in said
    assert Path("out/b.png").read_bytes() == first


@pytest.mark.slow
def test_images_of_one_shape_share_one_program(monkeypatch):
    from likeness.experiments.training.compilations import Recompilations

    counts = []
    monkeypatch.setattr(Recompilations, "watched", _counting(Recompilations.watched, counts))
    command = ["stylize", "z.png", "--contents", "photos/a.png", "photos/b.jpg", "photos/below/a.png", "--preset", "preset.py"]
    # Not as strong as in another test of this process, which would have compiled it.
    assert run([*command, "--strength", "1.375"]) == 0
    assert len(counts) == 9 and counts[0] > 0 and not any(counts[1:])


def _counting(whole, counts):
    import contextlib

    @contextlib.contextmanager
    def watched(self, step):
        before = self.total
        with whole(self, step):
            yield
        counts.append(self.total - before)

    return watched


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["photos/b.jpg", "looks"], ["b_x.png", "b_y.png"]),
        (["--contents", "photos/below", "looks"], ["a_x.png", "a_y.png"]),
        (["z.png", "looks/x.png", "--contents", "photos/a.png", "photos/b.jpg"], ["a.png", "b.png"]),
        (["--contents", "photos/below", "looks/x.png", "looks/y.png"], ["a.png"]),
        (["--contents", "photos/below"], ["a.png"]),
    ],
)
def test_contents_and_styles_are_told_apart(arguments, names):
    assert run(["stylize", *arguments, "--preset", "preset.py", "--steps", "1"]) == 0
    assert painted("stylized") == names


@pytest.mark.slow
def test_a_table_has_the_names_of_files_as_they_are(capsys):
    draw("photos/a[red].png", 7)
    assert run(["stylize", "z.png", "--contents", "photos/a[red].png", "--preset", "preset.py", "--steps", "1"]) == 0
    assert "a[red].png" in capsys.readouterr().out


def test_paintings_below_a_folder_of_styles_are_no_styles():
    draw("looks/painted/z_x.png", 8)
    assert [work.styles for work in works(("z.png",), ("looks",), Path("looks/painted"))] == [
        ("looks/x.png",),
        ("looks/y.png",),
    ]


def test_no_two_paintings_have_one_name():
    contents, looks = ["a", "a_b", "a_b_c_2"], ["b_c", "c", "c_2"]
    for number, name in enumerate((*contents, *looks)):
        draw(f"{'few' if name in contents else 'these'}/{name}.png", number)
    outs = [work.out.name for work in works(["few"], ["these"], Path("out"))]
    assert len(set(outs)) == 9
    # Where none comes again, a painting is called after its content and its style alone.
    assert outs[:2] == ["a_b_c.png", "a_c.png"]


@pytest.mark.slow
def test_an_image_that_cannot_be_painted_is_told_and_the_others_are_painted(capsys):
    Path("photos/b.jpg").write_bytes(Path("photos/b.jpg").read_bytes()[:300])
    assert run(["stylize", "--contents", "photos", "z.png", "--preset", "preset.py", "--steps", "1", "-o", "out"]) == 2
    assert "out/b.png is left out: The image photos/b.jpg cannot be used" in capsys.readouterr().err
    assert painted("out") == ["below_a_3.png", "photos_a_1.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photos/a.png", "photos/b.jpg", "z.png"], "lies beside the content: the first image is the content, and all others"),
        (["photos/a.png", "photos/a.png", "photos/b.jpg"], "say `likeness stylize photos/b.jpg --contents photos/a.png"),
        (["z.png", "--contents", "photos", "-o", "out.png"], "Several paintings go into a folder, and --out is out.png"),
        (["z.png", "--contents", "photos", "--film", "a.gif"], "--film is for one painting, and this paints several"),
        (["z.png", "--contents", "photos", "--grid", "a.jpg"], "--grid is a.jpg: a contact sheet is a .png"),
        (["z.png", "--contents", "photos", "-o", "photos"], "--out is photos, among the images of photos"),
        (["z.png", "--contents", "photos", "--grid", "photos/g.png"], "--grid is photos/g.png, among the images of photos"),
        (["z.png", "--contents", "photos/a.png", "-o", "photos"], "--out is photos/a.png, an image that is read"),
        (["z.png", "--contents", "photos", "--grid", "z.png"], "--grid is z.png, an image that is read"),
        (["z.png", "--contents", "photos", "--grid", "stylized/b.png"], "--out and --grid are both stylized/b.png"),
        (["photos/a.png", "z.png", "--grid", "a.png"], "--grid is a contact sheet of several paintings, and this is one"),
        (["looks", "z.png", "--contents", "photos"], "looks is a folder of styles, and others are given beside it"),
        (["--contents", "photos/a.png", "photos/b.jpg"], "no style stands before it"),
        (["photos", "z.png", "--init", "z.png"], "a folder, which is taken for the frames of a film: leave --init out"),
        (
            ["photos", "looks"],
            "a film is painted in one look: give style images, and no folder of them, or paint each image alone",
        ),
        (["photos", "z.png", "-o", "out.png"], "Several paintings go into a folder, and --out is out.png"),
        (["photos", "z.png", "-o", "preset.py"], "Several paintings go into a folder, and --out is preset.py"),
        (["photos/below", "z.png"], "holds one image, and a film has two frames or more"),
    ],
)
def test_what_was_meant_otherwise_is_explained_and_nothing_is_painted(arguments, message, capsys):
    assert run(["stylize", *arguments, "--preset", "preset.py"]) == 2
    assert message in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.slow
def test_styles_beside_the_content_are_mixed_where_it_is_said_how_much_each_counts():
    command = ["stylize", "photos/a.png", "photos/b.jpg", "z.png", "--preset", "preset.py", "--steps", "1"]
    assert run([*command, "--weights", "1", "2"]) == 0
