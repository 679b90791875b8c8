"""How fast raw OpenAI chat becomes a curated set: reader, all default filters, exact and near-duplicates, writing.

`python benchmarks/curate.py` alternates whole runs of `python -m curate` with plain reading of the same file by orjson.
`--gigabytes 5` makes one run over a file of that size instead and reports the memory of all its processes together.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import orjson

# As a script this file stands before the package that it measures, whose name it has.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]
from curate.sandbox.export import export  # noqa: E402


def read_with_orjson(path: Path) -> float:
    """Seconds to read and parse every line of the file in one process."""
    started = time.perf_counter()
    with path.open("rb") as lines:
        for line in lines:
            orjson.loads(line)
    return time.perf_counter() - started


def curate(path: Path, folder: Path, workers: int, flags: list[str]) -> tuple[float, float]:
    """Seconds of one run of the command, imports included, and the most memory of its processes together in MB."""
    out = folder / "curated"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "curate", str(path), "--out", str(out), "--workers", str(workers), *flags]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        memory = Memory(process.pid)
        _, errors = process.communicate()
        seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(errors.decode())
    return seconds, memory.stop()


class Memory:
    """Watches a process and its children; shared pages are counted once (proportional set size)."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """The peak in MB."""
        self._done.set()
        self._thread.join()
        return self._peak / 1e6

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            self._peak = max(self._peak, sum(map(_pss, _family(self._pid))))


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = [
            child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
        ]
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def repeated(path: Path, gigabytes: float, target: Path) -> int:
    """Write the lines of a file again and again, each time with other task ids, up to a size; how many there are."""
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    count, limit = 0, gigabytes * 1e9
    with target.open("wb") as file:
        while file.tell() < limit:
            for row in rows:
                row["task_id"] = f"task-{count}"
                row["messages"][-1]["content"] = f"{count} {os.urandom(300).hex()}"
                file.write(orjson.dumps(row) + b"\n")
                count += 1
    return count


def large(path: Path, folder: Path, settings: argparse.Namespace) -> dict[str, float | None]:
    """One run over a file of many gigabytes."""
    target = folder / "large.jsonl"
    count = repeated(path, settings.gigabytes, target)
    seconds, memory = curate(target, folder, settings.workers, settings.flags)
    size = target.stat().st_size / 1e9
    print(f"{count:,} trajectories, {size:.2f} GB: {seconds:.0f} s, {count / seconds:,.0f}/s, peak {memory:,.0f} MB")
    return {"trajectories_per_s": round(count / seconds, 1), "ratio_to_json_read": None, "peak_rss_mb": round(memory)}


def alternating(path: Path, folder: Path, settings: argparse.Namespace) -> dict[str, float | None]:
    """Runs of the command and of plain reading, one after the other."""
    curate(path, folder, settings.workers, settings.flags)  # warm: compiled kernels are on disk from here on
    print(f"{'run':>4} {'orjson s':>9} {'curate s':>9} {'per s':>8} {'ratio':>7} {'peak MB':>8}")
    rates, ratios, peak = [], [], 0.0
    for number in range(settings.runs):
        read = read_with_orjson(path)
        seconds, memory = curate(path, folder, settings.workers, settings.flags)
        peak = max(peak, memory)
        rates.append(settings.episodes / seconds)
        ratios.append(read / seconds)
        print(f"{number:>4} {read:>9.2f} {seconds:>9.2f} {rates[-1]:>8,.0f} {ratios[-1]:>7.3f} {memory:>8,.0f}")
    return {
        "trajectories_per_s": round(statistics.median(rates), 1),
        "ratio_to_json_read": round(statistics.median(ratios), 4),
        "peak_rss_mb": round(peak),
    }


def main() -> None:
    """Print the table and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=20_000, help="desk episodes in the file")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--gigabytes", type=float, default=0.0, help="one run over a file of this size")
    parser.add_argument("flags", nargs="*", help="further flags of python -m curate, behind --")
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "desk.jsonl"
        export(path, settings.episodes, seed=5)
        size = path.stat().st_size
        print(f"{settings.episodes:,} desk episodes, {size / 1e6:,.0f} MB, {size / settings.episodes:,.0f} bytes each")
        figures = large(path, folder, settings) if settings.gigabytes else alternating(path, folder, settings)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
