"""How many episodes a second the desk records on one core, serialised to JSON; the last line is one JSON object."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

# As a script this file stands beside one of the package's name.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]
from curate.sandbox.recording import record  # noqa: E402


def episodes_per_second(preset: str, episodes: int) -> tuple[float, float, float]:
    """Record and serialise episodes of a preset.

    Returns:
        Episodes a second, calls an episode, bytes an episode.
    """
    for row in record(60, 1, preset):
        orjson.dumps(row)
    calls = size = 0
    start = time.perf_counter()
    for row in record(episodes, 0, preset):
        calls += sum(message["role"] == "tool" for message in row["messages"])
        size += len(orjson.dumps(row))
    took = time.perf_counter() - start
    return episodes / took, calls / episodes, size / episodes


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(prog="python benchmarks/sandbox.py", description=__doc__)
    parser.add_argument("--episodes", type=int, default=3000, help="episodes of each preset")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each preset; the best counts")
    settings = parser.parse_args(argv)
    best = {}
    print("preset | episodes/s | calls/episode | bytes/episode")
    print("---|---|---|---")
    for preset in ("full", "mini"):
        runs = [episodes_per_second(preset, settings.episodes) for _ in range(settings.repeats)]
        speed, calls, size = max(runs)
        best[f"episodes_per_s_{preset}"] = round(speed, 1)
        print(f"{preset} | {speed:.0f} | {calls:.2f} | {size:.0f}")
    print(orjson.dumps(best).decode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
