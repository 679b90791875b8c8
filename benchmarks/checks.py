"""Whether the checks on thoughts find what is planted and let good thoughts pass; the last line is one JSON object.

Good thoughts are the offline teacher's and others in a freer style: with sums, dates in words, prices with commas,
names of tools, expectations. Planted ones are such thoughts with a fault, made for each check from values and texts of
the real later messages and from the wordings of checks.yaml, whose `held_out` half is only ever counted, never shown.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# As a script this file stands beside others of the packages' names: these come last.
HERE = Path(__file__).resolve().parent
sys.path[:] = [*(entry for entry in sys.path if Path(entry).resolve() != HERE), str(HERE)]

from planted import Case, Turn, good_thoughts, planted, shifted, turns_of  # noqa: E402


def judge(cases: Sequence[Case]) -> list[tuple[Case, list[Any]]]:
    """What the checks find in each case."""
    from synth.checks.row import RowChecks
    from synth.checks.settings import CheckSettings

    checks: dict[int, Any] = {}
    judged = []
    for case in cases:
        row = case.turn.row
        one = checks.setdefault(id(row), None) or RowChecks(row, CheckSettings())
        checks[id(row)] = one
        judged.append((case, one.found(case.turn.at, case.text)))
    return judged


def floors(cases: Sequence[Case], turns: Sequence[Turn], seed: int) -> Counter[str]:
    """How many good thoughts fail when the later messages of another trajectory of the same file are swapped in."""
    from synth.checks.row import RowChecks
    from synth.checks.settings import CheckSettings

    rng, failed = random.Random(f"{seed} floor"), Counter[str]()
    rows: dict[str, list[Any]] = defaultdict(list)
    for turn in turns:
        if not rows[turn.file] or rows[turn.file][-1] is not turn.row:
            rows[turn.file].append(turn.row)
    for case in cases:
        other = rng.choice([row for row in rows[case.turn.file] if row["task_id"] != case.turn.row["task_id"]])
        one, swapped = RowChecks(case.turn.row, CheckSettings()), RowChecks(other, CheckSettings())
        failed.update(one.floor(case.turn.at, case.text or "", swapped))
    return failed


def table(good: list[tuple[Case, list[Any]]], bad: list[tuple[Case, list[Any]]], floor: Counter[str]) -> dict[str, Any]:
    """Print a row a check; returns the figures."""
    from synth.checks.settings import CODES

    print("check | planted | caught | recall | held out | caught | recall | good | flagged | false positives | floor")
    print("---|---|---|---|---|---|---|---|---|---|---")
    figures = {}
    for code in CODES:
        mine = [(case, any(finding.code == code for finding in found)) for case, found in bad if case.code == code]
        held = [caught for case, caught in mine if case.held_out]
        flagged = sum(any(finding.code == code for finding in found) for _, found in good)
        figures[code] = {
            "planted": len(mine),
            "recall": round(sum(caught for _, caught in mine) / len(mine), 4),
            "held_out_recall": round(sum(held) / len(held), 4) if held else None,
            "false_positive": round(flagged / len(good), 4),
            "floor": round(floor[code] / len(good), 4) if code in ("future_entity", "future_copy") else None,
        }
        mark = figures[code]
        lies = f"{len(held)} | {sum(held)} | {mark['held_out_recall']:.1%}" if held else "- | - | -"
        base = "-" if mark["floor"] is None else f"{mark['floor']:.1%}"
        caught = sum(caught for _, caught in mine)
        row = [code, len(mine), caught, f"{mark['recall']:.1%}", lies, len(good), flagged]
        print(*row, f"{mark['false_positive']:.1%}", base, sep=" | ")
    return figures


def read(judged: list[tuple[Case, list[Any]]], count: int) -> None:
    """Print cases, the wrong ones first; held-out ones are not shown."""
    shown: Counter[str] = Counter()
    wrong_first = sorted(judged, key=lambda pair: _right(*pair))
    for case, found in wrong_first:
        code = case.code or "good"
        shown[code] += not case.held_out
        if not case.held_out and shown[code] <= count:
            verdict = "right" if _right(case, found) else "WRONG"
            print(f"\n{code} | {verdict} | {case.turn.file} row {case.turn.row['source_row']} message {case.turn.at}")
            print(f"  thought: {(case.text or '')[:600]!r}")
            print(f"  found:   {'; '.join(f'{finding.code} ({finding.detail})' for finding in found) or 'nothing'}")


def _right(case: Case, found: list[Any]) -> bool:
    codes = [finding.code for finding in found]
    return case.code in codes if case.code else not codes


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(prog="python benchmarks/checks.py", description=__doc__)
    parser.add_argument("--each", type=int, default=40, help="thoughts planted with each fault")
    parser.add_argument("--read", type=int, default=0, metavar="N", help="print N cases of each kind, wrong ones first")
    parser.add_argument("--seed", type=int, default=0, help="of the thoughts")
    settings = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        turns = turns_of(Path(folder))
    bad = judge(list(planted(turns, settings.each, settings.seed)))
    good = judge(list(good_thoughts(turns, len(bad), settings.seed)))
    if settings.read:
        read(good + bad, settings.read)
    print(f"\n{len(good)} good thoughts, {len(bad)} planted, of {len(turns):,} turns\n")
    figures = table(good, bad, floors([case for case, _ in good], turns, settings.seed))
    any_false = sum(bool(found) for _, found in good) / len(good)
    offline = [found for at, (_, found) in enumerate(good) if at % 2]
    near = [found for case, found in good if case.held_out]
    print(
        f"\ngood thoughts that fail any check: {any_false:.1%}; "
        f"of the offline teacher's {sum(map(bool, offline)) / len(offline):.1%}; "
        f"of {len(near)} with a held-out sentence near to a fault {sum(map(bool, near)) / len(near):.1%}"
    )
    print("floor: the same good thoughts with the later messages of another task's trajectory; other checks read none")
    moved = [found for _, found in judge(list(shifted(turns)))]
    refused, common = sum(map(bool, moved)) / len(moved), Counter(one.code for found in moved for one in found)
    print(
        f"thoughts of the next turn, judged a turn too early: {refused:.1%} of {len(moved):,} refused, "
        f"{', '.join(f'{code} {count:,}' for code, count in common.most_common(4))}"
    )
    held = [mark["held_out_recall"] for mark in figures.values() if mark["held_out_recall"] is not None]
    print(json.dumps({
        "planted_recall_min": min(mark["recall"] for mark in figures.values()),
        "held_out_recall_min": min(held),
        "false_positive_max": max(mark["false_positive"] for mark in figures.values()),
        "next_turn_refused": round(refused, 4),
        "false_positive_any": round(any_false, 4),
        "checks": figures,
    }))  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
