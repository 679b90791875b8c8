"""Recorded calls asked of a cache that was compiled without them: what the fuzzy tier's honesty is measured on.

The trajectories of the real files and of the desk are cut into five parts; the calls of each are asked of a cache of
the other four. Counted are those without an equal recorded call.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

PARTS = 5
DESK_EPISODES = 2_000
REAL = {
    "tau_bench_airline_gpt4o": "airline",
    "tau_bench_retail_gpt4o": "retail",
    "tau_bench_retail_code_agent": "retail",
}
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Case:
    """A held-out call: the cache's look-up, the query, the recorded result, and what results share by chance."""

    lookup: Any
    query: Any
    recorded: str
    chance: float
    source: str

    @property
    def tool(self) -> str:
        """Its file and tool, for a table."""
        return f"{self.source}: {self.query.tool}"

    @property
    def kind(self) -> str:
        """Kind of the tool."""
        return str(self.lookup.facts(self.query).kind)


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


def cases() -> Iterator[Case]:
    """All held-out calls of tools that may be fuzzy."""
    with tempfile.TemporaryDirectory() as folder:
        for name, curated in _datasets(Path(folder)):
            yield from _held_out(name, curated, Path(folder))


def _datasets(folder: Path) -> Iterator[tuple[str, Path]]:
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


def _held_out(name: str, curated: Path, folder: Path) -> Iterator[Case]:
    from cachebuild.entries import ROW_COLUMNS, recorded_calls
    from cachebuild.lookup import Query
    from cachebuild.sources import chosen_rows
    from curate.folder import DatasetFolder
    from curate.trajectory import SPLITS

    source = DatasetFolder.open(curated)
    for part in range(PARTS):
        rest = (row for row in source.rows("trajectories") if _part(row) != part)
        cache = compiled(rest, folder / f"{name}{part}", source.manifest.settings)
        for row in chosen_rows(source, frozenset(SPLITS), ROW_COLUMNS):
            if _part(row) != part:
                continue
            for call in recorded_calls(row, cache.state(row["env_id"]), Counter()):
                place = (row["env_id"], row["initial_state_id"], row["task_id"])
                query = Query(*place, call.pair.call["name"], call.arguments, call.dependence)
                facts = cache.lookup.facts(query)
                if "fuzzy" in facts.policy and not cache.lookup._equal(query):
                    fields = facts.calibration.fields
                    chance = float(next(iter(fields.values())).chance) if fields else 0.0
                    yield Case(cache.lookup, query, call.result["content"], chance, name)


def _part(row: Any) -> int:
    return int(row["trajectory_id"][:8], 16) % PARTS


Served = tuple[float, str] | None


def rules() -> dict[str, Callable[[Case], Served]]:
    """Name -> what serves a call: (p, result) or None."""
    from rapidfuzz import fuzz

    return {
        "token Jaccard >= .8": _by(_jaccard, 0.8),
        "rapidfuzz ratio >= 90": _by(fuzz.ratio, 90.0),
        "any result of the tool": _by(fuzz.ratio, 0.0),
        "field-aware p >= .8": _field_aware(0.8),
        "field-aware p >= .5": _field_aware(0.5),
    }


def _by(score: Callable[[str, str], float], least: float) -> Callable[[Case], Served]:
    def serve(case: Case) -> Served:
        lookup, query = case.lookup, case.query
        calls = lookup.index.distinct(lookup.place(query), query.tool)
        found = [(score(query.arguments.canonical, call.arguments), call.key) for call in calls]
        best = max(found, default=(-1.0, ""))
        return (1.0, lookup.index.outcomes(best[1])[0].result) if best[0] >= least else None

    return serve


def _field_aware(least: float) -> Callable[[Case], Served]:
    from cachebuild.lookup import Lookup

    @lru_cache(maxsize=1)
    def at(lookup: Any) -> Lookup:
        return Lookup(lookup.index, lookup.tools, replace(lookup.settings, fuzzy_at=least))

    def serve(case: Case) -> Served:
        answer = at(case.lookup).answer(case.query)
        return (answer.p, answer.result) if answer.tier == "fuzzy" else None

    return serve


def _jaccard(one: str, two: str) -> float:
    first, second = set(_WORD.findall(one.lower())), set(_WORD.findall(two.lower()))
    return len(first & second) / len(first | second) if first | second else 1.0


def nearest(case: Case) -> tuple[float, str, bool] | None:
    """The nearest call that succeeded, whatever the policy serves: (p, result, whether its state is the query's)."""
    for match in case.lookup.near(case.query):
        outcomes = case.lookup._successes(match.candidate, case.query)
        if outcomes:
            return match.p, outcomes[0].result, match.same_state
    return None
