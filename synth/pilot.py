"""The page of a pilot: thoughts side by side with what they explain, and what the whole set would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from curate.trajectory import Message, Trajectory
from synth.teachers.asks import Usage

_TEMPLATE = Path(__file__).with_name("pilot.html.j2")
MAX_CASES = 20
SEEN = 3
"""Messages before the turn that are shown."""
SHORT_CHARS = 480
"""Characters of a text that are shown at once; the rest opens."""
MAX_CHARS = 40_000
"""Most characters of a text in the page."""
SPEAKERS = {"system": "instructions", "developer": "instructions", "assistant": "agent"}


@dataclass(frozen=True, slots=True)
class PilotAttempt:
    """One answer of the teacher for a turn.

    Attributes:
        text: the thought; None if there was none.
        codes: checks that it failed; empty if it was accepted.
        usage: its tokens, if they are known.
        usd: its price.
    """

    text: str | None
    codes: tuple[str, ...] = ()
    usage: Usage | None = None
    usd: float = 0.0


@dataclass(frozen=True, slots=True)
class PilotCase:
    """One turn of the pilot.

    Attributes:
        row: its trajectory as recorded.
        message_index: of the turn.
        kind: final, announce, silent or analysis.
        origin: where its thought comes from: teacher, or none if all attempts failed.
        attempts: in the order they were made; the last is the one that counts.
    """

    row: Trajectory
    message_index: int
    kind: str
    origin: str
    attempts: tuple[PilotAttempt, ...]


class PilotFacts(TypedDict, total=False):
    """The figures above the thoughts; what is missing is not shown.

    `usd_all` is what the whole set would cost, online; asked turns' mean price times `turns_total` unless given.
    """

    teacher: str
    prompt_version: str
    date: str
    turns_total: int
    turns_asked: int
    accepted: int
    reasked: int
    given_up: int
    rejects: Mapping[str, int]
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    usd: float
    usd_all: float
    usd_all_batch: float


def pilot_page(cases: Sequence[PilotCase], facts: PilotFacts) -> bytes:
    """One HTML file without scripts, fonts or pictures; everything recorded or generated is escaped.

    Args:
        cases: the first 20 are shown, in this order.
        facts: figures of the run.
    """
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    shown = cases[:MAX_CASES]
    page = template.render(
        about=" · ".join(
            word for word in (facts.get("teacher"), facts.get("prompt_version"), facts.get("date")) if word
        ),
        figures=_figures(facts),
        rejects=sorted(facts.get("rejects", {}).items(), key=lambda entry: (-entry[1], entry[0])),
        asked=facts.get("turns_asked", 0),
        cases=[_case(case) for case in shown],
    )
    return page.encode("utf-8", "replace")


def _figures(facts: PilotFacts) -> list[tuple[str, str, str]]:
    """(label, figure, remark) of each tile."""
    asked = facts.get("turns_asked", 0)
    counted = (("asked", "turns_asked"), ("accepted", "accepted"), ("asked again", "reasked"), ("given up", "given_up"))
    tiles = [(label, f"{facts[key]:,}", "" if key == "turns_asked" else _share(facts[key], asked))  # type: ignore[literal-required]
             for label, key in counted if key in facts]  # fmt: skip
    if "tokens_in" in facts or "tokens_out" in facts:
        cached = facts.get("tokens_cached", 0)
        remark = f"{_share(cached, facts.get('tokens_in', 0))} of input from cache" if cached else ""
        tiles.append(("tokens in / out", f"{facts.get('tokens_in', 0):,} / {facts.get('tokens_out', 0):,}", remark))
    if "usd" in facts:
        tiles.append(("spent", _usd(facts["usd"]), f"{_usd(facts['usd'] / asked)} a turn" if asked else ""))
    return [*tiles, *_whole_set(facts, asked)]


def _whole_set(facts: PilotFacts, asked: int) -> list[tuple[str, str, str]]:
    total = facts.get("turns_total", 0)
    usd = facts.get("usd_all", facts.get("usd", 0.0) / asked * total if asked else None)
    if not total or usd is None:
        return []
    batch = f", {_usd(facts['usd_all_batch'])} as batches" if "usd_all_batch" in facts else ""
    return [("the whole set", f"about {_usd(usd)}", f"{total:,} turns{batch}")]


def _case(case: PilotCase) -> dict[str, Any]:
    """What the template needs of one turn."""
    messages = case.row["messages"]
    seen = [message for message in messages[: case.message_index] if _seen(message)]
    final = case.attempts[-1] if case.attempts else None
    accepted = final is not None and not final.codes and final.text is not None
    known = [attempt.usage for attempt in case.attempts if attempt.usage is not None]
    return {
        "where": f"{case.row['source']} · task {case.row['task_id']} · message {case.message_index} · {case.kind}",
        "earlier": max(len(seen) - SEEN, 0),
        "seen": [_message(message) for message in seen[-SEEN:]],
        "action": _message(messages[case.message_index]),
        "accepted": accepted,
        "thought": [part for part in (final.text or "").split("\n") if part.strip()] if final and accepted else [],
        "words": len((final.text or "").split()) if final else 0,
        "origin": case.origin,
        "failed": [(at + 1, attempt.codes, _folded(attempt.text or "(no text)"))
                   for at, attempt in enumerate(case.attempts) if attempt.codes or attempt.text is None],
        "attempts": len(case.attempts),
        "tokens_in": sum(usage.input for usage in known),
        "tokens_out": sum(usage.output for usage in known),
        "usd": _usd(sum(attempt.usd for attempt in case.attempts)),
    }  # fmt: skip


def _seen(message: Message) -> bool:
    """Whether the agent sees it: what the user calls, and gets, on its own side is not the agent's."""
    said = bool(message["content"] or message["content_json"])
    return message["requestor"] != "user" or (message["role"] == "user" and said)


def _message(message: Message) -> dict[str, Any]:
    said = message["content"] or message["content_json"] or ""
    name = message["name"] if message["role"] == "tool" else None
    return {
        "role": message["role"],
        "speaker": SPEAKERS.get(message["role"], message["role"]) + (f" · {name}" if name else ""),
        "failed": bool(message["is_error"]),
        "text": _folded(said) if said else None,
        "calls": [(call["name"], _folded(call["arguments"])) for call in message["tool_calls"]]
        if message["role"] == "assistant"
        else [],
    }


def _folded(text: str) -> tuple[str, str]:
    """(what is shown at once, the whole if that is more)."""
    if len(text) <= SHORT_CHARS:
        return text, ""
    whole = text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}\n... {len(text) - MAX_CHARS:,} characters more"
    return text[:SHORT_CHARS].rstrip() + " ...", whole


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _usd(usd: float) -> str:
    return f"${usd:,.2f}" if usd >= 1 or not usd else f"${usd:.4f}"
