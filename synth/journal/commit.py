"""Group commit: one thread makes durable, together, what many tasks hand over while it is busy with the last group."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeAlias, TypeVar

Entry = TypeVar("Entry")
_Waiting: TypeAlias = tuple[Entry, "asyncio.Future[None]"]


class GroupCommit(Generic[Entry]):
    """Hands entries to a thread that commits them in groups.

    Args:
        commit: makes entries durable, called in the thread, one group at a time. What it raises reaches everyone who
            waits for the group, and everyone who comes later: after a failed write nothing can be promised.
    """

    def __init__(self, commit: Callable[[Sequence[Entry]], None]) -> None:
        self._commit = commit
        self._queue: SimpleQueue[_Waiting[Entry] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    async def write(self, entry: Entry) -> None:
        """Hand over an entry; it is durable when this returns."""
        if self._error is not None:
            raise self._error
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
            self._thread.start()
        future = asyncio.get_running_loop().create_future()
        self._queue.put((entry, future))
        await future

    def close(self) -> None:
        """Commit what was handed over, and end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while group := self._next_group():
            if self._error is None:
                try:
                    self._commit([entry for entry, _ in group])
                except BaseException as error:
                    self._error = error
            _wake([future for _, future in group], self._error)

    def _next_group(self) -> list[_Waiting[Entry]]:
        """What waits, at least one; nothing at the end."""
        group: list[_Waiting[Entry]] = []
        item = self._queue.get()
        while item is not None:
            group.append(item)
            try:
                item = self._queue.get_nowait()
            except Empty:
                return group
        if group:
            self._queue.put(None)  # the end comes after the last group
        return group


def _wake(futures: Sequence[asyncio.Future[None]], error: BaseException | None) -> None:
    """Resolve futures in their loop, all in one call; a loop that is closed has nobody left who waits."""
    for loop in {future.get_loop() for future in futures}:
        mine = [future for future in futures if future.get_loop() is loop]
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, mine, error)


def _resolve(futures: Sequence[asyncio.Future[None]], error: BaseException | None) -> None:
    for future in futures:
        if future.done():  # its task was cancelled
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
