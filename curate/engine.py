"""Where work is done: in this process, in several on this machine, or on a Ray cluster; the results are the same.

A task is a picklable callable from one job to one result. Jobs are handed out as they come, a bounded number at a
time, and results come back in the order of the jobs, so that no output depends on how many workers there were.
"""

from __future__ import annotations

import itertools
import os
import pickle
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from curate.errors import CacheRLError, UsageError
from curate.signals import signals_later

if TYPE_CHECKING:
    from curate.neardup import Comparer
    from curate.neardup_chunks import ChunkRows
    from curate.settings import RunSettings

J = TypeVar("J")
R = TypeVar("R")

AHEAD = 2
"""Jobs handed out per worker: one at work, one waiting."""


class WorkerLost(CacheRLError):
    """A worker process ended before its job was done, most likely killed for its memory."""


class Engine(Protocol):
    """Maps a task over jobs; a context manager."""

    def map(self, task: Callable[[J], R], jobs: Iterable[J]) -> Iterator[R]:
        """Results in the order of the jobs."""
        ...

    def reach(self, folder: Path) -> None:
        """Make sure that all workers see the folder that chunk files lie in."""

    def comparer(self, rows: ChunkRows, permutations: int) -> Comparer | None:
        """What finds near-duplicates among rows of chunk files; None where this process shall."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def engine_of(settings: RunSettings) -> Engine:
    """The engine that the flags name.

    Raises:
        UsageError: if it is Ray, and Ray is not installed.
    """
    if settings.engine == "local":
        return LocalEngine(settings.workers)
    try:
        from curate.ray_engine import RayEngine
    except ImportError as error:
        raise UsageError(f"--engine ray needs Ray ({error}): pip install 'ray[data]'") from error
    return RayEngine(settings.workers, settings.ray_address)


@dataclass
class LocalEngine:
    """Processes of this machine; use as a context manager.

    Args:
        workers: processes; 0 for one a core, 1 to stay in this process. Work of a single job stays here too.
    """

    workers: int = 0
    _pool: ProcessPoolExecutor | None = field(default=None, init=False)
    _folder: tempfile.TemporaryDirectory[str] | None = field(default=None, init=False)
    _tasks: int = field(default=0, init=False)

    def map(self, task: Callable[[J], R], jobs: Iterable[J]) -> Iterator[R]:
        """Results in the order of the jobs.

        Raises:
            WorkerLost: if a worker process died.
        """
        count = self.workers or cores()
        jobs = iter(jobs)
        first = list(itertools.islice(jobs, 2))
        if count == 1 or len(first) < 2 or not _can_spawn():
            yield from map(task, itertools.chain(first, jobs))
            return
        try:
            yield from self._spread(task, itertools.chain(first, jobs), count)
        except BrokenProcessPool as error:
            raise WorkerLost(
                "a worker process was killed, most likely for lack of memory; run again with fewer --workers"
            ) from error

    def reach(self, folder: Path) -> None:
        """Nothing to do: the workers are on this machine."""

    def comparer(self, rows: ChunkRows, permutations: int) -> None:
        """None: threads of this process are quicker."""

    def _spread(self, task: Callable[[J], R], jobs: Iterator[J], count: int) -> Iterator[R]:
        pool = self._started(count)
        waiting: deque[Future[R]] = deque()
        parked = self._parked(task)
        try:
            for job in jobs:
                with signals_later():  # a process started here is deaf to Ctrl-C from its first moment
                    waiting.append(pool.submit(_work, parked, job))
                if len(waiting) >= AHEAD * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _started(self, count: int) -> ProcessPoolExecutor:
        if self._pool is None:
            import multiprocessing

            # Not by fork: Arrow's and Polars' threads do not survive it.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker)
        return self._pool

    def _parked(self, task: Any) -> str:
        """A file with the pickled task: it may be large, and each worker reads it once instead of with every job."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="cacherl-")
        self._tasks += 1
        path = Path(self._folder.name) / f"task-{self._tasks}"
        path.write_bytes(pickle.dumps(task))
        return str(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


@lru_cache(maxsize=2)
def _task(path: str) -> Callable[[Any], Any]:
    task: Callable[[Any], Any] = pickle.loads(Path(path).read_bytes())
    return task


def _work(path: str, job: Any) -> Any:
    return _task(path)(job)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _can_spawn() -> bool:
    """Whether a new process can import the main module; a script read from stdin cannot be read again."""
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    return getattr(main, "__spec__", None) is not None or path is None or Path(path).exists()


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, use one thread, and end when the parent does, even by SIGKILL."""
    import signal
    import threading

    os.environ["POLARS_MAX_THREADS"] = "1"
    import pyarrow as pa

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pa.set_cpu_count(1)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    import multiprocessing
    from multiprocessing import connection

    parent: Any = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
