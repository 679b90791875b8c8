"""What a cache promises, measured: exact and fuzzy look-ups, honesty of p, wrong hits; the last line is JSON.

The parts stand in `cache_exact`, `cache_fuzzy` and `cache_audit`. A figure of a part that was not run is null; the
shares are of 1, `wrong_exact_hits` and `hits_lost_to_state` the worst of all audited sets.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# As a script this file stands beside one of a package's name; the other parts stand beside it too.
HERE = Path(__file__).resolve().parent
sys.path[:] = [*(entry for entry in sys.path if Path(entry).resolve() != HERE), str(HERE)]

PARTS = ("exact", "fuzzy", "audit")
FIGURES = (
    "exact_p99_us_1m",
    "exact_p99_us_10m",
    "open_ms_1m",
    "open_ms_10m",
    "private_mb",
    "fuzzy_p99_ms_100k",
    "fuzzy_p99_ms_1m",
    "fuzzy_recall",
    "right_at_p80",
    "ece",
    "wrong_exact_hits",
    "hits_lost_to_state",
)


def exact(settings: argparse.Namespace) -> dict[str, float | None]:
    """Exact look-ups in one cache, or in two."""
    from cache_exact import exact_part

    sizes = {"1m": settings.calls} | ({"10m": 10 * settings.calls} if settings.full else {})
    found: dict[str, float | None] = {}
    private = 0.0
    for name, calls in sizes.items():
        with tempfile.TemporaryDirectory() as folder:
            part = exact_part(calls, settings.queries, settings.seconds, Path(folder))
        found |= {f"exact_p99_us_{name}": round(part["p99_us"], 1), f"open_ms_{name}": round(part["open_ms"], 2)}
        private = max(private, part["private_mb"])
    return found | {"private_mb": round(private, 1)}


def fuzzy(settings: argparse.Namespace) -> dict[str, float | None]:
    """Fuzzy look-ups in one cache, or in two, and how right they are on the real files and the desk."""
    from cache_fuzzy import quality, speed

    sizes = {"100k": settings.fuzzy_calls} | ({"1m": 10 * settings.fuzzy_calls} if settings.full else {})
    found: dict[str, float | None] = {}
    recall = 1.0
    for name, calls in sizes.items():
        part = speed(calls, 0)
        found[f"fuzzy_p99_ms_{name}"] = round(part["p99_ms"], 3)
        recall = min(recall, part["recall"])
    return found | {"fuzzy_recall": round(recall, 4)} | quality()


def audit(settings: argparse.Namespace) -> dict[str, float | None]:
    """Audits of the real files and of the desk."""
    from cache_audit import audit_part

    return audit_part()


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables and the JSON line."""
    parser = argparse.ArgumentParser(prog="python benchmarks/cache.py", description=__doc__)
    parser.add_argument("--full", action="store_true", help="ten times as many calls too: 10M exact, 1M fuzzy")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to run, e.g. exact,audit")
    parser.add_argument("--calls", type=int, default=1_000_000, help="calls of the exact part")
    parser.add_argument("--queries", type=int, default=100_000, help="exact look-ups that are timed")
    parser.add_argument("--seconds", type=float, default=2.0, help="time of each number of reading processes")
    parser.add_argument("--fuzzy-calls", type=int, default=100_000, help="calls of the fuzzy part")
    settings = parser.parse_args(argv)
    chosen = [part.strip() for part in settings.only.split(",")]
    if not set(chosen) <= set(PARTS):
        parser.error(f"--only {settings.only}: parts are {', '.join(PARTS)}")
    found: dict[str, float | None] = {}
    for name, part in ("exact", exact), ("fuzzy", fuzzy), ("audit", audit):
        if name in chosen:
            print(f"\n## {name}")
            found |= part(settings)
    print(json.dumps(dict.fromkeys(FIGURES) | found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
