"""What practice against the cache is worth in the live world, and what the cache costs; the last line is JSON.

`python -m train.mini` over several seeds, each with its own recordings, weights and held-out tasks. Beside it two
things are measured on the very batches that GRPO trains on: tokens that were put in and yet have a loss (there must be
none; they are found by the marks of the format, not by the mask), and the share of a step that cache and reward take.
A folder that holds finished runs is reported without running them again, and then has no batches to look at.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

# As a script this file stands beside ones of the packages' names.
ROOT = Path(__file__).resolve().parents[1]
sys.path[:] = [str(ROOT), *(entry for entry in sys.path if Path(entry).resolve() != ROOT / "benchmarks")]

from train.mini.__main__ import MiniSettings, mini  # noqa: E402
from train.mini.model import END, TURN  # noqa: E402
from train.mini.report import compared  # noqa: E402


def main() -> int:
    """Run, report, and print the figures."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--out", type=Path, default=Path("out") / "train-mini", help="what is there is not run again")
    given.add_argument("--seeds", type=int, default=3)
    words = given.parse_args()
    settings = MiniSettings(words.out, seeds=words.seeds)
    counted: list[tuple[int, int]] = []
    with counting(counted):
        code = mini(settings)
    if code:
        return code
    done = compared(settings.places).done
    figures = {
        "seeds": words.seeds,
        "sft_live_success": round(done.before.mean, 4),
        "grpo_live_success": round(done.after.mean, 4),
        "live_gain": round(done.difference.mean, 4),
        "live_gain_ci_low": round(done.difference.low, 4),
        "overhead_share": round(fmean(map(overhead, settings.places)), 5),
        "injected_tokens": sum(count for count, _ in counted) if counted else None,
        "injected_tokens_trained": sum(trained for _, trained in counted) if counted else None,
    }
    for name, value in figures.items():
        print(f"{name:24} {value}")
    print(json.dumps(figures))
    return 0


@contextmanager
def counting(counted: list[tuple[int, int]]) -> Iterator[None]:
    """While it is open, (tokens put in, those of them with a loss) of every batch of GRPO are counted."""
    from trl.trainer.grpo_trainer import GRPOTrainer

    real = GRPOTrainer._compute_loss

    def loss(self: Any, model: Any, inputs: Any) -> Any:
        ids, there = inputs["completion_ids"], inputs["completion_mask"].bool()
        vocabulary = self.processing_class.get_vocab()
        between = put_in(ids, vocabulary[END], vocabulary[TURN]) & there
        counted.append((int(between.sum()), int((between & inputs["tool_mask"].bool()).sum())))
        return real(self, model, inputs)

    GRPOTrainer._compute_loss = loss
    try:
        yield
    finally:
        GRPOTrainer._compute_loss = real


def put_in(ids: Any, end: int, begin: int) -> Any:
    """Where tokens stand that no model said: behind the end of a turn, up to and with the mark that opens the next."""
    import torch

    ends, opened = (ids == end).long().cumsum(1), (ids == begin).long().cumsum(1)
    ended = torch.cat([torch.zeros_like(ends[:, :1]), ends[:, :-1]], 1)  # before this token
    reopened = torch.cat([torch.zeros_like(opened[:, :1]), opened[:, :-1]], 1)
    return ended > reopened


def overhead(place: Path) -> float:
    """Share of the seconds of GRPO's steps that cache and reward took."""
    import polars as pl

    table = pl.read_parquet(place / "grpo" / "metrics.parquet").filter(pl.col("reward").is_not_null())
    return float((table["time/cache_s"].sum() + table["time/reward_s"].sum()) / table["step_time"].sum())


if __name__ == "__main__":
    raise SystemExit(main())
