"""The fuzzy tier: how fast it is, whether it finds the best call, and how near what it serves comes.

Speed is that of one search tool with 100,000 calls (1M with `--full`), from argument text to answer, warm; they are
made by `search_calls`. Honesty is that of the held-out calls of `held_out`. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

# As a script this file stands beside one of a package's name.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]
sys.path.append(str(Path(__file__).resolve().parent))
from held_out import Case, cases, compiled, nearest, rules  # noqa: E402
from search_calls import TOOL, queries, recorded_trajectories, search_call, write_search_index  # noqa: E402

T = TypeVar("T")
CALIBRATED = 5_000
QUERIES = 2_000
PASSES = 5
"""The quickest counts: what else runs on the machine only adds."""
CHECKED = 3_000
COMPARED = 300_000_000
"""Calls that brute force compares at most, of all queries together."""
FUZZY_AT = 0.8


def speed(calls: int, seed: int) -> dict[str, float]:
    """Measure and print one size; kinds, policies and calibration are those of a compiled cache of `CALIBRATED` calls.

    Returns:
        `p50_ms`, `p99_ms` of look-ups without an equal call; `cpu_p99_ms`; `p99_ms_served`, `p99_ms_not_served`;
        `recall` and `recall_queries`; `build_s` of the search, `open_ms` of it; `private_mb` of the process.
    """
    with tempfile.TemporaryDirectory() as folder:
        compiled(recorded_trajectories(CALIBRATED, seed), Path(folder), {})
        path = Path(folder) / f"index-{'0' * 32}.mmap"
        write_search_index(path, calls, seed)
        build_s = _in_new_process(_first_look_up, folder, path, seed)
        size = sum(file.stat().st_size for file in Path(folder).glob("index-*-*.mmap"))
        found = _in_new_process(_read, folder, path, calls, seed) | {"build_s": build_s}
    _print_speed(calls, found, size / calls)
    return found


def _in_new_process(measure: Callable[..., T], *given: Any) -> T:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *given).result()


def _lookup(folder: str, path: Path) -> Any:
    from cachebuild import ToolCache
    from cachebuild.hash_file import HashFile
    from cachebuild.index import EntryIndex
    from cachebuild.lookup import Lookup

    cache = ToolCache.open(Path(folder) / "cache")
    index = EntryIndex(None, HashFile(path))  # type: ignore[arg-type]
    return Lookup(index, cache.lookup.tools, cache.lookup.settings)


def _query(text: str) -> Any:
    from cachebuild.key import read_arguments
    from cachebuild.lookup import Query
    from cachebuild.state import INDEPENDENT

    return Query("map", None, "t", TOOL, read_arguments(text), INDEPENDENT)


def _first_look_up(folder: str, path: Path, seed: int) -> float:
    """Seconds of the look-up that builds the search."""
    lookup, text = _lookup(folder, path), json.dumps(search_call(random.Random(seed - 1)))
    began = time.perf_counter()
    lookup.answer(_query(text))
    return time.perf_counter() - began


def _read(folder: str, path: Path, calls: int, seed: int) -> dict[str, float]:
    """What a process measures that finds the search built."""
    from cachebuild.candidate_store import open_search

    lookup, texts = _lookup(folder, path), list(queries(QUERIES, calls, seed))
    before = _private_mb()
    lookup.answer(_query(texts[0]))
    calibration = lookup.tools["map", TOOL].calibration
    began = time.perf_counter()
    open_search(lookup.index, lookup.place(_query(texts[0])), TOOL, calibration, lookup.settings)
    found = {"open_ms": 1e3 * (time.perf_counter() - began)}
    found |= _timed(lookup, texts)
    found |= {"private_mb_before": before, "private_mb": _private_mb()}
    found |= _recall(lookup, calls, seed)
    return found


class _Took(NamedTuple):
    wall: float
    cpu: float
    tier: str


def _timed(lookup: Any, texts: Sequence[str]) -> dict[str, float]:
    """Milliseconds of look-ups without an equal call."""
    passes = []
    for _ in range(PASSES):
        passes.append([took for text in texts if (took := _ask(lookup, text)).tier != "exact"])
    found = min(passes, key=lambda one: _at([took.wall for took in one], 0.99))
    served = [took.wall for took in found if took.tier == "fuzzy"]
    return {
        "p50_ms": _at([took.wall for took in found], 0.5),
        "p99_ms": _at([took.wall for took in found], 0.99),
        "cpu_p99_ms": min(_at([took.cpu for took in one], 0.99) for one in passes),
        "p99_ms_served": _at(served, 0.99),
        "p99_ms_not_served": _at([took.wall for took in found if took.tier != "fuzzy"], 0.99),
        "worst_p99_ms": max(_at([took.wall for took in one], 0.99) for one in passes),
        "each_quickest_p99_ms": _at([min(took.wall for took in each) for each in zip(*passes, strict=True)], 0.99),
        "served": len(served) / len(found),
    }


def _ask(lookup: Any, text: str) -> _Took:
    wall, cpu = time.perf_counter(), time.process_time()
    answer = lookup.answer(_query(text))
    return _Took(1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu), answer.tier)


def _at(times: Sequence[float], share: float) -> float:
    return sorted(times)[int(share * len(times))] if times else 0.0


def _private_mb() -> float:
    """Memory that this process shares with no other and no file, in MB (Linux)."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Anonymous:")) / 1024


def _recall(lookup: Any, calls: int, seed: int) -> dict[str, float]:
    """Share of the queries whose best p of all calls is at least .8 that find a call of that p, and how many these are.

    Calls that differ in an id or a number are none: they are never served.
    """
    import numpy as np

    from cachebuild.candidate_kernels import best
    from curate.jit import read_only

    found, whole = 0, 0
    for text in queries(min(CHECKED, COMPARED // calls), calls, seed, drawn=2):
        query = _query(text)
        search = lookup._search(query)
        rule, everything = search._rule, np.arange(len(search.calls), dtype=np.int32)
        asked = search.row(query.arguments.values, "")
        equal = rule._replace(curves=read_only(rule.curves * ~rule.must[:, None]))
        _, p, _ = best(search._table, equal, asked, everything, FUZZY_AT, 1)
        if len(p):
            whole += 1
            quick = search.serving(asked, 1)
            found += bool(quick and quick[0][1] >= p[0] - 1e-9)
    return {"recall": found / whole if whole else 1.0, "recall_queries": whole}


def _print_speed(calls: int, found: Mapping[str, float], stored: float) -> None:
    print(f"\n{calls:,} calls of one tool, look-ups without an equal call | ms\n---|---")
    print(f"p50 | {found['p50_ms']:.3f}\np99 | {found['p99_ms']:.3f}")
    print(f"p99 in CPU time | {found['cpu_p99_ms']:.3f}")
    print(f"p99 where a call is served ({100 * found['served']:.0f} %) | {found['p99_ms_served']:.3f}")
    print(f"p99 where none is | {found['p99_ms_not_served']:.3f}")
    print(f"p99 of the quickest time of each look-up | {found['each_quickest_p99_ms']:.3f}")
    print(f"p99 of the slowest of {PASSES} passes | {found['worst_p99_ms']:.3f}")
    print(
        f"\nthe best call found by {100 * found['recall']:.2f} % of {found['recall_queries']:,} queries whose best p "
        f"is >= .8; search built once in {found['build_s']:.1f} s, {stored:.0f} bytes a call, opened in "
        f"{found['open_ms']:.1f} ms; private memory of a reader {found['private_mb']:.0f} MB, of them "
        f"{found['private_mb_before']:.0f} before its first fuzzy look-up"
    )


class Row(NamedTuple):
    """What a rule served for one call."""

    tool: str
    kind: str
    p: float
    right: bool
    fidelity: float


def quality() -> dict[str, float | None]:
    """Print the tables of rules and tools.

    Returns:
        `right_at_p80`, `fidelity_at_p80` and `served_at_p80` (how many) of fuzzy answers; `reads_at_p80` and
        `right_reads_at_p80`, those of read tools alone; `ece` of the nearest calls of all queries, `ece_same_state` of
        those in the query's state, `ece_served` of the fuzzy answers at p >= .5.
    """
    serving = rules()
    served: dict[str, list[Row]] = {rule: [] for rule in serving}
    near: dict[bool, list[Row]] = {True: [], False: []}
    asked: Counter[tuple[str, str]] = Counter()
    for case in cases():
        asked[case.tool, case.kind] += 1
        for rule, serve in serving.items():
            found = serve(case)
            if found is not None:
                served[rule].append(_row(case, *found))
        closest = nearest(case)
        if closest is not None:
            near[closest[2]].append(_row(case, *closest[:2]))
    _print_rules(asked, served)
    _print_tools(asked, served["field-aware p >= .8"], served["field-aware p >= .5"])
    print("\nnearest call of every query, served or not:")
    error = calibration_error(near[True] + near[False])
    print("\nof them made in the query's state (in another, p is no more than a bound):")
    error_same = calibration_error(near[True])
    print("\nfuzzy answers at p >= .5:")
    error_served = calibration_error(served["field-aware p >= .5"])
    at80 = served["field-aware p >= .8"]
    reads = [row for row in at80 if row.kind == "read"]
    return {
        "right_at_p80": _right(at80),
        "fidelity_at_p80": round(sum(row.fidelity for row in at80) / len(at80), 4) if at80 else None,
        "served_at_p80": len(at80),
        "reads_at_p80": len(reads),
        "right_reads_at_p80": _right(reads),
        "ece": round(error, 4),
        "ece_same_state": round(error_same, 4),
        "ece_served": round(error_served, 4),
    }


def _row(case: Case, p: float, result: str) -> Row:
    from cachebuild.fidelity import fidelity

    near = fidelity(case.recorded, result, case.chance)
    return Row(case.tool, case.kind, p, result == case.recorded, near)


def _print_rules(asked: Mapping[tuple[str, str], int], served: Mapping[str, Sequence[Row]]) -> None:
    """All rules, for all tools and for read tools alone."""
    for label, kinds in ("all tools", ("read", "pure", "terminal")), ("read tools", ("read",)):
        total = sum(count for (_, kind), count in asked.items() if kind in kinds)
        print(f"\n{total:,} calls without an equal one, {label} | served | % | exactly right % | mean fidelity")
        print("---|---|---|---|---")
        for rule, rows in served.items():
            found = [row for row in rows if row.kind in kinds]
            print(f"{rule} | {len(found)} | {100 * len(found) / max(total, 1):.1f} | {_shares(found)}")


def _print_tools(asked: Mapping[tuple[str, str], int], at80: Sequence[Row], at50: Sequence[Row]) -> None:
    print("\ntool | kind | asked | served at p >= .8 | right % | fidelity | served at p >= .5 | right % | fidelity")
    print("---|---|---|---|---|---|---|---|---")
    for (tool, kind), count in sorted(asked.items()):
        parts = [[row for row in rows if row.tool == tool] for rows in (at80, at50)]
        print(f"{tool} | {kind} | {count} | " + " | ".join(f"{len(part)} | {_shares(part)}" for part in parts))


def _right(rows: Sequence[Row]) -> float | None:
    return round(sum(row.right for row in rows) / len(rows), 4) if rows else None


def _shares(rows: Sequence[Row]) -> str:
    """Exactly right in %, mean fidelity."""
    if not rows:
        return "- | -"
    right, near = sum(row.right for row in rows) / len(rows), sum(row.fidelity for row in rows) / len(rows)
    return f"{100 * right:.1f} | {near:.2f}"


def calibration_error(rows: Sequence[Row], bins: int = 10) -> float:
    """Mean distance of mean p and mean fidelity in bins of p, weighted by calls (Naeini et al., AAAI 2015)."""
    groups: dict[int, list[Row]] = {}
    for row in rows:
        groups.setdefault(min(int(row.p * bins), bins - 1), []).append(row)
    print("\np | calls | mean p | mean fidelity\n---|---|---|---")
    error = 0.0
    for at, found in sorted(groups.items()):
        p, near = sum(row.p for row in found) / len(found), sum(row.fidelity for row in found) / len(found)
        print(f"from {at / bins} | {len(found)} | {p:.3f} | {near:.3f}")
        error += abs(p - near) * len(found)
    return error / max(len(rows), 1)


def main() -> int:
    """Measure, print tables, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000, help="recorded calls of the search tool")
    parser.add_argument("--full", action="store_true", help="and ten times as many")
    parser.add_argument("--seed", type=int, default=0)
    settings = parser.parse_args()
    small = speed(settings.calls, settings.seed)
    large = speed(10 * settings.calls, settings.seed) if settings.full else None
    figures = {
        "fuzzy_p99_ms_100k": round(small["p99_ms"], 3),
        "fuzzy_p99_ms_1m": round(large["p99_ms"], 3) if large else None,
        "fuzzy_recall": round(min(small["recall"], large["recall"] if large else 1.0), 4),
        "fuzzy_private_mb": round(max(small["private_mb"], large["private_mb"] if large else 0.0), 1),
    }
    figures |= quality()
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
