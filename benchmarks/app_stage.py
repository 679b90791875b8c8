"""A served reader and a headless Chromium for benchmarks, screenshots and browser tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = Path("/usr/bin/chromium")
WAIT_MS = 30_000


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port: int = line.getsockname()[1]
        return port


class Server:
    """`python -m app` in a process of its own, on loopback.

    Args:
        dirs: folders to open.
        place: folder for labels, indexes and what the server prints.
        flags: further flags.
    """

    def __init__(self, dirs: Sequence[Path], place: Path, flags: Sequence[str] = ()) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = place / "server.log"
        kept = ["--label-dir", str(place / "labels"), "--index-dir", str(place / "index")]
        self._words = [sys.executable, "-m", "app", *map(str, dirs), *kept, "--port", str(self.port), *flags]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, wait_s: float = 120.0) -> float:
        """Start, and wait until it answers; returns the seconds that took."""
        begin = time.perf_counter()
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._words, env=env, stdout=log, stderr=log)
        while not self._answers():
            if self.process.poll() is not None or time.perf_counter() - begin > wait_s:
                raise RuntimeError(f"no server: {self._log.read_text()[-2000:]}")
            time.sleep(0.05)
        return time.perf_counter() - begin

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        return self._end(signal.SIGTERM)

    def printed(self) -> str:
        """All that it has printed."""
        return self._log.read_text()

    def _end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False


@contextmanager
def served(dirs: Sequence[Path], place: Path, flags: Sequence[str] = ()) -> Iterator[Server]:
    """A running server, stopped with the block."""
    server = Server(dirs, place, flags)
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()


def missing() -> str | None:
    """Why there is no browser here; None where there is one."""
    from importlib.util import find_spec

    if find_spec("playwright") is None:
        return "playwright is not installed: pip install -e '.[dev]'"
    return None if CHROMIUM.exists() else f"{CHROMIUM} is not there: apt-get install chromium"


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium, as playwright's Browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        try:
            yield found
        finally:
            found.close()


def visitor(found: Any, *, dark: bool = False, width: int = 1280, height: int = 900) -> Any:
    """A fresh visitor's page: no cookies, nothing cached."""
    scheme = "dark" if dark else "light"
    context = found.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    context.set_default_timeout(WAIT_MS)
    return context.new_page()
