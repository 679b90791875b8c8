"""The engine on Ray: chunks are digested, shuffled by band and verified on all nodes of a cluster; ray's one home.

The chunk files are what the nodes work on, so the folder that holds OUT must be one that all nodes see under the same
path (NFS, Lustre, EFS ...), and each node must have this version installed; both are checked before any work.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa
import ray
import ray.data
from numpy.typing import NDArray
from ray.data.context import ShuffleStrategy
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from curate import __version__
from curate.atomic import write_file
from curate.buckets import bands_and_rows, decoded, distinct
from curate.engine import AHEAD, WorkerLost, cores
from curate.errors import UsageError
from curate.neardup_chunks import FOUND, ChunkRows, GroupPairs, GroupRows, Pairs, compare, measure, part_bits
from curate.neardup_texts import batches_of_pairs

J = TypeVar("J")
R = TypeVar("R")

OBJECT_STORE = 512 * 2**20
"""Shared memory of a Ray that we start; what does not fit is spilled to disk."""
PARTITION_BYTES = 128 * 2**20
"""Band rows that one worker shuffles at a time, about."""
CLUSTER_RETRIES = 3
"""Nodes of a cluster come and go; on one machine a worker that was killed would be killed again."""
LOOPBACK = "127.0.0.2"
"""What Ray itself takes for this machine, 127.0.0.1 for one, it replaces by the address that the network sees."""
_ANSWER_SECONDS = 120
_KNOCK_SECONDS = 10


@dataclass
class RayEngine:
    """Tasks on a Ray cluster, or on a Ray of this machine alone; use as a context manager.

    Args:
        workers: CPUs of a Ray that is started here, tasks at once on a cluster; 0 for all.
        address: of a cluster, as `ray.init` takes it; without it RAY_ADDRESS counts, and without that a Ray is started
            here and ended behind the block. A Ray that this process is connected to already is used as it is.
    """

    workers: int = 0
    address: str | None = None
    _ours: bool = field(default=False, init=False)
    on_cluster: bool = field(default=False, init=False)

    def map(self, task: Callable[[J], R], jobs: Iterable[J]) -> Iterator[R]:
        """Results in the order of the jobs.

        Raises:
            WorkerLost: if a worker process died.
        """
        with ray_errors():
            yield from self._spread(task, jobs)

    def _spread(self, task: Callable[[J], R], jobs: Iterable[J]) -> Iterator[R]:
        run = _run.options(max_retries=CLUSTER_RETRIES if self.on_cluster else 0)
        parked = ray.put(task)
        waiting: deque[Any] = deque()
        try:
            for job in jobs:
                waiting.append(run.remote(parked, job))
                if len(waiting) >= AHEAD * self.cpus:
                    yield ray.get(waiting.popleft())
            while waiting:
                yield ray.get(waiting.popleft())
        finally:
            for result in waiting:
                ray.cancel(result)

    @property
    def cpus(self) -> int:
        """Tasks at once."""
        found: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        return self.workers or max(1, int(found.get("CPU", 1)))

    def reach(self, folder: Path) -> None:
        """Make sure that all nodes see a folder and run this version.

        Raises:
            UsageError: naming the node that does not.
        """
        if not self.on_cluster:
            return
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        probe = folder / "probe"
        write_file(probe, os.urandom(16))
        try:
            for node in nodes:
                if node["Alive"]:
                    _check_node(node["NodeManagerAddress"], folder, _answer(node["NodeID"], probe), probe.read_bytes())
        finally:
            probe.unlink()

    def comparer(self, rows: ChunkRows, permutations: int) -> RayComparer:
        """Finds pairs among rows of chunk files."""
        return RayComparer(self, rows, permutations)

    def __enter__(self) -> Self:
        if not ray.is_initialized():
            address = self.address or os.environ.get("RAY_ADDRESS")
            _connect(address, self.workers or cores())
            self._ours, self.on_cluster = True, address is not None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ours:
            ray.shutdown()
            self._ours = False


@dataclass
class RayComparer:
    """A `neardup.Comparer` whose signatures and texts stay in the chunk files; pairs alone come to this process."""

    engine: RayEngine
    rows: ChunkRows
    permutations: int

    @cached_property
    def _measured(self) -> tuple[NDArray[np.int64], int]:
        every = np.arange(len(self.rows.chunk))
        found = list(self.engine.map(measure, ((path, places) for path, places, _ in self.rows.by_chunk(every))))
        sizes = [np.zeros(0, np.int64), *(sizes for sizes, _ in found)]
        return np.concatenate(sizes), sum(empty for _, empty in found)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each row's text."""
        return self._measured[0]

    @property
    def empty(self) -> int:
        """How many texts hold no word."""
        return self._measured[1]

    def candidates(self, order: NDArray[np.int64], threshold: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """As `buckets.candidate_pairs` of the rows in `order`."""
        codes, crowded = [np.empty(0, np.uint64)], np.zeros(len(order), np.bool_)
        for found in self._shuffled(order, threshold) if len(order) else ():
            numbers, members = found.column("code").to_numpy(), found.column("crowded").to_numpy(zero_copy_only=False)
            codes.append(distinct(numbers[~members]))
            crowded[numbers[members].astype(np.int64)] = True
        return decoded(distinct(np.concatenate(codes))), crowded

    def _shuffled(self, order: NDArray[np.int64], threshold: float) -> Iterator[pa.Table]:
        """What is found in each group, of schema `FOUND`."""
        bands, rows = bands_and_rows(threshold, self.permutations)
        bits = part_bits(len(order))
        volume = len(order) * bands * (16 + 4 * self.permutations)
        partitions = min(bands << bits, max(2 * self.engine.cpus, volume // PARTITION_BYTES))
        data: Any = ray.data  # Ray's hints know of no batch function that takes and gives tables
        with ray_errors():
            _set_up_data(actors=self.engine.on_cluster)
            banded = data.from_arrow(list(self.rows.jobs(order))).map_batches(
                GroupRows(bands, rows, bits), batch_format="pyarrow", batch_size=None
            )
            grouped = banded.groupby("group", num_partitions=partitions)
            pairs_of = GroupPairs(bands, rows, threshold, len(order)).__call__  # Ray asks for its name
            found = grouped.map_groups(pairs_of, batch_format="pyarrow")
            for batch in found.iter_batches(batch_format="pyarrow", batch_size=None):
                yield batch.select(FOUND.names).cast(FOUND)

    def verify(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """The exact Jaccard of pairs of rows."""
        parts = batches_of_pairs(self.sizes[pairs].sum(axis=1))
        found = self.engine.map(compare, (self._job(pairs[part]) for part in parts))
        return np.concatenate([np.empty(0), *found])

    def _job(self, pairs: NDArray[np.int64]) -> Pairs:
        needed = distinct(pairs.ravel().astype(np.uint64)).astype(np.int64)
        files = [(path, places) for path, places, _ in self.rows.by_chunk(needed)]
        return Pairs(files, np.searchsorted(needed, pairs))


@contextmanager
def ray_errors() -> Iterator[None]:
    """What a task raises comes out as it was raised; what else goes wrong on Ray is a lost worker."""
    try:
        yield
    except RayTaskError as error:
        cause = error.cause
        raise (cause if isinstance(cause, Exception) else error) from None
    except RayError as error:
        first = str(error).strip().split("\n")[0]
        raise WorkerLost(
            f"a Ray worker was lost ({type(error).__name__}: {first[:200]}), most likely for lack of memory; run again "
            "(finished work is kept), with fewer --workers"
        ) from error


@ray.remote(num_cpus=1)
def _run(task: Callable[[Any], Any], job: Any) -> Any:
    pa.set_cpu_count(1)
    return task(job)


@ray.remote(num_cpus=0)
def _seen(path: str) -> tuple[bytes | None, str]:
    """(what a file holds for this node, the installed version)."""
    return Path(path).read_bytes() if Path(path).exists() else None, __version__


def _answer(node: str, probe: Path) -> tuple[bytes | None, str | None]:
    """A node's answer; without a version if it cannot even load the question."""
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    try:
        found: tuple[bytes | None, str] = ray.get(
            _seen.options(scheduling_strategy=there).remote(str(probe)), timeout=_ANSWER_SECONDS
        )
    except RayError:
        return None, None
    return found


def _check_node(address: str, folder: Path, answer: tuple[bytes | None, str | None], expected: bytes) -> None:
    held, version = answer
    if version != __version__:
        raise UsageError(f"node {address} of the Ray cluster runs {version or 'no'} cacherl, not {__version__}")
    if held != expected:
        raise UsageError(
            f"node {address} of the Ray cluster does not see {folder}; choose an --out in a folder that all nodes share"
        )


def _connect(address: str | None, cpus: int) -> None:
    """Connect to a cluster, or start a Ray of this machine alone, without a word, a dashboard or usage statistics."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    options: dict[str, Any] = {"address": address}
    if address is not None:
        _knock(address)
    else:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        options = {
            "address": "local",
            "num_cpus": cpus,
            "object_store_memory": OBJECT_STORE,
            "include_dashboard": False,
            **({"_node_ip_address": LOOPBACK} if sys.platform == "linux" else {}),
        }
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**options, configure_logging=False, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        first = str(error).strip().split("\n")[0]
        raise UsageError(f"no Ray at {address or 'this machine'}: {first[:300]}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # ray's own would end the run without keeping what is done


def _knock(address: str) -> None:
    """Refuse an address where nobody listens; Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UsageError(f"no Ray at {address}: {error}; give --ray-address the HOST:PORT of its head node") from error


def _set_up_data(actors: bool) -> None:
    """Make Ray Data quiet; its own shuffle, or one that starts no actors, which take seconds to come up."""
    for name in ("ray.data", "ray.data._internal"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Ray's defaults set options that Ray itself calls deprecated.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"ray\.data\.context")
        context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.shuffle_strategy = ShuffleStrategy.HASH_SHUFFLE if actors else ShuffleStrategy.SORT_SHUFFLE_PULL_BASED
