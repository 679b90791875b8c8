"""The fuzzy tier: how fast it is, whether it finds the best call, and how near what it serves comes.

Speed is measured on one search tool with 100,000 calls (1M with `--full`), from argument text to answer, every value
of about 200 bytes.
Quality is measured on the real files and the desk: trajectories are cut into five parts, and the calls of each are
asked of a cache compiled from the other four; counted are those without an equal recorded call. The last line is one
JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

# As a script this file stands beside one of the package's name.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

PARTS = 5
CALIBRATED = 5_000
QUERIES = 2_000
CHECKED = 300
CALLS_A_TRAJECTORY = 100
DESK_EPISODES = 2_000
TOOL = "search_places"
FILLER = "the a any good some".split()
REAL = {
    "tau_bench_airline_gpt4o": "airline",
    "tau_bench_retail_gpt4o": "retail",
    "tau_bench_retail_code_agent": "retail",
}
_WORD = re.compile(r"\w+")


def search_call(rng: random.Random) -> dict[str, Any]:
    """Arguments of a search: two to five words of a vocabulary of 20,000, rare ones rarely, and three hard fields."""
    words = [f"w{chr(97 + rank % 26)}{rank // 26:x}o".translate(_LETTERS) for rank in _ranks(rng, rng.randint(2, 5))]
    return {
        "query": " ".join(words),
        "city_id": f"C{rng.randrange(200)}",
        "kind": rng.choice(["shop", "cafe", "hotel", "park"]),
        "limit": rng.choice([5, 10, 20]),
    }


_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def _ranks(rng: random.Random, count: int) -> list[int]:
    return [min(int(rng.paretovariate(0.6)), 20_000) for _ in range(count)]


def reworded(call: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The call as another model might write it; three in ten ask for something else."""
    words = call["query"].split()
    change = rng.random()
    if change < 0.25:
        words.insert(0, rng.choice(FILLER))
    elif change < 0.45:
        words[-1] += "s"
    elif change < 0.7:
        rng.shuffle(words)
        words[0] += "s"
    elif change < 0.85:
        words[rng.randrange(len(words))] = "another"
    else:
        return search_call(rng)
    return call | {"query": " ".join(words)}


def result_of(call: dict[str, Any]) -> str:
    """What the tool says, about 200 characters: filler, order and plural of the words change nothing."""
    words = sorted({word.removesuffix("s") for word in call["query"].split()} - set(FILLER))
    rng = random.Random(json.dumps([words, call["city_id"], call["kind"], call["limit"]]))
    places = [{"name": f"{call['kind']} {rng.randrange(10**6)}", "rating": rng.randrange(50) / 10} for _ in range(4)]
    return json.dumps({"places": places})


def message(role: str, content: str | None = None, **given: Any) -> dict[str, Any]:
    """A message of a row."""
    from curate.trajectory import Message

    empty: dict[str, Any] = dict.fromkeys(Message.__annotations__)
    return empty | {"role": role, "content": content, "tool_calls": [], "train": False} | given


def recorded_calls_of(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Searches, one in four a rewording of the one before."""
    rng = random.Random(seed)
    call = search_call(rng)
    for number in range(count):
        call = reworded(call, rng) if number % 4 == 3 else search_call(rng)
        yield call


def recorded_trajectories(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Rows that hold `count` searches."""
    from curate.canonical import hash128
    from curate.trajectory import rehash

    calls = recorded_calls_of(count, seed)
    for number in range(count // CALLS_A_TRAJECTORY):
        messages = [message("user", "hi")]
        for at, call in enumerate(islice(calls, CALLS_A_TRAJECTORY)):
            text = json.dumps(call)
            asked = {"id": f"c{at}", "name": TOOL, "arguments": text, "args_status": "json"}
            messages.append(message("assistant", tool_calls=[asked]))
            messages.append(message("tool", result_of(call), tool_call_id=f"c{at}", name=TOOL))
        row: dict[str, Any] = {
            "trajectory_id": hash128(str(number)),
            "content_hash": "",
            "source": "made",
            "source_row": number,
            "license": None,
            "env_id": "map",
            "initial_state_id": None,
            "task_id": f"t{number}",
            "trial": 0,
            "task_group": f"t{number}",
            "messages": messages,
            "tools": "[]",
            "tools_inferred": False,
            "reward": None,
            "thinking": [],
            "split": "train",
            "weight": 1.0,
            "evidence": [],
            "parent": None,
            "metadata": "{}",
        }
        yield rehash(row)  # type: ignore[arg-type]


def compiled(rows: Iterator[Any] | Sequence[Any], folder: Path, settings: dict[str, Any]) -> Any:
    """A cache of some rows, opened."""
    from cachebuild import ToolCache
    from cachebuild.compile import compile_cache
    from cachebuild.settings import CompileSettings
    from curate.folder import FolderWriter, Manifest
    from curate.schema import TRAJECTORY

    folder.mkdir(exist_ok=True)
    with FolderWriter(folder / "rows", Manifest("curated", "benchmark", settings, [])) as writer:
        writer.table("trajectories", TRAJECTORY).write(rows)
    with redirect_stderr(open(os.devnull, "w")):
        compile_cache(CompileSettings(folder / "rows", folder / "cache", splits=("all",)))
    return ToolCache.open(folder / "cache")


class MadeIndex:
    """What look-up asks of an index, over made calls whose results are made when they are asked for."""

    def __init__(self, count: int, seed: int) -> None:
        from cachebuild.index import Candidate
        from cachebuild.key import Place, exact_key
        from curate.canonical import canonical_json

        self.entries = count
        place = Place("map", None, "")
        self._calls = {}
        for call in recorded_calls_of(count, seed):
            text = canonical_json(call)
            key = exact_key(place, TOOL, text, "")
            self._calls[key] = Candidate(key, text, "")
        self._distinct = list(self._calls.values())

    def outcomes(self, key: str, exclude: str | None = None) -> tuple[Any, ...]:
        """One result a key."""
        from cachebuild.answer import Outcome

        call = self._calls.get(key)
        return (Outcome(call.arguments * 2, 1, True, "t", 1),) if call else ()

    def normalised(self, key: str) -> list[Any]:
        """None: every look-up goes on to the fuzzy tier."""
        return []

    def distinct(self, place: Any, tool: str) -> list[Any]:
        """All calls."""
        return self._distinct


def speed(count: int, seed: int) -> dict[str, float]:
    """Latency of look-ups without an equal recorded call, and the share that finds the best of all calls.

    Kinds, policies and calibration are those of a compiled cache of `CALIBRATED` calls.
    """
    from cachebuild.key import read_arguments
    from cachebuild.lookup import Lookup, Query
    from cachebuild.state import INDEPENDENT

    with tempfile.TemporaryDirectory() as folder:
        cache = compiled(recorded_trajectories(CALIBRATED, seed), Path(folder), {})
    index: Any = MadeIndex(count, seed)
    lookup = Lookup(index, cache.lookup.tools, cache.lookup.settings)

    def ask(text: str) -> Any:
        return lookup.answer(Query("map", None, "t", TOOL, read_arguments(text), INDEPENDENT))

    began = time.perf_counter()
    ask(json.dumps(search_call(random.Random(-1))))
    ready = time.perf_counter() - began
    texts = list(_queries(count, seed))
    for text in texts[:200]:
        ask(text)
    times, tiers = [], []
    for text in texts:
        start = time.perf_counter()
        answer = ask(text)
        times.append(time.perf_counter() - start)
        tiers.append(answer.tier)
    missed = sorted(each for each, tier in zip(times, tiers, strict=True) if tier != "exact")
    every = Lookup(index, lookup.tools, replace(lookup.settings, max_candidates=10**9))
    recall, best = _recall(lookup, every, texts[:CHECKED])
    p50, p99 = (1e3 * missed[int(share * len(missed))] for share in (0.5, 0.99))
    print(
        f"{count:,} calls: p50 {p50:.3f} ms, p99 {p99:.3f} ms of {len(missed):,} look-ups without an equal call, "
        f"{100 * tiers.count('fuzzy') / len(missed):.0f} % served; the best call found by {100 * recall:.1f} % of "
        f"{best} whose best p is at least .8; first look-up {ready:.1f} s"
    )
    return {"p99_ms": p99, "recall": recall}


def _queries(count: int, seed: int) -> Iterator[str]:
    rng = random.Random(seed + 1)
    known = list(recorded_calls_of(min(count, 50_000), seed))
    for _ in range(QUERIES):
        yield json.dumps(reworded(rng.choice(known), rng))


def _recall(lookup: Any, every: Any, texts: Sequence[str]) -> tuple[float, int]:
    """Share of queries whose best p of all calls is at least .8 that find a call of that p; how many those are."""
    from cachebuild.key import read_arguments
    from cachebuild.lookup import Query
    from cachebuild.state import INDEPENDENT

    found, best = 0, 0
    for text in texts:
        arguments = read_arguments(text)
        query = Query("map", None, "t", TOOL, arguments, INDEPENDENT)
        search, brute = lookup._search(query), every._search(query)
        whole = brute.nearest(brute.row(arguments.values, query.dependence.digest), 1)
        if whole and whole[0][1] >= 0.8:
            best += 1
            quick = search.serving(search.row(arguments.values, query.dependence.digest), 1)
            found += bool(quick) and quick[0][1] >= whole[0][1] - 1e-6
    return (found / best if best else 1.0), best


def datasets(folder: Path) -> Iterator[tuple[str, Path]]:
    """(name, curated folder) of the real files that are there, and of the desk."""
    from curate.__main__ import main as curate
    from curate.sandbox.__main__ import main as sandbox

    shared = Path(os.environ.get("CACHERL_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    shared = shared / "data" if (shared / "data").is_dir() else shared
    inputs = [(name, shared / f"{name}.json.gz", env) for name, env in REAL.items()]
    inputs.append(("desk", folder / "desk.jsonl.gz", "desk"))
    with redirect_stdout(open(os.devnull, "w")), redirect_stderr(open(os.devnull, "w")):
        sandbox(["--episodes", str(DESK_EPISODES), "--seed", "7", "--out", str(inputs[-1][1])])
        for name, path, env in inputs:
            if path.exists():
                curate([str(path), "--env", env, "--out", str(folder / name)])
    for name, path, _ in inputs:
        if path.exists():
            yield name, folder / name
        else:
            print(f"{path} is not there: left out")


def held_out(curated: Path, folder: Path) -> Iterator[tuple[Any, Any, str]]:
    """(lookup, query, recorded result) of each call without an equal one in the other parts."""
    from cachebuild.entries import ROW_COLUMNS, recorded_calls
    from cachebuild.lookup import Query
    from cachebuild.sources import chosen_rows
    from curate.folder import DatasetFolder
    from curate.trajectory import SPLITS

    source = DatasetFolder.open(curated)
    for part in range(PARTS):
        rest = (row for row in source.rows("trajectories") if _part(row) != part)
        cache = compiled(rest, folder / f"{curated.name}{part}", source.manifest.settings)
        for row in chosen_rows(source, frozenset(SPLITS), ROW_COLUMNS):
            if _part(row) != part:
                continue
            for call in recorded_calls(row, cache.state(row["env_id"]), Counter()):
                place = (row["env_id"], row["initial_state_id"], row["task_id"])
                query = Query(*place, call.pair.call["name"], call.arguments, call.dependence)
                if "fuzzy" not in cache.lookup.facts(query).policy or cache.lookup._equal(query):
                    continue
                yield cache.lookup, query, call.result["content"]


def _part(row: Any) -> int:
    return int(row["trajectory_id"][:8], 16) % PARTS


def rules() -> dict[str, Callable[[Any, Any], tuple[float, str] | None]]:
    """Name -> what serves a query: (p, result) or None."""

    def by(score: Callable[[str, str], float], least: float) -> Callable[[Any, Any], tuple[float, str] | None]:
        def serve(lookup: Any, query: Any) -> tuple[float, str] | None:
            calls = lookup.index.distinct(lookup.place(query), query.tool)
            found = [(score(query.arguments.canonical, call.arguments), call.key) for call in calls]
            best = max(found, default=(-1.0, ""))
            return (1.0, lookup.index.outcomes(best[1])[0].result) if best[0] >= least else None

        return serve

    def field_aware(least: float) -> Callable[[Any, Any], tuple[float, str] | None]:
        from cachebuild.lookup import Lookup

        def serve(lookup: Any, query: Any) -> tuple[float, str] | None:
            at = Lookup(lookup.index, lookup.tools, replace(lookup.settings, fuzzy_at=least))
            answer = at.answer(query)
            return (answer.p, answer.result) if answer.tier == "fuzzy" else None

        return serve

    from rapidfuzz import fuzz

    return {
        "token Jaccard >= .8": by(_jaccard, 0.8),
        "rapidfuzz ratio >= 90": by(fuzz.ratio, 90.0),
        "any result of the tool": by(fuzz.ratio, 0.0),
        "field-aware p >= .8": field_aware(0.8),
        "field-aware p >= .5": field_aware(0.5),
    }


def _jaccard(one: str, two: str) -> float:
    first, second = set(_WORD.findall(one.lower())), set(_WORD.findall(two.lower()))
    return len(first & second) / len(first | second) if first | second else 1.0


def nearest(lookup: Any, query: Any) -> tuple[float, str] | None:
    """The nearest call that succeeded, with its p, whatever the policy serves."""
    for match in lookup.near(query):
        outcomes = lookup._successes(match, query)
        if outcomes:
            return match.p, outcomes[0].result
    return None


def quality() -> dict[str, float | None]:
    """Print the table of rules; returns what holds at p >= .8 and the calibration error."""
    from cachebuild.fidelity import fidelity

    served: dict[str, dict[str, list[tuple[float, bool, float]]]] = {}
    curve: list[tuple[float, float]] = []
    asked: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, curated in datasets(Path(folder)):
            for lookup, query, recorded in held_out(curated, Path(folder)):
                chance = _chance(lookup, query.env_id, query.tool)
                asked[name] = asked.get(name, 0) + 1
                for rule, serve in rules().items():
                    found = serve(lookup, query)
                    if found is not None:
                        row = (found[0], found[1] == recorded, fidelity(recorded, found[1], chance))
                        served.setdefault(rule, {}).setdefault(f"{name}: {query.tool}", []).append(row)
                near = nearest(lookup, query)
                if near is not None:
                    curve.append((near[0], fidelity(recorded, near[1], chance)))
    return _table(asked, served, curve)


def _chance(lookup: Any, env_id: str, tool: str) -> float:
    fields = lookup.tools[env_id, tool].calibration.fields
    return float(next(iter(fields.values())).chance) if fields else 0.0


def _table(
    asked: dict[str, int],
    served: dict[str, dict[str, list[tuple[float, bool, float]]]],
    curve: list[tuple[float, float]],
) -> dict[str, float | None]:
    total = sum(asked.values())
    print(
        f"\nexact misses of tools that may be fuzzy: {total:,} ({', '.join(f'{k} {v:,}' for k, v in asked.items())})\n"
    )
    print("rule | served | % | exactly right % | mean fidelity")
    print("---|---|---|---|---")
    for rule in rules():
        found = [row for rows in served.get(rule, {}).values() for row in rows]
        print(f"{rule} | {len(found)} | {100 * len(found) / total:.1f} | {_percent(found)} | {_mean(found)}")
    print("\nserved at p >= .8 | calls | exactly right % | mean fidelity\n---|---|---|---")
    at80 = served.get("field-aware p >= .8", {})
    for tool, found in sorted(at80.items()):
        print(f"{tool} | {len(found)} | {_percent(found)} | {_mean(found)}")
    whole = [row for rows in at80.values() for row in rows]
    return {
        "right_at_p80": round(sum(right for _, right, _ in whole) / len(whole), 4) if whole else None,
        "fidelity_at_p80": round(sum(near for _, _, near in whole) / len(whole), 4) if whole else None,
        "ece": round(calibration_error(curve), 4),
    }


def calibration_error(curve: Sequence[tuple[float, float]], bins: int = 10) -> float:
    """Mean distance of mean p and mean fidelity in bins of p, weighted by calls (Naeini et al., AAAI 2015)."""
    groups: dict[int, list[tuple[float, float]]] = {}
    for p, near in curve:
        groups.setdefault(min(int(p * bins), bins - 1), []).append((p, near))
    print("\np | calls | mean p | mean fidelity\n---|---|---|---")
    error = 0.0
    for at, pairs in sorted(groups.items()):
        p, near = (sum(each) / len(pairs) for each in zip(*pairs, strict=True))
        print(f"from {at / bins} | {len(pairs)} | {p:.3f} | {near:.3f}")
        error += abs(p - near) * len(pairs)
    return error / max(len(curve), 1)


def _percent(found: Sequence[tuple[float, bool, float]]) -> str:
    return f"{100 * sum(right for _, right, _ in found) / len(found):.1f}" if found else "-"


def _mean(found: Sequence[tuple[float, bool, float]]) -> str:
    return f"{sum(near for _, _, near in found) / len(found):.2f}" if found else "-"


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
    }
    figures |= quality()
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
