"""Does something every so often on a thread of its own, until it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable

from curate.cli import say


class Timer:
    """A thread that calls `work` every `seconds`; a failure is told and the next turn tries again.

    Args:
        work: what is done.
        seconds: between two turns; 0 for never.
        what: what fails, in words.
    """

    def __init__(self, work: Callable[[], object], seconds: float, what: str) -> None:
        self._work = work
        self._seconds = seconds
        self._what = what
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=what, daemon=True)
        if seconds > 0:
            self._thread.start()

    def stop(self) -> None:
        """End the thread; work that has begun is finished first."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        told = ""
        while not self._stopping.wait(self._seconds):
            try:
                self._work()
                told = ""
            except Exception as error:  # the labels go on without a copy; the next turn may succeed
                if str(error) != told:
                    say(f"{self._what} failed: {error}")
                told = str(error)
