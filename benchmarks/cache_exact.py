"""What an exact look-up in a large cache costs, and what an open cache holds; a part of `cache.py`.

Synthetic calls with results of about 200 bytes go straight through the index builder. Times are of a warm page cache,
in microseconds, from arguments (as text) to the decoded outcomes.
"""

from __future__ import annotations

import json
import mmap
import multiprocessing
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cachebuild.cache import Session
from cachebuild.calibration import CalibrationSettings, ToolCalibration
from cachebuild.hash_file import HashFile
from cachebuild.index import EntryIndex
from cachebuild.key import Place, exact_key, normalised_key, read_arguments
from cachebuild.lookup import Lookup, LookupSettings, ToolFacts
from cachebuild.state import SessionState

if TYPE_CHECKING:
    import polars as pl

TOOLS = 16
PLACE = Place("shop", None, "")
READERS = (1, 2, 4, 8, 16)
PASSES = 5
"""The quickest counts, once all pages of the index are mapped into the process; its first touches stand beside."""
EPISODE = 50
"""Calls of one session; it keeps what they read."""
_BATCH = 50_000


def call(number: int) -> tuple[str, str, str]:
    """(tool, arguments as a model writes them, result) of a synthetic call."""
    arguments = f'{{"order_id": "#W{number}", "page": {number % 7}, "with_items": true}}'
    result = f'{{"order_id":"#W{number}","status":"delivered","items":["{number * 7919:012d}'
    return f"get_{number % TOOLS}", arguments, f'{result}{"x" * (197 - len(result))}"]}}'


def frames(entries: int) -> Iterator[pl.DataFrame]:
    """The entries as the builder takes them."""
    import polars as pl

    from cachebuild.index_build import COLUMNS

    kinds = [pl.String, pl.Int32, *[pl.String] * 10, pl.Boolean]
    for start in range(0, entries, _BATCH):
        rows = []
        for number in range(start, min(start + _BATCH, entries)):
            tool, arguments, result = call(number)
            text = read_arguments(arguments).canonical
            keys = exact_key(PLACE, tool, text, ""), normalised_key(PLACE, tool, text.casefold(), "")
            source = f"{number // 10:032x}", number % 50, *PLACE_COLUMNS[:2], f"g{number // 1000}", PLACE_COLUMNS[2]
            rows.append((*source, tool, text, "", *keys, result, True))
        yield pl.DataFrame(rows, schema=dict(zip(COLUMNS, kinds, strict=True)), orient="row")


PLACE_COLUMNS = (PLACE.env_id, PLACE.initial_state_id, PLACE.scope_value)


def build(entries: int, path: Path) -> None:
    """Write the index of so many calls."""
    from cachebuild.index_build import write_index

    start = time.perf_counter()
    with path.open("wb") as handle:
        write_index(frames(entries), handle, path.with_suffix(".spill"), {})
    took = time.perf_counter() - start
    print(f"{entries:,} calls made and indexed in {took:.0f} s, {path.stat().st_size / entries:.0f} bytes a call")


def opened(path: Path) -> EntryIndex:
    """The index, without a cache folder around it."""
    return EntryIndex(None, HashFile(path))  # type: ignore[arg-type]


def session(index: EntryIndex) -> Session:
    """A session of a cache that holds the index."""
    facts = ToolFacts("read", False, False, frozenset(("exact",)), 1.0, ToolCalibration({}, CalibrationSettings()))
    tools = {("shop", f"get_{number}"): facts for number in range(TOOLS)}
    kinds: Any = {f"get_{number}": "read" for number in range(TOOLS)}
    state = SessionState(kinds=kinds)
    return Session(Lookup(index, tools, LookupSettings()), state, "shop", None, None, 0)


def touch(path: Path, index: EntryIndex) -> None:
    """Map every page of the index into this process, as a reader that has worked for long has."""
    mapped: Any = index._file._map
    for at in range(0, path.stat().st_size, mmap.PAGESIZE):
        mapped[at]


def measure(index: EntryIndex, entries: int, queries: int, seed: int = 0) -> dict[str, Any]:
    """Times of the look-up and of `Session.call` in us (p50, p99), and wrong answers."""
    live, numbers = session(index), random.Random(seed)
    asked = [call(numbers.randrange(2 * entries)) for _ in range(queries)]
    known = [int(json.loads(arguments)["order_id"][2:]) < entries for _, arguments, _ in asked]
    looked, called, wrong = [], [], 0
    clock = time.perf_counter_ns
    for number, ((tool, arguments, result), held) in enumerate(zip(asked, known, strict=True)):
        if number % EPISODE == 0:
            live = session(index)
        begin = clock()
        found = index.outcomes(exact_key(PLACE, tool, read_arguments(arguments).canonical, ""))
        between = clock()
        answer = live.call(tool, arguments)
        end = clock()
        looked.append(between - begin)
        called.append(end - between)
        wrong += [outcome.result for outcome in found] != [result] * held or (answer.tier == "exact") != held
        wrong += held and answer.result != result
    return {"look_up": percentiles(looked), "call": percentiles(called), "wrong": wrong}


def percentiles(times: list[int]) -> tuple[float, float]:
    """(p50, p99) in us of times in ns."""
    times = sorted(times)
    return times[len(times) // 2] / 1e3, times[len(times) * 99 // 100] / 1e3


def private_mb() -> float:
    """Memory that this process shares with no other and no file, in MB (Linux)."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Anonymous:")) / 1024


def read(path: str, entries: int, seconds: float, seed: int) -> tuple[float, float]:
    """One reading process: (look-ups a second, private MB)."""
    index, numbers, done = opened(Path(path)), random.Random(seed), 0
    end = time.perf_counter() + seconds
    start = time.perf_counter()
    while time.perf_counter() < end:
        for _ in range(500):
            tool, arguments, _ = call(numbers.randrange(entries))
            if not index.outcomes(exact_key(PLACE, tool, read_arguments(arguments).canonical, "")):
                raise AssertionError("a recorded call was not found")
        done += 500
    return done / (time.perf_counter() - start), private_mb()


def scaling(path: Path, entries: int, seconds: float) -> tuple[dict[int, float], float]:
    """(look-ups a second of so many processes together, the most private memory of one in MB)."""
    rates, private = {}, 0.0
    context = multiprocessing.get_context("spawn")
    for readers in READERS:
        with context.Pool(readers) as pool:
            pool.starmap(read, [(str(path), entries, 0.1, seed) for seed in range(readers)], chunksize=1)
            found = pool.starmap(read, [(str(path), entries, seconds, seed) for seed in range(readers)], chunksize=1)
        rates[readers] = sum(rate for rate, _ in found)
        private = max(private, *(memory for _, memory in found))
    return rates, private


def cold_open_ms(path: Path) -> float:
    """Milliseconds of an open in a new process, its imports not counted."""
    code = (
        "import sys, time; from pathlib import Path; from cachebuild.index import EntryIndex; "
        "from cachebuild.hash_file import HashFile; start = time.perf_counter(); "
        "EntryIndex(None, HashFile(Path(sys.argv[1]))); print((time.perf_counter() - start) * 1000)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    return float(run.stdout)


def exact_part(entries: int, queries: int, seconds: float, folder: Path) -> dict[str, float]:
    """Build, measure and print one size.

    Args:
        entries: calls of the cache.
        queries: look-ups that are timed, in each of `PASSES` passes; half of them hit.
        seconds: how long each number of reading processes reads.
        folder: where the index is made, and removed again.

    Returns:
        `p99_us` of a look-up, `open_ms` of a new process, `private_mb` of a reading process.

    Raises:
        AssertionError: if any answer was wrong.
    """
    path = folder / f"{entries}.mmap"
    build(entries, path)
    index = opened(path)
    first = measure(index, entries, queries)
    touch(path, index)
    passes = [measure(index, entries, queries, seed) for seed in range(1, PASSES + 1)]
    found = min(passes, key=lambda one: one["look_up"][1])  # what else runs on the machine only adds
    wrong = sum(one["wrong"] for one in (first, *passes))
    rates, private = scaling(path, entries, seconds)
    print(f"\n{entries:,} calls | p50 us | p99 us\n---|---|---")
    for name, label in ("look_up", "arguments, key, outcomes"), ("call", "Session.call"):
        print(f"{label} | {found[name][0]:.1f} | {found[name][1]:.1f}")
        print(f"{label}, a new process's first {queries:,} | {first[name][0]:.1f} | {first[name][1]:.1f}")
    for readers, rate in rates.items():
        print(f"{readers} reading processes: {rate:,.0f} look-ups a second")
    open_ms = cold_open_ms(path)
    print(f"{wrong} wrong answers; opened in {open_ms:.2f} ms; a reader holds {private:.1f} MB of its own")
    path.unlink()
    assert not wrong, "a look-up gave a wrong answer"
    return {"p99_us": found["look_up"][1], "open_ms": open_ms, "private_mb": private}
