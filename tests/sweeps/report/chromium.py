"""Drives Debian's Chromium over a pipe, by the DevTools protocol: no port is opened, and nothing beyond the standard library is needed.

With `--remote-debugging-pipe` Chromium reads commands from file descriptor 3 and writes answers and events to 4, each a JSON object with a
NUL byte after it. https://chromedevtools.github.io/devtools-protocol/ names what can be asked.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_S = 60.0
FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # a container's root has no other way
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-default-browser-check",
    "--no-first-run",
)
# Between fork and exec the two ends get the numbers that Chromium wants; both go out of the way first, since one may hold the other's.
_LAUNCH = (
    "import fcntl, os, sys\n"
    "ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]\n"
    "for number, end in enumerate(ends, start=3): os.dup2(end, number, inheritable=True)\n"
    "os.execv(sys.argv[3], sys.argv[3:])\n"
)
_KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " ")}


class BrowserError(RuntimeError):
    """The browser refused a command, or a page's script threw."""


class Browser:
    """One headless Chromium with a profile of its own, which goes with `close`."""

    def __init__(self, profile: Path) -> None:
        read_commands, self._commands = os.pipe()
        self._answers, write_answers = os.pipe()
        launch = [sys.executable, "-I", "-S", "-c", _LAUNCH, str(read_commands), str(write_answers), str(CHROMIUM)]
        self._process = subprocess.Popen(
            [*launch, *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(read_commands, write_answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_commands)
        os.close(write_answers)
        self._number, self._rest = 0, b""
        self.listeners: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        """Session -> what it does with an event."""

    def ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Send a command and return its answer; events that come before it go to their listeners."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") != self._number:
                self._tell(message)
            elif "error" in message:
                raise BrowserError(f"{method}: {message['error']}")
            else:
                return message["result"]

    def drain(self, seconds: float) -> None:
        """Hand out the events of the next `seconds`."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and (b"\0" in self._rest or select.select([self._answers], [], [], left)[0]):
            self._tell(self._next())

    def _tell(self, message: dict[str, Any]) -> None:
        if listener := self.listeners.get(message.get("sessionId", "")):
            listener(message.get("method", ""), message.get("params", {}))

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_S
        while b"\0" not in self._rest:
            if not select.select([self._answers], [], [], max(until - time.monotonic(), 0.0))[0]:
                raise BrowserError(f"Chromium said nothing for {PATIENCE_S:.0f} s")
            piece = os.read(self._answers, 2**20)
            if not piece:
                raise BrowserError(f"Chromium has ended with {self._process.wait(timeout=10)}")
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def close(self) -> None:
        """End the browser, by word and then by force."""
        try:
            self.ask("Browser.close")
            self._process.wait(timeout=10)
        except (BrowserError, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait(timeout=10)
        os.close(self._commands)
        os.close(self._answers)


class Tab:
    """One page, and what went wrong in it: `said` by the console, the log and exceptions, `asked` for over the network."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.ask("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        browser.listeners[self._session] = self._listen
        self.said: list[str] = []
        self.asked: list[str] = []
        self._loaded = False
        for room in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{room}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command to this page."""
        return self._browser.ask(method, self._session, **parameters)

    def _listen(self, method: str, event: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.exceptionThrown":
            self.said.append(json.dumps(event["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled":
            self.said.append(f"{event['type']}: {event['args']}"[:500])
        elif method == "Log.entryAdded":
            self.said.append(f"{event['entry']['level']}: {event['entry']['text']}")
        elif method == "Network.requestWillBeSent" and not event["request"]["url"].startswith("data:"):
            self.asked.append(event["request"]["url"])

    def open(self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False, settle_s: float = 0.1) -> None:
        """Load a file in a window of a size, in a light or dark setting, and wait `settle_s` for what comes late."""
        self.size(width, height)
        self.show_as(dark=dark)
        self.said, self.asked, self._loaded = [], [], False
        self.ask("Page.navigate", url=page.as_uri())
        until = time.monotonic() + PATIENCE_S
        while not self._loaded:
            if time.monotonic() > until:
                raise BrowserError(f"{page} has not loaded in {PATIENCE_S:.0f} s")
            self._browser.drain(0.05)
        self._browser.drain(settle_s)

    def wait(self, seconds: float) -> None:
        """Let the page go on for a while, listening to it."""
        self._browser.drain(seconds)

    def size(self, width: int, height: int) -> None:
        """Give the window a size in CSS pixels."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def show_as(self, *, dark: bool = False, medium: str = "") -> None:
        """Set the reader's light or dark setting, and a medium (`print`) where it shall be another than the true one."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media=medium, features=[scheme])

    def run(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited where it is a promise. The page's policy does not bind it."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True)
        if fault := answer.get("exceptionDetails"):
            raise BrowserError(f"{fault.get('text')} {fault.get('exception', {}).get('description', '')}: {expression[:200]}")
        return answer["result"].get("value")

    def click(self, element: str) -> None:
        """Click with the mouse in the middle of what a JavaScript expression gives, scrolled into view."""
        middle = "e.scrollIntoView({block: 'center', behavior: 'instant'}); const b = e.getBoundingClientRect();"
        x, y = self.run(f"(() => {{ const e = {element}; {middle} return [b.x + b.width / 2, b.y + b.height / 2]; }})()")
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str) -> None:
        """Press and release one key: Tab, Enter or a space."""
        code, text = _KEYS[key]
        told = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **told, **({"text": text} if text else {}))
        self.ask("Input.dispatchKeyEvent", type="keyUp", **told)

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """Save what is seen as PNG, or the whole page."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def printed(self) -> bytes:
        """Return the page as PDF on A4."""
        sheet = {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": True}
        return base64.b64decode(self.ask("Page.printToPDF", **sheet)["data"])
