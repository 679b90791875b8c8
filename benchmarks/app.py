"""The reader's bars, in a real headless Chromium: opening, memory, long traces, labelling, kills.

`python benchmarks/app.py [--trajectories 100000] [--million] [--only open,memory,long,label,kill]`. Makes its corpus
from recordings of the desk in a temporary folder. Prints a table and, as its last line, one JSON object.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.app_stage import browser, missing, served, visitor

FIGURES = (
    "warm_open_s",
    "cold_open_s",
    "rss_mb_1m",
    "long_trace_s",
    "label_p95_ms",
    "labels_lost",
    "labels_duplicated",
    "labels_blind",
)
PARTS = ("open", "memory", "long", "label", "kill")


def main() -> int:
    """Run the parts and print what they measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trajectories", type=int, default=100_000)
    parser.add_argument("--million", type=int, default=1_000_000, help="rows for the memory part")
    parser.add_argument("--labels", type=int, default=200, help="labels an annotator in the kill part")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--place", type=Path, default=None, help="keep corpora here and use them again")
    given = parser.parse_args()
    why = missing()
    if why is not None:
        sys.stderr.write(f"error: {why}\n")
        return 2
    chosen = given.only.split(",")
    found: dict[str, Any] = dict.fromkeys(FIGURES)
    with tempfile.TemporaryDirectory() as temporary:
        place = given.place or Path(temporary)
        place.mkdir(exist_ok=True)
        for name in PARTS:
            if name in chosen:
                found |= globals()[f"part_{name}"](place, given)
    for name, value in found.items():
        print(f"{name:24} {'not run' if value is None else value}")
    print(json.dumps(found))
    return 0


def part_open(place: Path, given: argparse.Namespace) -> dict[str, Any]:
    """A fresh server and a fresh browser to the grid, five times; then the same page again in the same browser."""
    folder = corpus(place, given.trajectories)
    with served([folder], place):
        pass  # the first open makes the index, once a folder
    cold, warm = [], []
    with browser() as found:
        for _ in range(5):
            with served([folder], place) as server:
                page = visitor(found)
                cold.append(_until_grid(page, server.url))
                warm += [_until_grid(page, f"{server.url}/?page=2") for _ in range(3)]
                page.context.close()
    _say("open, cold", cold)
    _say("open, warm", warm)
    return {"warm_open_s": round(statistics.median(warm), 2), "cold_open_s": round(statistics.median(cold), 2)}


def part_memory(place: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Resident memory of the server over a million trajectories, after browsing, filtering, sorting and a search."""
    folder = corpus(place, given.million)
    with browser() as found, served([folder], place) as server:
        page = visitor(found)
        for query in ("", "?sort=-characters", "?page=2000", "?q=refund"):
            print(f"  browse{query}: {_until_grid(page, f'{server.url}/{query}', 180):.2f} s")
        assert server.process is not None
        peak = _resident_mb(server.process.pid, "VmHWM")
        now = _resident_mb(server.process.pid, "VmRSS")
    print(f"  resident {now:,} MB, at most {peak:,} MB")
    return {"rss_mb_1m": now}


def corpus(place: Path, trajectories: int) -> Path:
    """A dataset folder of that many trajectories, made once."""
    from benchmarks.app_corpus import write_corpus

    out = place / f"corpus-{trajectories}"
    if not out.exists():
        begin = time.perf_counter()
        write_corpus(out, trajectories, seed=1)
        print(f"corpus of {trajectories:,}: {time.perf_counter() - begin:.0f} s")
    return out


def _until_grid(page: Any, url: str, wait_s: float = 60) -> float:
    """Seconds from the request until the table of trajectories is there."""
    begin = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.get_by_test_id("stDataFrame").first.wait_for(timeout=wait_s * 1000)
    return time.perf_counter() - begin


def _resident_mb(pid: int, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1024 if found else 0


def _say(what: str, seconds: list[float]) -> None:
    told = ", ".join(f"{each:.2f}" for each in sorted(seconds))
    print(f"{what}: {told} s")
