"""How often a cache is wrong, and how much its care for the state costs: audits of the real files and the live desk.

Each file's calls are asked of a cache of all its trajectories but the call's own. The desk is asked twice: its
recordings like a file, and live, where scripted episodes are played in it and beside the cache.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cachebuild.audit_report import AuditTally
    from cachebuild.measures import Share

REAL = {
    "tau_bench_airline_gpt4o": "airline",
    "tau_bench_retail_gpt4o": "retail",
    "tau_bench_retail_code_agent": "retail",
}
DESK_EPISODES = 2_000
LIVE_EPISODES = 400
WRONG, LOST = "wrong exact hits", "hits lost to state keying"
SHOWN = (WRONG, "wrong exact hits, state known", LOST, "wrong stateless hits avoided")


def audit_part() -> dict[str, float | None]:
    """Audit and print all sets.

    Returns:
        The worst share of wrong exact hits and of hits lost to the state keying, each a share of 1; None without any.
    """
    worst: dict[str, tuple[float, str]] = {}
    print(f"\nof calls, in % (95 % interval) | {' | '.join(SHOWN)}")
    print("---" + "|---" * len(SHOWN))
    with tempfile.TemporaryDirectory() as folder:
        for name, tally in _audits(Path(folder)):
            for group, figures in tally.figures.items():
                shares = {share.name: share for share in figures.headlines.shares()}
                label = f"{name}, {group}"
                print(f"{label} | {' | '.join(_cell(shares[share]) for share in SHOWN)}")
                for share in (WRONG, LOST):
                    value = shares[share].value
                    if value is not None:
                        worst[share] = max(worst.get(share, (0.0, label)), (value, label))
    for share, (value, label) in worst.items():
        print(f"most {share}: {100 * value:.2f} % ({label})")
    return {
        "wrong_exact_hits": round(worst[WRONG][0], 5) if WRONG in worst else None,
        "hits_lost_to_state": round(worst[LOST][0], 5) if LOST in worst else None,
    }


def _cell(share: Share) -> str:
    if share.value is None or share.low is None or share.high is None:
        return "-"
    return f"{100 * share.value:.2f} ({100 * share.low:.2f} to {100 * share.high:.2f}) of {share.whole:,}"


def _audits(folder: Path) -> Iterator[tuple[str, AuditTally]]:
    """(set, what its audit counted)."""
    from cachebuild.audit import audit
    from cachebuild.settings import AuditSettings

    for name, path, env_id in _inputs(folder):
        if not path.exists():
            print(f"{path} is not there: left out")
            continue
        curated, cache = _compiled(path, env_id, folder / name)
        with redirect_stderr(open(os.devnull, "w")):
            recorded = audit(AuditSettings(cache, queries=curated))
            live = audit(AuditSettings(cache, live="desk", episodes=LIVE_EPISODES)) if env_id == "desk" else None
        yield name, recorded
        if live is not None:
            yield f"{name}, live", live


def _inputs(folder: Path) -> Iterator[tuple[str, Path, str]]:
    """(name, file of trajectories, env) of the real files and of new recordings of the desk."""
    from curate.sandbox.__main__ import main as sandbox

    shared = Path(os.environ.get("CACHERL_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    shared = shared / "data" if (shared / "data").is_dir() else shared
    for name, env_id in REAL.items():
        yield name, shared / f"{name}.json.gz", env_id
    desk = folder / "desk.jsonl.gz"
    with redirect_stdout(open(os.devnull, "w")), redirect_stderr(open(os.devnull, "w")):
        sandbox(["--episodes", str(DESK_EPISODES), "--seed", "7", "--out", str(desk)])
    yield "desk", desk, "desk"


def _compiled(path: Path, env_id: str, folder: Path) -> tuple[Path, Path]:
    """(curated folder, cache of all its trajectories)."""
    from cachebuild.compile import compile_cache
    from cachebuild.settings import CompileSettings
    from curate.__main__ import main as curate

    folder.mkdir()
    curated, cache = folder / "curated", folder / "cache"
    with redirect_stdout(open(os.devnull, "w")), redirect_stderr(open(os.devnull, "w")):
        curate([str(path), "--env", env_id, "--out", str(curated)])
        compile_cache(CompileSettings(curated, cache, splits=("all",)))
    return curated, cache
