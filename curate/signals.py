"""Ctrl-C and SIGTERM: before a command has begun they end it at once, while it runs they let it keep what is done."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_PACKAGES = ("curate", "synth", "cachebuild", "train", "app")
_came: list[int] = []


def quiet_start() -> None:
    """Let Ctrl-C end a command without a traceback while its modules are still being imported.

    Called by the packages that hold commands; does nothing where another program imports them.
    """
    if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def _is_command() -> bool:
    """Whether this process is `python -m` of one of our commands, or the `cacherl` script."""
    script = (sys.argv or [""])[0]
    if script != "-m":  # what Python puts there until it has found the module
        return os.path.basename(script) == "cacherl"
    module = sys.orig_argv[-len(sys.argv)].removeprefix("-m")
    return module.split(".")[0] in _PACKAGES


def _leave(number: int, frame: Any) -> None:
    os._exit(128 + number)


def _stop(number: int, frame: Any) -> None:
    _came.append(number)
    raise KeyboardInterrupt


@contextmanager
def orderly_stop() -> Iterator[None]:
    """For the time of the block, Ctrl-C and SIGTERM raise KeyboardInterrupt; a program's own handlers stay."""
    replaced = {}
    if threading.current_thread() is threading.main_thread():
        replaced = {
            number: signal.signal(number, _stop)
            for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL))
            if signal.getsignal(number) in (usual, _leave)
        }
    if replaced:
        _came.clear()
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


@contextmanager
def signals_later() -> Iterator[None]:
    """Ctrl-C waits until the block is over; processes that are started in it never get one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def arrived(number: int) -> KeyboardInterrupt:
    """The error to raise for a signal that the caller has handled itself, once it has kept what is done."""
    _came.append(number)
    return KeyboardInterrupt()


def stopped_by(error: BaseException) -> int | None:
    """The signal that ended a command with this error; None if it was none.

    A library in the middle of its import, or a worker that got the signal too, can turn it into an error of another
    kind.
    """
    if _came:
        return _came[0]
    return int(signal.SIGINT) if isinstance(error, KeyboardInterrupt) else None
