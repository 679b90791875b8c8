"""What an augment run did: turns by kind and origin, lengths, sources of arguments, turns without a thought."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from statistics import median
from typing import TYPE_CHECKING, Any

from curate.trajectory import Trajectory
from synth.teachers.base import Thought
from synth.turn_rule import NOT_TRAINED

if TYPE_CHECKING:
    from curate.report import Report

KINDS = ("final", "announce", "silent", "analysis")
ORIGINS = ("recorded", "wrapped", "rule", "teacher", "none")
WRITTEN = ("rule", "teacher")
SOURCES = ("user", "result", "assistant", "system", "call", "constant", "composed", "nothing")
TOP = 12
"""Rows of the tables that could grow without end."""
_WORDS = re.compile(r"\w+")


class Tally:
    """Counts over the rows of a run."""

    def __init__(self) -> None:
        self.trajectories = 0
        self.turns: Counter[tuple[str, str]] = Counter()
        self.reasons: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()
        self.openings: Counter[str] = Counter()
        self.lengths: dict[str, list[int]] = {}

    def add(self, row: Trajectory, thoughts: Mapping[int, Thought]) -> None:
        """Count one finished row; `thoughts` are those that a teacher wrote for it."""
        self.trajectories += 1
        latest = {entry["message_index"]: entry for entry in row["thinking"]}
        for entry in latest.values():
            origin = entry["origin"]
            self.turns[entry["kind"], origin] += 1
            text = row["messages"][entry["message_index"]]["reasoning_content"]
            if text is None:
                self.reasons.update(code for code in entry["checks_failed"] if code != NOT_TRAINED)
                continue
            self.lengths.setdefault(origin, []).append(len(text))
            if origin in WRITTEN:
                self.openings[opening(text)] += 1
        for thought in thoughts.values():
            self.sources.update(thought.sources)

    def counts(self) -> dict[str, Any]:
        """The figures for the manifest."""
        written = sum(count for (_, origin), count in self.turns.items() if origin in WRITTEN)
        wrapped = sum(count for (_, origin), count in self.turns.items() if origin == "wrapped")
        top = self.openings.most_common(1)
        return {
            "trajectories": self.trajectories,
            "turns": {
                kind: {origin: self.turns[kind, origin] for origin in ORIGINS if self.turns[kind, origin]}
                for kind in KINDS
            },
            "wrapped_instead_of_written": _share(wrapped, wrapped + written),
            "without_thought": dict(sorted(self.reasons.items())),
            "arguments": self.by_kind(),
            "top_opening_share": _share(top[0][1], written) if top else 0.0,
        }

    def by_kind(self) -> dict[str, int]:
        """Arguments by the kind of their source."""
        kinds: Counter[str] = Counter()
        for label, count in self.sources.items():
            kinds[label.split(":", 1)[0]] += count
        return {kind: kinds[kind] for kind in SOURCES if kinds[kind]}


def opening(text: str) -> str:
    """The first four words of a thought."""
    return " ".join(_WORDS.findall(text.lower())[:4])


def turn_rows(turns: Mapping[str, Mapping[str, int]]) -> tuple[list[str], list[list[str | int]]]:
    """Headers and rows of the table of turns by kind and origin."""
    origins = [origin for origin in ORIGINS if any(turns[kind].get(origin) for kind in turns)]
    rows: list[list[str | int]] = [
        [kind, *(by.get(origin, 0) for origin in origins), sum(by.values())] for kind, by in turns.items()
    ]
    rows.append(["all", *(sum(by.get(origin, 0) for by in turns.values()) for origin in origins),
                 sum(sum(by.values()) for by in turns.values())])  # fmt: skip
    return ["turn", *origins, "all"], rows


def build_report(tally: Tally, teacher: str) -> Report:
    """The report of a run."""
    from curate.report import Report

    counts = tally.counts()
    report = Report("Thinking added")
    report.text(
        f"{tally.trajectories:,} trajectories, teacher {teacher}. "
        f"{counts['wrapped_instead_of_written']:.1%} of the thoughts that had to be added were recorded texts that "
        "reason beside a call (wrapped), the rest were written. "
        "A thought of origin rule was written by rules, not by a model."
    )
    report.table("Turns by kind and by origin of their thought", *turn_rows(counts["turns"]))
    _add_lengths(report, tally)
    _add_sources(report, tally)
    if tally.reasons:
        rows = sorted(tally.reasons.items(), key=lambda entry: (-entry[1], entry[0]))
        report.table("Turns left without a thought, not trained on", ["reason", "turns"], rows)
    else:
        report.text("Every assistant turn has a thought.")
    top = sorted(tally.openings.items(), key=lambda entry: (-entry[1], entry[0]))[:TOP]
    total = sum(tally.openings.values())
    report.table("Most common openings of written thoughts (four words)", ["opening", "thoughts", "share"],
                 [[words, count, _share(count, total)] for words, count in top])  # fmt: skip
    return report


def _add_lengths(report: Report, tally: Tally) -> None:
    rows: list[list[str | int | float]] = []
    for origin in ORIGINS:
        lengths = sorted(tally.lengths.get(origin, []))
        if lengths:
            high = lengths[(len(lengths) - 1) * 19 // 20]
            rows.append([origin, len(lengths), lengths[0], round(median(lengths)), high, lengths[-1]])
    report.table("Length of thoughts in characters", ["origin", "thoughts", "least", "median", "95 %", "most"], rows)
    written = [length for origin in WRITTEN for length in tally.lengths.get(origin, [])]
    if written:
        from curate.plots import histogram

        report.plot("Length of written thoughts", histogram(written, xlabel="characters"))


def _add_sources(report: Report, tally: Tally) -> None:
    kinds = tally.by_kind()
    total = sum(kinds.values())
    if not total:
        return
    from curate.plots import bars

    report.text(
        "Where the arguments of the explained calls came from: the best source of each value before the turn. "
        "Constants are defaults, truth values and small numbers; composed texts are the agent's own words whose ids "
        "and numbers all stand before; nothing means that no earlier message holds the value."
    )
    rows: list[list[str | int | float]] = [[kind, count, _share(count, total)] for kind, count in kinds.items()]
    report.table("Sources of arguments", ["source", "arguments", "share"], rows)
    report.plot("Sources of arguments", bars(list(kinds), [count / total for count in kinds.values()],
                                             xlabel="share of arguments", percent=True))  # fmt: skip
    tools = sorted(((label[7:], count) for label, count in tally.sources.items() if label.startswith("result:")),
                   key=lambda entry: (-entry[1], entry[0]))  # fmt: skip
    report.table("Whose results gave arguments", ["tool", "arguments"], tools[:TOP])


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
