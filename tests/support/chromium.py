"""A headless Chromium, spoken to over a pipe: pages are opened from files, keys pressed, errors collected."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
_KEYS = {
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}
_PATIENCE = 30.0
# Chromium reads its orders from descriptor 3 and answers on 4.
_LAUNCH = "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(w, 4); os.dup2(r, 3); os.execv(sys.argv[3], sys.argv[3:])"


def find() -> str | None:
    """Where Chromium is, if anywhere."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Chromium:
    """One page in one browser; a context."""

    def __init__(self, binary: str, folder: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        self.errors: list[str] = []
        """What the console was told of, and requests to a network."""
        self._number, self._buffer, self._loaded, self._session = 0, b"", False, None
        read_orders, self._orders = (_high(end) for end in os.pipe())
        self._answers, write_answers = (_high(end) for end in os.pipe())
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={folder}"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, str(read_orders), str(write_answers), binary, *flags],
            pass_fds=(read_orders, write_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_orders)
        os.close(write_answers)
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable", {})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", {"features": [scheme]})

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._orders)
        os.close(self._answers)
        self._process.terminate()
        self._process.wait(_PATIENCE)

    def call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Gives an order and waits for its answer."""
        self._number += 1
        order = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            order["sessionId"] = self._session
        os.write(self._orders, json.dumps(order).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def open(self, page: Path) -> None:
        """Opens a file and waits until all of it is loaded."""
        self._loaded = False
        self.call("Page.navigate", {"url": page.as_uri()})
        while not self._loaded:
            self._next()

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str) -> bool:
        """Whether a JavaScript expression becomes true before long."""
        end = time.monotonic() + _PATIENCE
        while not (true := bool(self.evaluate(expression))) and time.monotonic() < end:
            time.sleep(0.1)
        return true

    def point(self, x: float, y: float) -> None:
        """Moves the pointer to a place of the window."""
        for place in ((x - 3, y - 3), (x, y)):
            self.call("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": place[0], "y": place[1]})

    def press(self, key: str) -> None:
        """Presses a key as a person would, on whatever has the focus."""
        told = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
        self.call("Input.dispatchKeyEvent", {"type": "keyDown", **told, **({"text": "\r"} if key == "Enter" else {})})
        self.call("Input.dispatchKeyEvent", {"type": "keyUp", **told})

    def screenshot(self, path: Path) -> None:
        """Writes the whole page as a PNG."""
        taken = self.call("Page.captureScreenshot", {"captureBeyondViewport": True})
        path.write_bytes(base64.b64decode(taken["data"]))

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + _PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, until - time.monotonic()))
            read = os.read(self._answers, 1 << 20) if ready else b""
            assert read, f"Chromium fell silent (exit code {self._process.poll()})"
            self._buffer += read
        line, _, self._buffer = self._buffer.partition(b"\0")
        answer = json.loads(line)
        self._note(answer.get("method"), answer.get("params", {}))
        return answer

    def _note(self, method: str | None, told: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(told["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.errors.append(told["entry"]["text"])
        elif method == "Network.requestWillBeSent" and not told["request"]["url"].startswith(("data:", "file:")):
            self.errors.append(f"asks for {told['request']['url']}")


def _high(descriptor: int) -> int:
    """The same pipe under a number that is not one of those that Chromium expects."""
    moved = os.dup(descriptor) if descriptor < 5 else descriptor
    while moved < 5:
        moved = os.dup(moved)
    return moved
