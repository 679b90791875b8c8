"""Figures of an evaluation: success with its interval, pass^k, and the share of the expected calls that were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb
from typing import Any

from curate.canonical import canonical_json, parse_arguments
from curate.trajectory import Message

RESAMPLES = 2_000


def process_accuracy(messages: Sequence[Message], expected: Sequence[tuple[str, Mapping[str, Any]]]) -> float:
    """Share of the expected calls that were made, in their order, with equal arguments (ACEBench, arXiv 2501.12851).

    Further calls in between cost nothing; without expected calls it is 1.
    """
    if not expected:
        return 1.0
    wanted = [(name, canonical_json(dict(arguments))) for name, arguments in expected]
    met = 0
    for message in messages:
        for call in message["tool_calls"]:
            arguments, _ = parse_arguments(call["arguments"])
            made = (call["name"], "" if arguments is None else canonical_json(arguments))
            met += met < len(wanted) and made == wanted[met]
    return met / len(wanted)


def pass_hat_k(successes: Sequence[Sequence[bool]], k: int) -> float:
    """How likely k attempts at a task all succeed, C(c, k) / C(n, k) over tasks (tau-bench, arXiv 2406.12045)."""
    shares = [comb(sum(task), k) / comb(len(task), k) for task in successes if len(task) >= k]
    return sum(shares) / len(shares) if shares else 0.0


def interval(by_task: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """(mean, low, high): the 95 % percentile interval of a bootstrap over tasks (Efron 1979)."""
    import numpy as np

    values = np.asarray(by_task, dtype=np.float64)
    if not len(values):
        return 0.0, 0.0, 0.0
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values.mean()), float(low), float(high)
