"""The benchmark of ways to paint: what is painted once, what is compared, and what is said."""

import dataclasses
import shutil

import numpy as np
import pytest
from objectives import with_objective

from likeness.experiments.benchmarks import paintings
from likeness.experiments.benchmarks.paintings import (
    Benchmark,
    Method,
    Painted,
    compared,
    images,
    method,
    painted,
    scores,
    table,
    told_apart,
)
from likeness.experiments.frozen import FrozenEncoder
from likeness.experiments.run import Run
from likeness.experiments.style import Pyramid, StyleImage, Stylization
from likeness.experiments.style.art_fid import ArtFID, ArtFIDScore
from likeness.experiments.style.evaluator import StyleEvaluator
from likeness.experiments.style.perceptual import Perceptual
from likeness.experiments.style.terms import Term
from likeness.research.encoders import Vgg
from likeness.research.errors import UserError
from likeness.research.images import write_image
from likeness.research.images.sources import ImageFile, Photograph
from likeness.research.losses import Content, Gram

TINY = FrozenEncoder(encoder=Vgg(convolutions=(1, 1), widths=(4, 6), preprocessing="torchvision"))
EVALUATOR = StyleEvaluator(encoder=TINY, content=("relu2_1",), style=("relu1_1",))


def small(loss=None) -> Run:
    """A method with a pyramid, as no grid can have one."""
    experiment = with_objective(
        Stylization,
        content=Photograph(name="china"),
        styles=(StyleImage(image=Photograph(name="flower")),),
        encoder=TINY,
        evaluator=EVALUATOR,
        content_terms=(Term(loss=Content(layers=("relu2_1",))),),
        style_terms=(Term(loss=loss or Gram(layers=("relu1_1",))),),
        image_terms=(),
        pyramid=Pyramid(smallest=24),
    )
    return Run(experiment=experiment, steps=2)


@pytest.fixture
def folders(tmp_path) -> tuple[str, str]:
    draw = np.random.default_rng(0)
    for folder, names in (("contents", ("a", "b")), ("styles", ("x", "y"))):
        (tmp_path / folder).mkdir()
        for name in names:
            write_image(tmp_path / folder / f"{name}.png", draw.uniform(size=(40, 64, 3)).astype(np.float32))
    return str(tmp_path / "contents"), str(tmp_path / "styles")


@pytest.mark.slow
@pytest.mark.end_to_end
def test_every_pair_is_painted_by_every_method_and_only_once(folders, tmp_path, monkeypatch, capsys):
    known = {"one": Method("one", small()), "other": Method("other", small(Gram(layers=("relu2_1",))), style="y")}
    monkeypatch.setattr(paintings, "method", known.__getitem__)
    monkeypatch.setattr(paintings, "evaluator", lambda options: EVALUATOR)
    options = Benchmark(contents=folders[0], styles=folders[1], methods=("one", "other"), size=48)
    works, contents, styles = painted(options, tmp_path / "out")
    assert [(w.method, w.content, w.style) for w in works] == [
        *[("one", content, style) for content in "ab" for style in "xy"],
        *[("other", content, "y") for content in "ab"],
    ]
    assert {w.pixels.shape for w in works} == {(32, 48, 3)}
    assert "3 of 6: one, b in x; about" in capsys.readouterr().out
    text = table(works)
    assert "held_out/style/relative" in text and "other is" in text
    paintings.draw_sheet(works, contents, styles, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000

    def none(*given, **more):
        raise AssertionError("painted again")

    monkeypatch.setattr(paintings, "train", none)
    again, _, _ = painted(options, tmp_path / "out")
    assert [dict(w.metrics) for w in again] == [dict(w.metrics) for w in works]
    shutil.copytree(tmp_path / "styles", tmp_path / "moved")
    moved, _, _ = painted(dataclasses.replace(options, styles=str(tmp_path / "moved")), tmp_path / "out")
    assert [dict(w.metrics) for w in moved] == [dict(w.metrics) for w in works]
    with pytest.raises(AssertionError, match="painted again"):
        painted(dataclasses.replace(options, steps=3), tmp_path / "out")
    write_image(tmp_path / "styles" / "x.png", np.zeros((40, 64, 3), np.float32))
    with pytest.raises(AssertionError, match="painted again"):
        painted(options, tmp_path / "out")


def test_presets_of_one_stem_have_names_and_folders_of_their_own():
    presets = (Method("own", small(), given="a/own.py"), Method("own", small(), given="b/own.py"), Method("Gram", small()))
    assert [how.name for how in told_apart(presets)] == ["a/own.py", "b/own.py", "Gram"]
    assert method("stylization/crowson").given == "stylization/crowson"
    assert told_apart(presets[1:])[0].name == "own"


def drawn(method: str, shift: float, styles: str = "xyz") -> list[Painted]:
    """SSIM that is higher by a shift, and an error that is lower by it; what contents and styles do to both is common."""
    found = []
    for row, content in enumerate("abcd"):
        for column, style in enumerate("xyz"):
            if style in styles:
                hard = 0.1 * row + 0.05 * column + 0.001 * ((row + 2 * column) % 3)
                metrics = {"held_out/style/relative": 0.5 + hard - shift, "content/ssim": 0.2 + hard + shift}
                found.append(Painted(method, content, style, np.zeros((2, 3, 3)), metrics))
    return found


def test_a_preset_may_be_told_how_many_steps_it_takes(tmp_path):
    whole, short = method("stylization/strotss"), method("stylization/strotss:200")
    assert short.run == dataclasses.replace(whole.run, steps=200) and whole.run.steps > 200
    assert {how.name for how in told_apart([whole, short])} == {"stylization/strotss", "stylization/strotss:200"}
    own = tmp_path / "of:12" / "own.py"
    own.parent.mkdir()
    own.write_text("from likeness.configs.stylization.quickstart import get_config  # noqa: F401\n")
    assert method(str(own)).run.steps == 210 and method(f"{own}:7").run.steps == 7
    for wrong in ("0", "many", "-3", "2.5"):
        with pytest.raises(UserError, match="must end with how many steps"):
            method(f"stylization/strotss:{wrong}")


def test_differences_are_of_the_pairs_that_both_painted_and_said_in_words():
    works = [*drawn("Gram", 0.0), *drawn("better", 0.1), *drawn("same", 0.0), *drawn("one", -0.1, "y")]
    difference = compared("one", "Gram", "content/ssim", works)
    assert difference is not None and difference.value == pytest.approx(-0.1)
    assert compared("better", "Gram", "content/lpips", works) is None
    text = table(works)
    assert "better is better at the statistics of the style, the structure of the content beside Gram." in text
    assert "one is worse at the statistics of the style, the structure of the content beside Gram." in text
    assert "same is no different, as far as these pairs can say, beside Gram." in text


def a_set(folders: tuple[str, str], count: int = 4) -> tuple[list[Painted], list, list]:
    """Paintings that are noise, of the contents and in the styles of two folders."""
    draw = np.random.default_rng(1)
    contents, styles = images(folders[0], "--contents", ()), images(folders[1], "--styles", ())
    pairs = [(c.title, s.title) for c in contents for s in styles]
    works = [Painted("noise", c, s, draw.uniform(size=(40, 64, 3)).astype(np.float32), {}) for c, s in pairs[:count]]
    return [*works, Painted("one", "a", "x", works[0].pixels, {})], contents, styles


def test_a_method_s_set_of_paintings_has_its_art_fid(folders, tmp_path, monkeypatch, capsys):
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "lin.npz", lin0=draw.uniform(size=(1, 6, 1, 1)))
    perceptual = Perceptual(linear=str(tmp_path / "lin.npz"), encoder=TINY, layers=("relu2_1",))
    metric = ArtFID(encoder=TINY, layer="relu2_1", perceptual=perceptual)
    monkeypatch.setattr(paintings, "set_metric", lambda: metric)
    works, contents, styles = a_set(folders)
    found = scores(works, contents, styles, 64)
    kept, looks = ({source.title: source.open(64) for source in sources} for sources in (contents, styles))
    expected = metric(
        metric.variables(),
        [work.pixels for work in works[:4]],
        [kept[work.content] for work in works[:4]],
        [looks[work.style] for work in works[:4]],
    )
    assert found == {"noise": pytest.approx(expected, rel=1e-5)}
    assert "ArtFID: 4 paintings by noise are compared" in capsys.readouterr().out
    small = dataclasses.replace(metric, layer="relu9_1")
    monkeypatch.setattr(paintings, "set_metric", lambda: small)
    assert scores(works, contents, styles, 64) == {}
    assert "ArtFID is left out: ArtFID: image 1 of 64×40 pixels" in capsys.readouterr().out


def test_without_its_weights_art_fid_is_left_out_and_they_are_named(folders, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("LIKENESS_DATA", raising=False)
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "cache"))
    assert scores(*a_set(folders), 64) == {}
    told = capsys.readouterr().out
    assert "inception_art: No checksum of it could be confirmed" in told and "--name inception_art" in told
    assert "lpips_alex: run `likeness weights fetch lpips_alex`" in told


def test_the_table_says_how_few_a_set_of_paintings_is():
    works = [*drawn("Gram", 0.0), *drawn("one", -0.1, "y")]
    sets = {
        "Gram": ArtFIDScore(0.5, 30.0, 46.5, 12, extrapolated=False),
        "one": ArtFIDScore(0.5, 50.0, 76.5, 4, extrapolated=False),
    }
    text = table(works, sets)
    assert "| art_fid of the set | 46.500 | 76.500 |" in text and "| paintings in the set | 12 | 4 |" in text
    assert "FID of 4 and 12 paintings" in text and "no published value" in text
    assert "of the set" not in table(works)
    many = {"Gram": ArtFIDScore(0.5, 30.0, 46.5, 9000, extrapolated=True)}
    assert "| art_fid of the set | 46.500 |  |" in table(works, many) and "biased" not in table(works, many)


def test_methods_and_folders_that_are_none_are_named(tmp_path):
    assert method("Gram").run is not None and method("stylization/crowson").name == "crowson"
    assert method("johnson_wave:great_wave").paints(Photograph()) is False
    with pytest.raises(UserError, match="there is no Grim; give Gram, Wasserstein"):
        method("Grim")
    with pytest.raises(UserError, match="stylization/bench is no preset of a Stylization"):
        method("stylization/bench")
    with pytest.raises(UserError, match="--styles .* is no folder with images"):
        images(str(tmp_path), "--styles", ())
    assert images(None, "--styles", (Photograph(),)) == [Photograph()]


def test_images_that_would_be_taken_for_one_another_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("one/a.png", "other/a.png", "twice/a.png", "twice/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_image(tmp_path / name, rng.uniform(size=(40, 60, 3)).astype(np.float32))
    one, other = (ImageFile(path=str(tmp_path / name / "a.png")) for name in ("one", "other"))
    kept = paintings.cut(one, 48, tmp_path / "cut")
    assert paintings.cut(one, 48, tmp_path / "cut") == kept
    with pytest.raises(UserError, match="was cut from another image of this name"):
        paintings.cut(other, 48, tmp_path / "cut")
    with pytest.raises(UserError, match="two images called a"):
        paintings.images(str(tmp_path / "twice"), "--contents", ())
