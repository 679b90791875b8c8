"""Who asks the same thing at the same time shares one call: one goes, the others wait for its result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(eq=False)
class _UnderWay(Generic[T]):
    """A call that is being made; `loop` is the event loop that makes it, None for a thread."""

    loop: asyncio.AbstractEventLoop | None
    result: Future[T] = field(default_factory=Future)


class Coalescer(Generic[T]):
    """Calls under way by key, for threads and event loops alike; what has ended is forgotten."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: dict[str, _UnderWay[T]] = {}

    def run(self, key: str, call: Callable[[], T]) -> tuple[T, bool]:
        """(result, whether another's call gave it); an exception of the call reaches all who wait for it."""
        mine, going = self._join(key, None)
        if not mine and going.loop is not None and going.loop is _running_loop():
            return call(), False  # to wait here would keep the loop from ever finishing the other's call
        if mine:
            try:
                self._end(key, going, call(), None)
            except BaseException as error:
                self._end(key, going, None, error)
                raise
        return going.result.result(), not mine

    async def run_async(self, key: str, call: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """As `run`, for coroutines; a caller that is cancelled leaves the call to the others."""
        mine, going = self._join(key, asyncio.get_running_loop())
        if not mine:
            return await asyncio.shield(asyncio.wrap_future(going.result)), True
        return await asyncio.shield(asyncio.ensure_future(self._lead(key, going, call))), False

    async def _lead(self, key: str, going: _UnderWay[T], call: Callable[[], Awaitable[T]]) -> T:
        try:
            result = await call()
        except BaseException as error:
            self._end(key, going, None, error)
            raise
        self._end(key, going, result, None)
        return result

    def _join(self, key: str, loop: asyncio.AbstractEventLoop | None) -> tuple[bool, _UnderWay[T]]:
        with self._lock:
            if key in self._calls:
                return False, self._calls[key]
            self._calls[key] = _UnderWay(loop)
            return True, self._calls[key]

    def _end(self, key: str, going: _UnderWay[T], result: T | None, error: BaseException | None) -> None:
        with self._lock:
            self._calls.pop(key, None)
        if error is not None:
            going.result.set_exception(error)
        else:
            going.result.set_result(result)  # type: ignore[arg-type]


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
