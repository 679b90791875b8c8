"""Figures of an audit: is p honest (calibration, ECE), and how sure is a share (bootstrap by trajectory)?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cachebuild.answer import Tier

if TYPE_CHECKING:
    from curate.folder import DatasetFolder

BINS = 10
RESAMPLES = 1_000
HITS: tuple[Tier, ...] = ("exact", "normalised")
SERVED: tuple[Tier, ...] = ("exact", "normalised", "fuzzy")
"""Tiers that stand for the live tool; best effort is served too, but says itself that it does not."""

Row = Mapping[str, Any]


class Calibration:
    """What p promised and what came true, in ten equally wide bins of p.

    ECE = sum over bins of n_b / N * |mean p - mean of what came true| (Naeini et al. 2015; Guo et al. 2017, eq. 3).
    """

    def __init__(self) -> None:
        self.counts = [0] * BINS
        self.promised = [0.0] * BINS
        self.came: dict[str, list[float]] = {"right": [0.0] * BINS, "fidelity": [0.0] * BINS}

    def add(self, row: Row) -> None:
        """Count an answer; unavailable promises nothing and is left out."""
        if row["tier"] == "unavailable":
            return
        at = min(int(row["p"] * BINS), BINS - 1)
        self.counts[at] += 1
        self.promised[at] += row["p"]
        for name, sums in self.came.items():
            sums[at] += row[name]

    def ece(self, of: str = "right") -> float | None:
        """Expected calibration error against `right` or `fidelity`; None without any answer."""
        gaps = (abs(p - came) for p, came in zip(self.promised, self.came[of], strict=True))
        return sum(gaps) / sum(self.counts) if sum(self.counts) else None

    def rows(self) -> list[tuple[str, int, float, float, float]]:
        """(bin, answers, mean p, share exactly right, mean fidelity) of the bins that are not empty."""
        return [
            (
                f"{at / BINS:.1f} to {(at + 1) / BINS:.1f}",
                count,
                self.promised[at] / count,
                self.came["right"][at] / count,
                self.came["fidelity"][at] / count,
            )
            for at, count in enumerate(self.counts)
            if count
        ]


@dataclass(frozen=True, slots=True)
class Share:
    """A share of 1 with its 95 % interval; `part` of `whole` calls (fidelity adds fractions to `part`)."""

    name: str
    part: float
    whole: int
    value: float | None
    low: float | None
    high: float | None


HEADLINES = (
    "served (exact, normalised, fuzzy)",
    "exactly right when served",
    "mean fidelity when served",
    "exactly right at p >= .8",
    "wrong exact hits",
    "wrong exact hits, state known",
    "wrong hits, reads behind a related write",
    "hits lost to state keying",
    "lost hits, behind a write that the cache does not know",
    "lost hits, recorded in another state only",
    "wrong stateless hits avoided",
)


def lost_to_state(stateless: str | None, right: str, served: str | None, *, equal: bool) -> bool:
    """Whether the state in the key cost a hit: a stateless key has the right result, and this was not served.

    Args:
        stateless: what equal arguments had, whatever was written before; None where they were not recorded.
        right: the result that the call should have.
        served: what was served instead, None for a miss.
        equal: whether that is the result of an equal call; where it is wrong the state is not at fault.
    """
    return stateless == right and not equal and served != right


def avoided_by_state(stateless: str | None, right: str, *, equal: bool) -> bool:
    """Whether the state in the key kept a wrong result from being served as that of an equal call."""
    return stateless is not None and stateless != right and not equal


class Headlines:
    """The audit's headline shares, summed by trajectory so that they can be resampled; volatile tools left out."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._sums: dict[str, list[float]] = {}

    def add(self, row: Row) -> None:
        """Count one row of table `audit`."""
        if row["volatile"]:
            return
        served, hit = row["tier"] in SERVED, row["tier"] in HITS
        behind = hit and row["after_write"] and row["kind"] == "read"
        lost, unknown = row["lost_to_state"], row["behind_unknown_write"]
        counts = (
            (served, True),
            (row["right"], served),
            (row["fidelity"], served),
            (row["right"], served and row["p"] >= 0.8),
            (not row["right"], row["tier"] == "exact"),
            (not row["right"], row["tier"] == "exact" and "state_unknown" not in row["reason"]),
            (not row["right"], behind),
            (lost, True),
            (lost and unknown, True),
            (lost and not unknown, True),
            (row["stateless_right"] is False and not hit, True),
        )
        sums = self._sums.setdefault(row["trajectory_id"], [0.0] * 2 * len(HEADLINES))
        for at, (part, counted) in enumerate(counts):
            if counted:
                sums[2 * at] += part
                sums[2 * at + 1] += 1

    def shares(self) -> list[Share]:
        """The shares with percentile intervals of a seeded bootstrap over trajectories (Efron 1979)."""
        import numpy as np

        sums = np.array([self._sums[name] for name in sorted(self._sums)]).reshape(-1, 2 * len(HEADLINES))
        rng, count = np.random.default_rng(self._seed), len(sums)
        drawn = np.array([rng.multinomial(count, [1 / count] * count) @ sums for _ in range(RESAMPLES if count else 0)])
        found = []
        for at, name in enumerate(HEADLINES):
            part, whole = float(sums[:, 2 * at].sum()), int(sums[:, 2 * at + 1].sum())
            if not whole:
                found.append(Share(name, part, whole, None, None, None))
                continue
            parts, wholes = drawn[:, 2 * at], drawn[:, 2 * at + 1]
            low, high = np.percentile(parts[wholes > 0] / wholes[wholes > 0], [2.5, 97.5])
            found.append(Share(name, part, whole, part / whole, float(low), float(high)))
        return found


def chances(cache: DatasetFolder) -> dict[tuple[str, str], float]:
    """(env, tool) -> what two of its recorded successful results share by accident (`fidelity.chance_of`)."""
    import polars as pl

    from cachebuild.fidelity import MOST_RESULTS, chance_of
    from cachebuild.served import served_entries

    found = (
        served_entries(cache)
        .filter("success")
        .select("env_id", "tool", "result_hash", "result")
        .unique("result_hash env_id tool".split(), keep="any")
        .sort("env_id", "tool", "result_hash")
        .group_by("env_id", "tool", maintain_order=True)
        .agg(pl.col("result").head(MOST_RESULTS))
        .collect()
    )
    return {(row["env_id"], row["tool"]): chance_of(row["result"]) for row in found.iter_rows(named=True)}


def share_table(shares: Iterable[Share]) -> tuple[list[str], list[list[str | int | float | None]]]:
    """(headers, rows) of the headline shares, in percent."""
    rows: list[list[str | int | float | None]] = []
    for share in shares:
        percents = [None if value is None else f"{100 * value:.2f}" for value in (share.value, share.low, share.high)]
        between = None if percents[1] is None else f"{percents[1]} to {percents[2]}"
        rows.append([share.name, percents[0], between, share.whole])
    return ["share", "%", "95 % interval", "of calls"], rows
