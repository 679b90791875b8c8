"""The form of a thought by itself: length, markup, its end, its script, repetitions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from synth.checks.index import runs_of
from synth.checks.settings import CheckSettings
from synth.checks.values import ThoughtText

REPEATED_WORDS = 4
FEW_RUNS = 8
"""Runs of words below which a share of them says nothing."""
FEW_LETTERS = 10
"""Letters below which a text has no script of its own."""
SHORT_LINE = 12
"""Characters below which a line may come again."""

_MARKUP = re.compile(
    r"</?(?:think|thinking|thought|tool_call|tool_calls|tool_response|tool_result|function|answer|response|reasoning)\b"
    r"|<\||\|>|\[/?(?:TOOL_CALLS|TOOL_RESULTS|INST|AVAILABLE_TOOLS)\]|```|</?s>"
    r'|"(?:arguments|parameters)"\s{0,20}:\s{0,20}[{"]|\{\s{0,20}"(?:name|function|tool|tool_name)"\s{0,20}:',
    re.IGNORECASE,
)
_LAST = re.compile(r"[.!?\u2026\u3002\uff01\uff1f\u0964\u061f\u06d4:;)\]\"'\u201d\u2019\u00bb`*\u300d]\Z")
_LINE = re.compile(r"(?<=[.!?\u3002])\s+|\n+")

_SCRIPTS = {
    "latin": "a-zA-Z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff",
    "greek": "\u0370-\u03ff\u1f00-\u1fff",
    "cyrillic": "\u0400-\u052f",
    "armenian": "\u0530-\u058f",
    "hebrew": "\u0590-\u05ff",
    "arabic": "\u0600-\u06ff\u0750-\u077f",
    "devanagari": "\u0900-\u097f",
    "bengali": "\u0980-\u09ff",
    "tamil": "\u0b80-\u0bff",
    "thai": "\u0e00-\u0e7f",
    "georgian": "\u10a0-\u10ff",
    "hangul": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
    "east asian": "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff",
}
_TEN_LETTERS = re.compile(r"(?:[a-zA-Z][^a-zA-Z]*){10}")
_BEYOND_LATIN = re.compile("[\u0250-\u1dff\u1f00-\u1fff\u2c00-\U0010ffff]")
_LETTERS = {name: re.compile(f"[{letters}]") for name, letters in _SCRIPTS.items()}


def shape(thought: ThoughtText, settings: CheckSettings) -> Iterator[tuple[str, str]]:
    """(code, detail) of a thought's length, markup and end."""
    length = len(thought.whole)
    if length < settings.min_chars:
        yield "too_short", f"{length} characters"
    if length > settings.max_chars:
        yield "too_long", f"{length} characters"
    found = _MARKUP.search(thought.text)
    if found:
        yield "markup", found[0]
    if length == len(thought.text) and not _LAST.search(thought.text.rstrip()):
        yield "unfinished", thought.text.rstrip()[-20:]


def scripts(text: str) -> dict[str, int]:
    """Script -> letters of it, where there are any; Han and kana are one, as Japanese mixes them."""
    if text.isascii() or not _BEYOND_LATIN.search(text):
        letters = len(_LETTERS["latin"].findall(text))
        return {"latin": letters} if letters else {}
    counts = {name: len(pattern.findall(text)) for name, pattern in _LETTERS.items()}
    return {name: count for name, count in counts.items() if count}


def main_script(text: str) -> str | None:
    """The script that most letters of a text are of; None if it has too few."""
    if text.isascii() and _TEN_LETTERS.search(text):
        return "latin"
    counts = scripts(text)
    name = max(counts, key=lambda name: counts[name], default=None)
    return name if name is not None and counts[name] >= FEW_LETTERS else None


def language(thought: ThoughtText, expected: str | None, settings: CheckSettings) -> str | None:
    """What is wrong with a thought's script: broken characters, another main script, too many foreign letters.

    Args:
        thought: the thought.
        expected: the script that the user writes; None if that is not known.
        settings: the most foreign letters. Latin ones are never foreign: names of tools are written in them.
    """
    if "\ufffd" in thought.text:
        return "U+FFFD"
    if expected in (None, "latin") and (thought.text.isascii() or not _BEYOND_LATIN.search(thought.text)):
        return None
    counts = scripts(thought.text)
    total = sum(counts.values())
    if total < FEW_LETTERS:
        return None
    main = max(counts, key=lambda name: counts[name])
    expected = expected or main
    if main != expected and counts.get(expected, 0) < total / 3:
        return f"{main}, the user writes {expected}"
    foreign = total - counts.get(expected, 0) - (counts.get("latin", 0) if expected != "latin" else 0)
    return f"{foreign} of {total} letters are not {expected}" if foreign > settings.foreign_share * total else None


def repetition(thought: ThoughtText, settings: CheckSettings) -> str | None:
    """Runs of four words, or lines, that come again and again."""
    runs = list(runs_of(thought.words, REPEATED_WORDS))
    repeated = len(runs) - len(set(runs))
    if not repeated:
        return None
    share = repeated / len(runs) if len(runs) >= FEW_RUNS else 0.0
    if share > settings.repeated_share:
        return f"{share:.0%} of the 4-word runs are repetitions"
    lines = [line.strip() for line in _LINE.split(thought.lower) if len(line) >= SHORT_LINE]
    if len(lines) < settings.repeated_lines:
        return None
    line, count = Counter(lines).most_common(1)[0]
    return f"{count} times: {line}" if count >= settings.repeated_lines else None
