"""``likeness weights``: list, fetch, import, export, check."""

import hashlib
import http.server
import importlib.machinery
import json
import sys
import threading
import types
from pathlib import Path

import jax
import numpy as np
import pytest
from small_world import Likeness, World

from likeness.experiments.training.evaluation import read_run, restore
from likeness.research.data import Preprocessing
from likeness.research.encoders import Vgg
from likeness.research.errors import UserError
from likeness.research.weights import (
    File,
    Pretrained,
    Published,
    Release,
    known,
    layouts,
    named,
    read,
    release,
    releases,
    shapes,
    take,
    write,
)

ENCODER = Vgg(widths=(2, 2, 2, 2, 2), last="relu2_1")


COMES_WITH_LIKENESS = Path(release.__file__).parent / "own" / "textures.safetensors"


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LIKENESS_DATA", str(tmp_path / "data"))
    # As on a machine without packages that carry weights.
    monkeypatch.setattr(release.File, "installed", lambda self: None)
    return tmp_path / "cache" / "weights"


@pytest.fixture
def little(monkeypatch, tmp_path):
    """Known weights of a little network, whose one file lies below LIKENESS_DATA."""
    rng = np.random.default_rng(0)
    variables = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes(ENCODER))
    layout = layouts.vgg_torchvision(layouts.VGG19)
    path = tmp_path / "data" / "weights" / "little" / "little.safetensors"
    write(path, take(variables, layout) | {"classifier.0.weight": np.ones((2, 2), np.float32)})
    content = path.read_bytes()
    file = File(
        name="little.safetensors",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        local="little/little.safetensors",
    )
    published = Published(
        name="little",
        summary="a little network",
        encoder=ENCODER,
        layouts=(layout,),
        editions=((file,),),
        preprocessing="none",
        licence="CC0",
        citation="nobody. Nothing",
    )
    table = (published, *known.KNOWN)
    monkeypatch.setattr(known, "KNOWN", table)
    monkeypatch.setattr(releases, "RELEASES", table)
    return path


def test_list_shows_what_there_is(likeness: Likeness, little):
    short = likeness("weights", "list").out
    assert "Trained on" not in short and short.endswith("likeness weights list --origin\n")
    said = likeness("weights", "list", "--origin")
    assert said.code == 0
    assert said.out.startswith(short.split("\n\n")[0])
    table, origins, advice = said.out.split("\n\nWhere they come from")[0], *said.out.split("\n\n")[-2:]
    header, first, *rest = table.splitlines()
    assert header.split() == ["name", "size", "licence", "here", "what"]
    assert first.split(maxsplit=5) == [
        "little",
        f"{little.stat().st_size / 1e3:.0f}",
        "kB",
        "CC0",
        "LIKENESS_DATA",
        "a little network",
    ]
    assert len(rest) == len(known.KNOWN) - 1
    assert all(" no " in line for line in rest)
    assert " ".join(origins.split()).startswith("little nobody. Nothing. Trained on: unknown. Use: unknown.")
    assert all(f"\n{one.name} " in origins for one in known.KNOWN[1:])
    assert "no legal advice" in advice


def test_list_is_told_as_json(likeness: Likeness, little):
    said = likeness("weights", "list", "--json")
    first, *rest = json.loads(said.out)
    assert said.code == 0 and first["path"] == str(little) and first["trained_on"] == first["use"] == "unknown"
    assert [one["name"] for one in rest] == [one.name for one in known.KNOWN if one.name != "little"]
    assert all(one["licence"] and one["origin"] and one["use"] for one in rest)


def test_list_names_the_package_that_carries_weights(likeness: Likeness, tmp_path, monkeypatch):
    def carried(file):
        path = tmp_path / "site" / file.name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as sparse:
            sparse.truncate(file.size)
        return path if file.package else None

    monkeypatch.setattr(release.File, "installed", carried)
    line = next(line for line in likeness("weights", "list").out.splitlines() if line.startswith("dlib_face "))
    assert line.split(maxsplit=6)[1:6] == ["22.5", "MB", "CC0-1.0", "package", "face_recognition_models"]


def test_fetch_copies_what_is_on_this_machine(likeness: Likeness, little, cache):
    said = likeness("weights", "fetch", "little")
    assert (said.code, said.out) == (0, f"little is in {cache / 'little' / 'little.safetensors'}\n")
    assert (cache / "little" / "little.safetensors").read_bytes() == little.read_bytes()
    assert " fetched " in likeness("weights", "list").out


def test_several_are_fetched_and_one_that_cannot_be_keeps_no_other(likeness: Likeness, little, cache):
    said = likeness("weights", "fetch", "vgg19_caffe", "little", "little")
    assert said.code == 2
    assert said.err.startswith("likeness: The weights vgg19_caffe cannot be fetched.")
    assert said.out == f"little is in {cache / 'little' / 'little.safetensors'}\n"


def test_a_name_that_there_is_not_is_told_before_anything_is_fetched(likeness: Likeness, little, cache):
    said = likeness("weights", "fetch", "little", "litle")
    assert (said.code, said.out) == (2, "")
    assert not cache.exists()
    assert "needs the names of weights" in likeness("weights", "fetch").err


def test_what_came_with_a_package_needs_no_fetching(likeness: Likeness, monkeypatch, tmp_path, cache):
    path = tmp_path / "textures.safetensors"
    path.write_bytes(COMES_WITH_LIKENESS.read_bytes())
    monkeypatch.setattr(release.File, "installed", lambda self: path if self.name == path.name else None)
    said = likeness("weights", "fetch", "textures")
    assert (said.code, said.out) == (0, f"textures is in {path}\n")
    assert not cache.exists()
    # What is damaged is no answer.
    path.write_bytes(bytes(path.stat().st_size))
    assert likeness("weights", "fetch", "textures").code == 2


def test_what_cannot_be_fetched_says_what_to_bring(likeness: Likeness, little, cache):
    digest = hashlib.sha256(little.read_bytes()).hexdigest()
    little.unlink()
    said = likeness("weights", "fetch", "little")
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert f"{little}: no such file" in said.err
    assert f"bring little.safetensors and put it into {cache / 'little'} (SHA-256 {digest}; looked for in" in said.err
    said = likeness("weights", "fetch", "vgg19_caffe")
    assert said.code == 2
    assert "Bring vgg19-d01eb7cb.pth" in said.err


def test_importing_puts_own_names_into_the_cache_with_a_report(likeness: Likeness, little, cache):
    said = likeness("weights", "import", little)
    assert said.code == 0
    assert "params/conv1_2/kernel  3×3×2×2            features.2.weight" in said.out
    assert "torchvision VGG: 6 of 6 variables matched, 1 ignored (classifier.0.weight)" in said.out
    assert f"6 arrays are in {cache / 'little.safetensors'}" in said.out
    assert read(cache / "little.safetensors").keys() == {
        f"params/{layer}/{part}" for layer in ("conv1_1", "conv1_2", "conv2_1") for part in ("kernel", "bias")
    }
    assert " imported " in likeness("weights", "list").out
    variables, report = named("little").load()
    assert report.complete
    np.testing.assert_array_equal(variables["params"]["conv1_1"]["bias"], read(little)["features.0.bias"])


def test_importing_fetched_weights_by_name(likeness: Likeness, little, cache):
    assert likeness("weights", "import", "little").code == 0
    assert (cache / "little.safetensors").exists()
    said = likeness("weights", "import", "vgg16")
    assert said.code == 2
    assert "The weights vgg16 are not on this machine: run `likeness weights fetch vgg16`" in said.err


def test_importing_a_file_that_nobody_knows(likeness: Likeness, cache, tmp_path):
    write(tmp_path / "mine.npz", {"a": np.ones((2, 3), np.float32), "b": np.array(1)})
    said = likeness("weights", "import", tmp_path / "mine.npz")
    assert said.code == 0
    assert said.out.splitlines()[:2] == ["  a  2×3  float32", "  b  scalar  int64"]
    assert read(cache / "mine.safetensors").keys() == {"a", "b"}


def test_importing_what_does_not_fit(likeness: Likeness, little, cache, tmp_path):
    arrays = read(little)
    arrays["features.2.weight"] = np.ones((2, 5, 3, 3), np.float32)
    arrays["features.5.wait"] = arrays.pop("features.5.weight")
    write(tmp_path / "wrong.safetensors", arrays)
    said = likeness("weights", "import", tmp_path / "wrong.safetensors", "--name", "little")
    assert said.code == 2
    assert said.err.count("\n") == 1
    for part in (
        "features.2.weight 2×5×3×3, 3×3×5×2 in the encoder's order does not fit params/conv1_2/kernel, 3×3×2×2",
        "there is no features.5.weight for params/conv2_1/kernel (nearest: features.5.wait)",
    ):
        assert part in said.err
    assert not cache.exists()


@pytest.mark.parametrize("keys", ["own", "published"])
@pytest.mark.parametrize("ending", ["safetensors", "npz"])
def test_exporting_and_importing_again_keeps_every_bit(likeness: Likeness, little, cache, tmp_path, keys, ending):
    out = tmp_path / f"out.{ending}"
    said = likeness("weights", "export", "little", out, "--keys", keys)
    assert (said.code, said.out) == (0, f"6 arrays are in {out}\n")
    if keys == "published":
        before = read(little)
        for key, array in read(out).items():
            np.testing.assert_array_equal(array, before[key])
    assert likeness("weights", "import", out, "--name", "little").code == 0
    first = named("little").read(little)[0]
    jax.tree.map(np.testing.assert_array_equal, named("little").load()[0], first)


@pytest.mark.end_to_end
def test_exporting_without_a_file_makes_a_new_one_of_the_name(likeness: Likeness, little, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    said = likeness("weights", "export", "little")
    assert said.code == 0 and said.out.endswith("arrays are in little.safetensors\n")
    kept = (tmp_path / "little.safetensors").read_bytes()
    said = likeness("weights", "export", "little", "--keys", "published")
    assert said.code == 2 and "There is a little.safetensors here already" in said.err
    assert (tmp_path / "little.safetensors").read_bytes() == kept


def test_exporting_what_a_working_directory_learned(likeness: Likeness, world: World, tmp_path):
    out = tmp_path / "learned.safetensors"
    said = likeness("weights", "export", world.workdir, out)
    assert said.code == 0
    run = read_run(world.workdir)
    encoder = Pretrained(path=str(out), preprocessing=Preprocessing(size=(32, 32))).variables(run.experiment.encoder)
    _, (params, state) = restore(world.workdir, run)
    jax.tree.map(np.testing.assert_array_equal, encoder, {"params": params["encoder"], **state})
    said = likeness("weights", "export", world.workdir, out, "--keys", "published")
    assert said.code == 2
    assert "was published nowhere" in said.err
    said = likeness("weights", "export", "litle", out)
    assert said.code == 2
    assert "nearest: " in said.err


def test_imported_weights_that_have_changed_since(likeness: Likeness, little, cache):
    assert likeness("weights", "import", "little").code == 0
    imported = cache / "little.safetensors"
    named("little").load()
    content = bytearray(imported.read_bytes())
    content[-20:] = bytes(20)
    imported.write_bytes(content)
    with pytest.raises(UserError, match=r"little\.safetensors has changed since `likeness weights import` wrote it. Remove it"):
        named("little").load()
    said = likeness("weights", "check", "little")
    assert said.code == 2 and "has changed since" in said.out
    assert likeness("weights", "import", little, "--name", "little").code == 0
    named("little").load()


def test_check_without_any(likeness: Likeness):
    said = likeness("weights", "check")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("No known weights are on this machine")


def test_check_verifies_and_reports(likeness: Likeness, little):
    said = likeness("weights", "check")
    assert said.code == 0
    assert f"little: {little}" in said.out
    assert f"  intact: {hashlib.sha256(little.read_bytes()).hexdigest()}" in said.out
    assert "torchvision VGG: 6 of 6 variables matched" in said.out
    content = bytearray(little.read_bytes())
    content[-100] ^= 1
    little.write_bytes(content)
    said = likeness("weights", "check", "little")
    assert said.code == 2
    assert "  DAMAGED: little.safetensors has not the SHA-256 " in said.out
    assert said.err == "likeness: These weights cannot be used as they are: little. Why is said above.\n"
    said = likeness("weights", "check", "vgg19")
    assert said.code == 2
    assert "looked for in" in said.err


@pytest.mark.parametrize("action", ["list", "fetch", "import", "export", "check"])
def test_each_action_has_help(likeness: Likeness, action):
    said = likeness("weights", action, "--help")
    assert said.code == 0
    assert said.out.startswith(f"usage: likeness weights {action}")


def _without(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """As on a machine where a library is not installed."""
    monkeypatch.setitem(sys.modules, library, None)


@pytest.mark.parametrize(
    ("name", "library", "kind", "extra"),
    [("net.h5", "h5py", "HDF5", "keras"), ("net.pth", "torch", "a PyTorch state dict", "peers")],
)
def test_weights_that_nothing_here_can_read_are_not_called_usable(
    likeness: Likeness, monkeypatch, tmp_path, name: str, library: str, kind: str, extra: str
):
    """``list`` and ``doctor`` say what is missing and the command that installs it; with the library they say nothing."""
    path = tmp_path / "data" / "weights" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"0")
    file = File(name=name, size=1, sha256="0" * 64, local=name)
    told = {"summary": "a net", "preprocessing": "none", "licence": "CC0", "citation": "nobody"}
    monkeypatch.setattr(releases, "RELEASES", (Release(name="net", editions=((file,),), **told),))
    monkeypatch.setitem(sys.modules, library, types.ModuleType(library))
    sys.modules[library].__spec__ = importlib.machinery.ModuleSpec(library, None)
    assert likeness("weights", "list").out.splitlines()[1].split(maxsplit=4)[4] == "LIKENESS_DATA  a net"
    assert "cannot be read" not in likeness("doctor").out
    _without(monkeypatch, library)
    reason = f"{name} is {kind}"
    install = f"{library} is not installed: pip install 'likeness-jax[{extra}]'"
    listed = likeness("weights", "list").out
    assert "LIKENESS_DATA, unreadable" in listed
    assert f"→ net cannot be read: {reason}" in listed
    assert install in listed
    advice = [line for line in likeness("doctor").out.splitlines() if line.startswith("→ ")]
    assert any(f"The weights net are here and cannot be read: {reason}" in line and install in line for line in advice)
    assert not any("Nothing is missing" in line for line in advice)


def test_what_was_fetched_and_cannot_be_read_says_so(likeness: Likeness, monkeypatch, tmp_path, cache):
    (tmp_path / "data" / "weights").mkdir(parents=True)
    content = b"\x89HDF\r\n\x1a\n"
    (tmp_path / "data" / "weights" / "net.h5").write_bytes(content)
    file = File(name="net.h5", size=len(content), sha256=hashlib.sha256(content).hexdigest(), local="net.h5")
    told = {"summary": "a net", "preprocessing": "none", "licence": "CC0", "citation": "nobody"}
    monkeypatch.setattr(releases, "RELEASES", (Release(name="net", editions=((file,),), **told),))
    _without(monkeypatch, "h5py")
    said = likeness("weights", "fetch", "net")
    assert said.code == 0
    assert (cache / "net" / "net.h5").read_bytes() == content
    assert "→ it cannot be read yet: net.h5 is HDF5" in said.out
    assert f"put the net.safetensors that this writes into {cache} here" in said.out


def test_what_will_not_be_readable_is_said_before_it_is_downloaded(likeness: Likeness, monkeypatch, tmp_path, cache):
    content = b"a pickle"

    class Stub(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Stub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/net.pth"
        file = File(name="net.pth", size=len(content), sha256=hashlib.sha256(content).hexdigest(), urls=(url,))
        told = {"summary": "a net", "preprocessing": "none", "licence": "CC0", "citation": "nobody"}
        monkeypatch.setattr(releases, "RELEASES", (Release(name="net", editions=((file,),), **told),))
        _without(monkeypatch, "torch")
        said = likeness("weights", "fetch", "net")
        server.shutdown()
    assert said.code == 0 and (cache / "net" / "net.pth").read_bytes() == content
    before = "What is fetched cannot be read here yet: net.pth is a PyTorch state dict, and torch is not installed: pip install"
    assert before in said.err
    assert f"put the net.safetensors that this writes into {cache} here" in said.err


def test_every_release_has_its_encoder_and_every_encoder_its_release():
    assert [one.name for one in known.KNOWN] == [one.name for one in releases.RELEASES]
