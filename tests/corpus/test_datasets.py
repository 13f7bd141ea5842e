"""Published sets: what is offered, and fetching over a loopback server that misbehaves on request."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from woodshed.corpus import datasets as datasets_module
from woodshed.corpus import download, sources
from woodshed.corpus.datasets import (
    Dataset,
    Entry,
    datasets,
    default_data_folder,
    find_dataset,
    is_downloaded,
    is_safe_path,
    parse_manifest,
)
from woodshed.corpus.download import get_dataset
from woodshed.errors import DownloadError, FileError, UnknownName

PIECES = {
    "one.mid": b"MThd one" * 400,
    "what now?/tw\u00f6 #2.mid": b"MThd two" * 300,
    "three.mid": b"MThd three" * 20_000,
    "LICENSE": b"do what you like",
}


@dataclass
class Server:
    """A loopback server of a folder of bytes, with a list of what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""
    misbehave: Callable[[BaseHTTPRequestHandler, str, bytes], bool] | None = None
    """Called first with the handler, the path and the content; True if it has answered."""

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path).lstrip("/")
            state.asked.append((path, self.headers.get("Range", "")))
            content = state.files.get(path)
            if content is None:
                self.send_error(404)
            elif not (state.misbehave and state.misbehave(self, path, content)):
                self.answer(content)

        def answer(self, content: bytes) -> None:
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:])

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A made set of three pieces and a notice, offered instead of the real ones; no pauses."""
    dataset = Dataset("tiny", "Tiny", "made for tests", "CC0-1.0", True, "band/tiny", "maker/tiny", "songs")
    dataset.__dict__["entries"] = tuple(
        Entry(path, len(content), hashlib.sha256(content).hexdigest()) for path, content in PIECES.items()
    )
    monkeypatch.setattr(datasets_module, "_DATASETS", (dataset,))
    monkeypatch.setattr(sources, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(sources, "LONGEST_PAUSE_SECONDS", 0.002)
    return dataset


@pytest.fixture
def mirror(server: Server, tiny: Dataset) -> Server:
    """The loopback server as a mirror of the made set."""
    server.files = {f"{tiny.folder}/{path}": content for path, content in PIECES.items()}
    return server


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_set_has_a_manifest_with_music_a_licence_and_a_place_of_its_own() -> None:
    assert {"freedoom", "freedoom-history", "free-music", "groove", "lieder"} <= {d.name for d in datasets()}
    assert len({d.folder for d in datasets()}) == len(datasets())
    for dataset in datasets():
        assert dataset.files == len(dataset.entries) >= 10
        assert dataset.licence
        assert dataset.address.startswith("https://")
        assert any(entry.path.endswith((".mid", ".mxl")) for entry in dataset.entries)
        assert len({entry.path for entry in dataset.entries}) == dataset.files
        assert dataset.needs_mirror == (dataset.name == "freedoom-history")


def test_only_freely_licensed_sets_may_train_what_is_shipped() -> None:
    assert {d.name for d in datasets() if not d.may_train_shipped_weights} == {"js-fakes", "nottingham"}


def test_manifests_agree_with_the_data_folder(data_folder: Path) -> None:
    for dataset in datasets():
        folder = data_folder / dataset.folder
        if folder.is_dir():
            assert [e.path for e in dataset.entries if sources.fault(folder / e.path, e)] == []


def test_a_real_set_comes_over_loopback(data_folder: Path, server: Server, tmp_path: Path) -> None:
    dataset = find_dataset("blasphemer")
    origin = data_folder / dataset.folder
    server.files = {f"{dataset.folder}/{path}": content for path, content in contents(origin).items()}
    assert contents(get_dataset("blasphemer", tmp_path, mirror=server.address)) == contents(origin)


def test_a_mirror_address_gives_every_file_and_counts_every_byte(mirror: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = get_dataset("tiny", tmp_path, mirror=mirror.address + "/", progress=lambda *now: seen.append(now))
    assert target == tmp_path / "band" / "tiny"
    assert contents(target) == PIECES
    total = sum(map(len, PIECES.values()))
    assert seen[-1] == (total, total)
    assert is_downloaded("tiny", tmp_path)


def test_a_mirror_folder_gives_every_file(tiny: Dataset, tmp_path: Path) -> None:
    for path, content in PIECES.items():
        place = tmp_path / "mirror" / tiny.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    assert not is_downloaded("tiny", tmp_path / "data")
    assert contents(get_dataset("tiny", tmp_path / "data", mirror=tmp_path / "mirror")) == PIECES


def test_what_is_there_is_not_fetched_again(mirror: Server, tmp_path: Path) -> None:
    target = get_dataset("tiny", tmp_path, mirror=mirror.address)
    mirror.asked.clear()
    get_dataset("tiny", tmp_path, mirror=mirror.address)
    assert mirror.asked == []
    (target / "one.mid").write_bytes(b"x" * len(PIECES["one.mid"]))  # same size, other content
    get_dataset("tiny", tmp_path, mirror=mirror.address)
    assert mirror.paths() == ["band/tiny/one.mid"]


def test_the_makers_repository_is_asked_where_there_is_no_mirror(
    server: Server, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "HOST", server.address)
    server.files = {f"maker/tiny/HEAD/songs/{path}": content for path, content in PIECES.items() if path != "LICENSE"}
    server.files["maker/tiny/HEAD/LICENSE"] = b"a newer licence, in the root"
    assert contents(get_dataset("tiny", tmp_path)) == PIECES | {"LICENSE": b"a newer licence, in the root"}


def test_an_older_revision_is_asked_when_the_newest_has_changed(
    server: Server, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "HOST", server.address)
    object.__setattr__(tiny, "revisions", ("HEAD", "v1"))
    server.files = {f"maker/tiny/HEAD/songs/{path}": content for path, content in PIECES.items()}
    server.files["maker/tiny/HEAD/songs/one.mid"] = b"remixed"
    server.files["maker/tiny/v1/songs/one.mid"] = PIECES["one.mid"]
    assert contents(get_dataset("tiny", tmp_path)) == PIECES


def test_a_cut_connection_is_resumed_from_where_it_broke(mirror: Server, tmp_path: Path) -> None:
    def cut(handler: BaseHTTPRequestHandler, path: str, content: bytes) -> bool:
        if not path.endswith("three.mid") or "Range" in handler.headers:
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:150_000])
        return True

    mirror.misbehave = cut
    assert contents(get_dataset("tiny", tmp_path, mirror=mirror.address)) == PIECES
    ranges = [asked for path, asked in mirror.asked if path.endswith("three.mid")]
    assert ranges[0] == ""
    assert 0 < int(ranges[1].removeprefix("bytes=").rstrip("-")) <= 150_000


def test_a_part_left_by_an_earlier_run_is_gone_on_with(mirror: Server, tmp_path: Path) -> None:
    part = tmp_path / "band" / "tiny" / "three.mid.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(PIECES["three.mid"][:777])
    assert contents(get_dataset("tiny", tmp_path, mirror=mirror.address)) == PIECES
    assert ("band/tiny/three.mid", "bytes=777-") in mirror.asked


@pytest.mark.parametrize(
    "left", [b"another version " * 10, PIECES["three.mid"] + b"more", b"x" * len(PIECES["three.mid"])]
)
def test_a_part_of_another_version_is_thrown_away(mirror: Server, tmp_path: Path, left: bytes) -> None:
    part = tmp_path / "band" / "tiny" / "three.mid.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(left)
    assert contents(get_dataset("tiny", tmp_path, mirror=mirror.address)) == PIECES


def test_a_server_that_ignores_ranges_still_serves(mirror: Server, tmp_path: Path) -> None:
    def ignore_range(handler: BaseHTTPRequestHandler, path: str, content: bytes) -> bool:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(content)
        return True

    mirror.misbehave = ignore_range
    part = tmp_path / "band" / "tiny" / "three.mid.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(PIECES["three.mid"][:777])
    assert contents(get_dataset("tiny", tmp_path, mirror=mirror.address)) == PIECES


def test_a_busy_server_is_asked_again(mirror: Server, tmp_path: Path) -> None:
    refused: set[str] = set()

    def busy(handler: BaseHTTPRequestHandler, path: str, content: bytes) -> bool:
        if path in refused:
            return False
        refused.add(path)
        handler.send_response(429)
        handler.send_header("Retry-After", "3600")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True

    mirror.misbehave = busy
    assert contents(get_dataset("tiny", tmp_path, mirror=mirror.address)) == PIECES


def test_a_wrong_checksum_names_the_file_and_keeps_the_others(mirror: Server, tmp_path: Path) -> None:
    mirror.files["band/tiny/one.mid"] = b"x" * len(PIECES["one.mid"])
    with pytest.raises(DownloadError, match=r"^tiny/one\.mid has the wrong checksum; the other 3 .* --mirror$"):
        get_dataset("tiny", tmp_path, mirror=mirror.address)
    assert contents(tmp_path / "band" / "tiny") == {name: PIECES[name] for name in PIECES if name != "one.mid"}
    assert not is_downloaded("tiny", tmp_path)


def test_a_missing_piece_is_named_and_a_missing_notice_is_forgiven(mirror: Server, tmp_path: Path) -> None:
    del mirror.files["band/tiny/LICENSE"]
    get_dataset("tiny", tmp_path, mirror=mirror.address)
    assert is_downloaded("tiny", tmp_path)
    del mirror.files["band/tiny/three.mid"]
    with pytest.raises(DownloadError, match=r"three\.mid is not at .*404"):
        get_dataset("tiny", tmp_path / "again", mirror=mirror.address)


def test_no_more_is_written_than_the_manifest_allows(mirror: Server, tmp_path: Path) -> None:
    sent = 0

    def endless(handler: BaseHTTPRequestHandler, path: str, content: bytes) -> bool:
        nonlocal sent
        if not path.endswith("one.mid"):
            return False
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(2_000):  # 128 MB, if the other side let us
                handler.wfile.write(b"x" * 65_536)
                sent += 65_536
        except OSError:
            pass
        return True

    mirror.misbehave = endless
    with pytest.raises(DownloadError, match=r"one\.mid is longer than the 3200 bytes"):
        get_dataset("tiny", tmp_path, mirror=mirror.address)
    assert sent < 100_000_000
    assert not list(tmp_path.rglob("one.mid*"))


def test_offline_is_one_line_with_the_address_and_the_remedy(
    server: Server, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "HOST", "http://127.0.0.1:9")  # discard: nothing listens there
    with pytest.raises(DownloadError) as caught:
        get_dataset("tiny", tmp_path)
    message = str(caught.value)
    assert message.startswith("http://127.0.0.1:9/maker/tiny/HEAD/songs/")
    assert "does not answer" in message
    assert "--mirror" in message
    assert "\n" not in message
    assert contents(tmp_path) == {}


def test_a_set_without_an_address_asks_for_a_mirror(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"freedoom-history has no address of its own.*--mirror"):
        get_dataset("freedoom-history", tmp_path)


@pytest.mark.parametrize("mirror_name", ["nowhere", "http://", "http://[", "https://user:a@b:c@/"])
def test_a_mirror_that_cannot_be_is_refused_in_one_line(tiny: Dataset, tmp_path: Path, mirror_name: str) -> None:
    with pytest.raises(DownloadError) as caught:
        get_dataset("tiny", tmp_path, mirror=mirror_name)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_named(mirror: Server, tmp_path: Path) -> None:
    (tmp_path / "band").write_text("a file in the way")
    with pytest.raises(FileError, match=r"band"):
        get_dataset("tiny", tmp_path, mirror=mirror.address)


def test_an_interrupt_leaves_nothing_half_written_and_can_be_gone_on_with(mirror: Server, tmp_path: Path) -> None:
    def interrupt(done_bytes: int, total_bytes: int) -> None:
        if done_bytes > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get_dataset("tiny", tmp_path, mirror=mirror.address, progress=interrupt)
    whole = {path: content for path, content in contents(tmp_path / "band" / "tiny").items() if ".part" not in path}
    assert "three.mid" not in whole
    assert all(PIECES[path] == content for path, content in whole.items())
    assert contents(get_dataset("tiny", tmp_path, mirror=mirror.address)) == PIECES


def test_an_unknown_set_lists_those_there_are(tmp_path: Path) -> None:
    for name in ("freedom", "../../etc", ""):
        with pytest.raises(UnknownName, match="freedoom, freedoom-history"):
            get_dataset(name, tmp_path)


@pytest.mark.parametrize("path", ["", "/etc/x", "../x", "a/../x", "a//x", "./x", "C:x", "a\\..\\x", "a\nb", "a/"])
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    assert not is_safe_path(path)


@pytest.mark.parametrize("line", [f"{'0' * 64} 5 ../x", f"{'0' * 64} 5 ", f"{'0' * 64} -5 x", "00 5 x", "rubbish"])
def test_a_damaged_manifest_is_named_with_its_line(line: str) -> None:
    with pytest.raises(DownloadError, match="manifest of evil, line 2 is damaged"):
        list(parse_manifest(f"{'0' * 64} 5 good.mid\n{line}\n", "evil"))


def test_the_default_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WOODSHED_DATA", str(tmp_path))
    assert default_data_folder() == tmp_path
    monkeypatch.delenv("WOODSHED_DATA")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert default_data_folder() == tmp_path / "share" / "woodshed" / "data"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_data_folder() == Path.home() / ".local" / "share" / "woodshed" / "data"


def test_each_set_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    for dataset in datasets():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{dataset.name}` |"))
        for fact in (
            dataset.what,
            dataset.licence,
            f"{dataset.files:,}",
            f"{dataset.size_bytes / 1e6:.1f}",
            dataset.folder,
        ):
            assert f" {fact} " in row.replace("`", " ")
