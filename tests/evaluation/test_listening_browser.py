"""The page of a listening test, in a real browser: Chromium without a window, told what to do through a pipe.

No library drives it: the DevTools protocol is JSON over two file descriptors. Where no Chromium or Chrome is
installed these tests are skipped, in one line; WOODSHED_BROWSER names one that is not on the path.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from woodshed.evaluation.listening import sheet_number
from woodshed.evaluation.listening_results import read_key, read_results, results_checksum
from woodshed.evaluation.listening_score import score_test
from woodshed.recipes.listening import ListeningWish, make_listening_test
from woodshed.recipes.listening_pieces import Sources
from woodshed.version import __version__

fcntl = pytest.importorskip("fcntl", reason="pipes to a browser are opened the Unix way")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio",
    "--no-default-browser-check", "--disable-component-update", "--disable-background-networking", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb",
)  # fmt: skip
LAUNCH = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
PATIENCE_SECONDS = 60
NO_BROWSER = "the page of a listening test was not tried in a browser"
PROGRAM = os.environ.get("WOODSHED_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
if PROGRAM is None:
    pytest.skip(f"{NO_BROWSER}: no Chromium or Chrome was found", allow_module_level=True)
KEYS = {"Enter": ("Enter", 13, "\r"), " ": ("Space", 32, " "), "Tab": ("Tab", 9, "")}


class Browser:
    """Chromium, with one window at a time."""

    def __init__(self, program: str, folder: Path) -> None:
        ours, theirs = os.pipe(), os.pipe()
        read, write = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs[0], ours[1]))  # not 3 and 4 themselves
        command = [sys.executable, "-c", LAUNCH, str(read), str(write), program, *FLAGS, f"--user-data-dir={folder}"]
        self.process = subprocess.Popen(
            [*command, "about:blank"], pass_fds=(read, write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for end in (read, write, theirs[0], ours[1]):
            os.close(end)
        self.read, self.write = ours[0], theirs[1]
        self.buffer, self.number, self.session, self.profile = b"", 0, "", ""
        self.events: list[dict[str, Any]] = []

    def open_window(self) -> None:
        """With a memory of its own, and none of those before."""
        self.events.clear()
        self.profile = self.ask("Target.createBrowserContext")["browserContextId"]
        target = self.ask("Target.createTarget", url="about:blank", browserContextId=self.profile)["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def close_window(self) -> None:
        """And forget all that was kept in it."""
        self.session = ""
        self.ask("Target.disposeBrowserContext", browserContextId=self.profile)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command, and what it answers; events that come meanwhile are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self.events.append(answer)

    def receive(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            assert select.select([self.read], [], [], PATIENCE_SECONDS)[0], "the browser does not answer"
            read = os.read(self.read, 1 << 20)
            assert read, "the browser has gone"
            self.buffer += read
        message, self.buffer = self.buffer.split(b"\0", 1)
        return dict(json.loads(message))

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=False
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Until an expression is true."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.run(script):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.02)

    def open(self, address: str) -> None:
        self.ask("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && typeof test !== 'undefined'")

    def press(self, *keys: str) -> None:
        """Keys as a person presses them: they count as a gesture, and go to what has the focus."""
        for key in keys:
            code, number, text = KEYS.get(
                key, (key if len(key) > 1 else _code(key), _number(key), key if len(key) == 1 else "")
            )
            known = {"key": key, "code": code, "windowsVirtualKeyCode": number}
            self.ask("Input.dispatchKeyEvent", type="keyDown", **known, **({"text": text} if text else {}))
            self.ask("Input.dispatchKeyEvent", type="keyUp", **known)

    def type(self, words: str) -> None:
        self.ask("Input.insertText", text=words)

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]))

    def faults(self) -> list[str]:
        """What the console holds: errors, warnings, broken policies, exceptions."""
        found = []
        for event in self.events:
            parameters = event.get("params", {})
            if event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
                found.append(parameters["entry"]["text"])
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(json.dumps(parameters["exceptionDetails"]))
            if event.get("method") == "Runtime.consoleAPICalled":
                found.append(json.dumps(parameters["args"]))
        return found

    def requests(self) -> list[str]:
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def close(self) -> None:
        """End the browser, and nothing else."""
        self.session = ""
        try:
            self.ask("Browser.close")
        except (AssertionError, OSError):
            self.process.kill()
        for end in (self.read, self.write):
            os.close(end)
        try:
            self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _code(key: str) -> str:
    return f"Digit{key}" if key.isdigit() else f"Key{key.upper()}"


def _number(key: str) -> int:
    return {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}.get(key, ord(key[0].upper()))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The browser of this machine, if it can be driven and may read our files (one in a sandbox may not)."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "probe.html").write_text("<title>probe</title>", encoding="utf-8")
    found = Browser(str(PROGRAM), folder / "profile")
    try:
        try:
            found.open_window()
            found.ask("Page.navigate", url=(folder / "probe.html").as_uri())
            found.wait("document.title === 'probe'")
            found.close_window()
        except (AssertionError, OSError) as error:
            pytest.skip(f"{NO_BROWSER}: {PROGRAM} cannot be driven here ({str(error).splitlines()[0]})")
        yield found
    finally:
        found.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    chromium.open_window()
    yield chromium
    chromium.close_window()


@pytest.fixture(scope="module")
def sources(music_folder: Path) -> Sources:
    """Two pieces of a real band, and two of each of two models."""
    files = sorted(music_folder.iterdir())
    return {"the real band": files[:2], "model-a": files[2:4], "model-b": files[4:6]}


@pytest.fixture(scope="module")
def pairs_test(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pairs, one of them asked again; half a second of each clip is enough."""
    folder = tmp_path_factory.mktemp("pairs")
    make_listening_test(sources, folder, ListeningWish(clips=2, seconds=3.0, must_hear_seconds=0.3, checks=1, seed=5))
    return folder


def start(browser: Browser, page: str, reader: str) -> None:
    """Fill in the form, with the keyboard alone."""
    browser.open(page)
    browser.wait("document.activeElement.id === 'reader'")
    browser.type(reader)
    browser.press("Tab", " ", "Tab", " ", "Tab", "Tab", "Enter")
    browser.wait("!document.getElementById('trial').hidden")


def hear(browser: Browser, key: str, player: int) -> None:
    browser.press(key)
    browser.wait(f"players[{player}].mayBeJudged")


def answer_pair(browser: Browser, choice: str) -> None:
    """Hear both, choose, go on."""
    before = browser.run("session.answers.length")
    hear(browser, "ArrowLeft", 0)
    hear(browser, "ArrowRight", 1)
    browser.press(choice, "Enter")
    browser.wait(f"session.answers.length === {before + 1}")


def saved(browser: Browser, folder: Path) -> Path:
    """Press what has the focus, or the button to save; the file that arrives."""
    folder.mkdir(exist_ok=True)
    browser.session, session = "", browser.session
    browser.ask(
        "Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder), browserContextId=browser.profile
    )
    browser.session = session
    browser.run("document.getElementById('save').focus()")
    browser.press("Enter")
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := list(folder.glob("*.json"))):
        assert time.monotonic() < end, "nothing was saved"
        time.sleep(0.02)
    return found[0]


def test_a_whole_session_with_the_keyboard_a_reload_and_the_score(
    browser: Browser, pairs_test: Path, tmp_path: Path
) -> None:
    key, page = read_key(pairs_test / "key.json"), (pairs_test / "listen.html").as_uri()
    start(browser, page, "Ann Lee")
    heard = []
    for number in range(7):
        if number == 3:  # what was answered is kept, and what was not is asked again
            browser.press("ArrowLeft")
            browser.open(page)
            browser.wait("session?.answers.length === 3")
            assert browser.run("document.getElementById('count').textContent") == "Pair 4 of 7"
        heard.append(tuple(browser.run("clips")))
        prefers_real = 1 if key.source_of(heard[-1][1]) == key.real else 0
        answer_pair(browser, str(prefers_real + 1))
    browser.wait("document.activeElement.id === 'thanks'")
    path = saved(browser, tmp_path / "results")
    results = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == f"listening-{key.test}-ann-lee.json"
    assert (results["seed"], results["woodshed"], results["reader"]) == (5, __version__, "Ann Lee")
    assert (results["experience"], results["equipment"], results["asked"]) == ("listens", "headphones", 7)
    reader = read_results(path, key)
    sheet = json.loads(data_of(pairs_test / "listen.html"))["sheets"][sheet_number(key.test, "Ann Lee")]
    assert [answer.trial for answer in reader.answers] == [entry // 2 for entry in sheet]
    assert [answer.clips for answer in reader.answers] == heard
    assert heard[6] == heard[0][::-1]
    assert reader.answers[6].is_again
    assert all(least > 290 for answer in results["answers"] for least in answer["heard_ms"])
    score = score_test(key, [reader], np.random.default_rng(0))
    assert (score.accuracy.successes, score.accuracy.count) == (4, 4)
    assert browser.faults() == []
    outside = [address for address in browser.requests() if not address.startswith(("data:", "blob:"))]
    assert set(outside) == {page}


def test_an_answer_waits_until_both_were_heard_and_next_until_there_is_one(browser: Browser, pairs_test: Path) -> None:
    start(browser, (pairs_test / "listen.html").as_uri(), "bob")
    said = "document.getElementById('status').textContent"
    browser.press("1")
    assert browser.run(said) == "First hear at least 1 second of the first clip and the second clip."
    browser.press("Enter")
    assert browser.run(said) == "Listen, then choose."
    hear(browser, "ArrowLeft", 0)
    browser.press("2")
    assert browser.run(said) == "First hear at least 1 second of the second clip."
    hear(browser, "ArrowRight", 1)
    assert not browser.run("players[0].isPlaying")
    browser.press("Enter")
    assert browser.run(said) == "Choose first."
    browser.press("1", "2", "1")
    assert browser.run("choices.map((choice) => choice.getAttribute('aria-pressed')).join()") == "true,false"
    browser.press("Enter")
    assert browser.run("session.answers.length") == 1
    assert browser.run("session.answers[0].answer === session.answers[0].clips[0]")


def test_space_stops_and_starts_and_a_jump_is_not_heard(browser: Browser, pairs_test: Path) -> None:
    start(browser, (pairs_test / "listen.html").as_uri(), "cy")
    browser.press(" ")
    browser.wait("players[0].isPlaying && players[0].audio.currentTime > 0.05")
    browser.press(" ")
    browser.wait("players[0].button.getAttribute('aria-label') === 'Play the first clip'")
    heard = browser.run("players[0].heard")
    browser.run("players[0].place.value = 1.5; players[0].place.dispatchEvent(new Event('input'))")
    browser.wait("Math.abs(players[0].audio.currentTime - 1.5) < 0.1")
    browser.press(" ")
    browser.wait("players[0].isPlaying && players[0].audio.currentTime > 1.55")
    assert browser.run("players[0].heard") < heard + 0.5


def test_readers_on_one_computer_have_their_own_order_and_place(browser: Browser, pairs_test: Path) -> None:
    page = (pairs_test / "listen.html").as_uri()
    start(browser, page, "Ann")
    answer_pair(browser, "1")
    browser.run("document.getElementById('leave').click()")
    start(browser, page, "Ben")
    test = browser.run("test.test")
    for reader in ("Ann", "ben", "Ünal 音楽", " Ann   Lee"):
        assert browser.run(f"sheetNumber({json.dumps(reader)})") == sheet_number(test, reader)
    assert browser.run("[session.answers.length, session.sheet]") == [0, sheet_number(test, "ben")]
    browser.run("document.getElementById('leave').click()")
    start(browser, page, "  ann ")
    assert browser.run("[session.reader, session.answers.length]") == ["Ann", 1]


def test_the_checksum_of_the_page_is_that_of_python(browser: Browser, pairs_test: Path) -> None:
    start(browser, (pairs_test / "listen.html").as_uri(), 'Zoë "\u2028" 🎸 <b>')
    results = json.loads(browser.run("results()"))
    assert results.pop("checksum") == results_checksum(results)


def test_human_or_machine_from_a_server_on_a_narrow_screen(browser: Browser, sources: Sources, tmp_path: Path) -> None:
    wish = ListeningWish("turing", clips=1, seconds=3.0, must_hear_seconds=0.2, checks=0, title="Bands & machines")
    made = make_listening_test({name: sources[name] for name in ("the real band", "model-a")}, tmp_path / "made", wish)
    browser.ask("Emulation.setDeviceMetricsOverride", width=320, height=640, deviceScaleFactor=1, mobile=True)
    with served(made.page.parent) as address:
        start(browser, f"{address}/listen.html", "dee")
        for key in ("h", "m"):
            hear(browser, " ", 0)
            browser.press(key, "k", "Enter")
        browser.wait("!document.getElementById('done').hidden")
        answers = browser.run("session.answers")
        assert [answer["answer"] for answer in answers] == ["human", "machine"]
        assert [answer["known"] for answer in answers] == [True, True]
        assert browser.run("document.documentElement.scrollWidth") <= 320
        assert [path for path in browser.requests() if path.startswith("http")] == [f"{address}/listen.html"]
    assert browser.faults() == []


def test_what_others_left_in_the_storage_is_no_session(browser: Browser, pairs_test: Path) -> None:
    page = (pairs_test / "listen.html").as_uri()
    browser.open(page)
    for kept in ("{", "7", '{"answers": 3}', '{"answers": [], "sheet": 1000}'):
        browser.run(f"localStorage.setItem(turnPlace, 'ann'); localStorage.setItem(placeOf('ann'), {json.dumps(kept)})")
        browser.open(page)
        assert not browser.run("document.getElementById('welcome').hidden")
    assert browser.faults() == []


def test_without_storage_the_page_works_and_says_so(browser: Browser, pairs_test: Path) -> None:
    block = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('blocked'); }});"
    browser.ask("Page.addScriptToEvaluateOnNewDocument", source=block)
    start(browser, (pairs_test / "listen.html").as_uri(), "eve")
    assert "keeps nothing" in browser.run("document.getElementById('warning').textContent")
    answer_pair(browser, "2")
    assert browser.run("session.answers.length") == 1


def data_of(page: Path) -> str:
    """What the page knows, as JSON."""
    text = page.read_text(encoding="utf-8")
    return text.split('<script type="application/json" id="test">')[1].split("</script>")[0]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder on a server of this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
