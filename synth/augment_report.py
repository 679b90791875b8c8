"""What an augment run did: turns by kind and origin, checks and their floor, tokens and dollars, lengths, sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from synth.checks.settings import CODES
from synth.checks.templating import TemplatingResult
from synth.tally import ORIGINS, WRITTEN, Tally

if TYPE_CHECKING:
    from curate.report import Report

SOURCES = ("user", "result", "assistant", "system", "call", "constant", "composed", "nothing")
TOP = 12
"""Rows of the tables that could grow without end."""
FLOORED = ("future_entity", "future_copy")
"""Checks that compare with later messages, so that another trajectory's can be swapped in."""


def counts(tally: Tally, alike: TemplatingResult) -> dict[str, Any]:
    """The figures for the manifest."""
    written, wrapped = tally.count(*WRITTEN), tally.count("wrapped")
    return {
        "trajectories": tally.trajectories,
        "turns": tally.by_origin(),
        "wrapped_instead_of_written": _share(wrapped, wrapped + written),
        "without_thought": dict(sorted(tally.reasons.items())),
        "arguments": by_kind(tally.sources),
        "checks": {
            "judged": tally.judged,
            "failed": dict(sorted(tally.failed.items())),
            "attempts": dict(sorted(tally.attempts.items())),
            "floor": {code: _share(tally.floor[code], tally.floor_of) for code in FLOORED},
            "floor_of": tally.floor_of,
        },
        "asked": dict(sorted(tally.asked.items())),
        "tokens": {"in": tally.tokens_in, "out": tally.tokens_out},
        "usd": round(tally.nano_usd / 1e9, 6),
        "top_opening_share": round(alike.share, 4),
        "near_duplicate_share": round(alike.near_duplicate_share, 4),
    }


def by_kind(sources: Mapping[str, int]) -> dict[str, int]:
    """Arguments by the kind of their source."""
    kinds: Counter[str] = Counter()
    for label, count in sources.items():
        kinds[label.split(":", 1)[0]] += count
    return {kind: kinds[kind] for kind in SOURCES if kinds[kind]}


def turn_rows(turns: Mapping[str, Mapping[str, int]]) -> tuple[list[str], list[list[str | int]]]:
    """Headers and rows of the table of turns by kind and origin."""
    origins = [origin for origin in ORIGINS if any(turns[kind].get(origin) for kind in turns)]
    rows: list[list[str | int]] = [
        [kind, *(by.get(origin, 0) for origin in origins), sum(by.values())] for kind, by in turns.items()
    ]
    rows.append(["all", *(sum(by.get(origin, 0) for by in turns.values()) for origin in origins),
                 sum(sum(by.values()) for by in turns.values())])  # fmt: skip
    return ["turn", *origins, "all"], rows


def check_rows(tally: Tally) -> tuple[list[str], list[list[str | int | float]]]:
    """Headers and rows of the table of checks that some thought failed, and of those that have a floor."""
    other = sorted(set(tally.failed) - set(CODES))
    rows: list[list[str | int | float]] = []
    for code in (*CODES, *other):
        if tally.failed[code] or code in FLOORED:
            floor = _share(tally.floor[code], tally.floor_of) if code in FLOORED and tally.floor_of else ""
            rows.append([code, tally.failed[code], _share(tally.failed[code], tally.judged), floor])
    return ["check", "failed", "share of thoughts judged", "floor"], rows


def build_report(tally: Tally, alike: TemplatingResult, teacher: str, prompts: str, remark: str) -> Report:
    """The report of a run.

    Args:
        tally: of all rows.
        alike: how alike the written thoughts are.
        teacher: its id.
        prompts: version of the prompts, or of the rules.
        remark: what else is to be known of the teacher.
    """
    from curate.report import Report

    report = Report("Thinking added")
    written, wrapped = tally.count(*WRITTEN), tally.count("wrapped")
    report.text(
        f"{tally.trajectories:,} trajectories, teacher {teacher} (prompts {prompts}). "
        f"{_share(wrapped, wrapped + written):.1%} of the thoughts that had to be added were recorded texts that "
        "reason beside a call (wrapped), the rest were written. "
        f"{remark}"
    )
    report.table("Turns by kind and by origin of their thought", *turn_rows(tally.by_origin()))
    _add_asked(report, tally)
    _add_checks(report, tally, alike)
    if tally.reasons:
        rows = sorted(tally.reasons.items(), key=lambda entry: (-entry[1], entry[0]))
        report.table("Turns left without a thought, not trained on", ["reason", "turns"], rows)
    else:
        report.text("Every assistant turn has a thought.")
    _add_lengths(report, tally)
    _add_sources(report, tally)
    return report


def _add_asked(report: Report, tally: Tally) -> None:
    if not tally.asked:
        return
    rows: list[list[str | int]] = []
    for model in sorted({label.rsplit(" ", 1)[0] for label in tally.asked}):
        days = sorted(label.rsplit(" ", 1)[1] for label in tally.asked if label.rsplit(" ", 1)[0] == model)
        turns = sum(count for label, count in tally.asked.items() if label.rsplit(" ", 1)[0] == model)
        rows.append([model, turns, days[0], days[-1]])
    report.table("Who answered, as the server named it", ["model", "turns", "first day", "last day"], rows)
    report.text(
        f"{tally.tokens_in:,} tokens in, {tally.tokens_out:,} out, ${tally.nano_usd / 1e9:,.4f} for the answers of "
        "these turns, earlier runs of the journal included; an answer that equal turns share is counted for each, and "
        "answers that were lost are not in it: the journal has the bill."
    )


def _add_checks(report: Report, tally: Tally, alike: TemplatingResult) -> None:
    if not tally.judged:
        return
    passed = sum(tally.turns[label] for label in tally.turns if label.endswith((" rule", " teacher")))
    report.text(
        f"{tally.judged:,} thoughts were judged, {passed:,} accepted. The floor is the share that fails a check when "
        f"the later messages of another trajectory are swapped in ({tally.floor_of:,} thoughts): so much is chance."
    )
    report.table("Checks on written thoughts", *check_rows(tally))
    failed = {code: count / tally.judged for code, count in tally.failed.most_common()}
    if failed:
        from curate.plots import bars

        svg = bars(list(failed), list(failed.values()), xlabel="share of thoughts judged", percent=True)
        report.plot("Thoughts that failed each check", svg)
    if any(int(tries) > 1 for tries in tally.attempts):
        rows = [[int(tries), count] for tries, count in sorted(tally.attempts.items())]
        report.table("Turns by attempts that were judged", ["attempts", "turns"], rows)
    report.text(
        f"The most common opening, {alike.top_opening!r}, begins {alike.share:.1%} of the thoughts; "
        f"{alike.near_duplicate_share:.1%} of {alike.compared:,} compared are near-duplicates of others."
    )
    for warning in alike.warnings:
        report.text(f"Warning: {warning}")


def _add_lengths(report: Report, tally: Tally) -> None:
    rows: list[list[str | int | float]] = []
    by_origin = {origin: _lengths(tally, origin) for origin in ORIGINS}
    for origin, lengths in by_origin.items():
        total = sum(lengths.values())
        if total:
            found = [_at(lengths, (total - 1) * share // 100) for share in (0, 50, 95, 100)]
            rows.append([origin, total, *found])
    report.table("Length of thoughts in characters", ["origin", "thoughts", "least", "median", "95 %", "most"], rows)
    written = sum((by_origin[origin] for origin in WRITTEN), Counter[int]())
    if written:
        from curate.plots import histogram

        report.plot("Length of written thoughts", histogram(list(written.elements()), xlabel="characters"))


def _lengths(tally: Tally, origin: str) -> Counter[int]:
    pairs = ((label.split(" "), count) for label, count in tally.lengths.items())
    return Counter({int(length): count for (of, length), count in pairs if of == origin})


def _at(lengths: Counter[int], place: int) -> int:
    """The value at a place of the sorted lengths."""
    for length in sorted(lengths):
        place -= lengths[length]
        if place < 0:
            return length
    return max(lengths)


def _add_sources(report: Report, tally: Tally) -> None:
    kinds = by_kind(tally.sources)
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
