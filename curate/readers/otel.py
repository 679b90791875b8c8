"""OpenTelemetry GenAI spans: `chat` spans, whose inputs repeat the history, and `execute_tool` spans with results.

The spans of one conversation (else trace) and agent are one trajectory. They may lie anywhere in a file, so all its
spans are held until its end, with their attributes of `gen_ai.` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from curate.errors import RecordError
from curate.readers.messages import objects
from curate.readers.otel_dialogue import CONTENT, Dialogue
from curate.readers.otel_spans import is_span, spans_of
from curate.readers.raw import RawRecord, RawTrajectory, take_facts

_CHAT = ("chat", "generate_content", "text_completion")


class OTel:
    """Spans, assembled to `{"trace_id", "conversation_id", "agent", "spans": [...]}` in the order of their starts."""

    name = "otel_genai"

    def matches(self, record: Mapping[str, Any]) -> float:
        """Sure of an OTLP export or of a span with a GenAI attribute."""
        if isinstance(record.get("resourceSpans"), list):
            return 0.97
        if not is_span(record):
            return 0.0
        return 0.97 if any(span["attributes"] for span in spans_of(record)) else 0.4

    def assemble(self, records: Iterator[RawRecord]) -> Iterator[RawRecord]:
        """One record a conversation and agent, at the file's end; spans of no chat are part of none."""
        row = 0
        spans: list[dict[str, Any]] = []
        for record in records:
            found = list(spans_of(record.value)) if isinstance(record.value, Mapping) else []
            spans += found
            is_export = isinstance(record.value, Mapping) and "resourceSpans" in record.value
            if not found and not is_export:
                yield replace(record, row=row)
                row += 1
        for value in _conversations(spans):
            yield RawRecord(row, value)
            row += 1

    def convert(self, record: Mapping[str, Any]) -> RawTrajectory:
        """Read the spans of one conversation."""
        dialogue = Dialogue()
        spans = objects(record.get("spans"), "spans")
        for index, span in enumerate(spans):
            place, attributes = f"spans[{index}]", span.get("attributes")
            if not isinstance(attributes, Mapping):
                raise RecordError("wrong_type", f"{place}.attributes is {type(attributes).__name__}, not an object")
            if attributes.get("gen_ai.operation.name") in _CHAT:
                dialogue.add_chat(attributes, place)
        for span in spans:
            if span["attributes"].get("gen_ai.operation.name") == "execute_tool":
                dialogue.add_result(span["attributes"], failed=bool(span.get("error")))
        raw = dialogue.trajectory()
        raw.metadata["spans"] = [_facts(span) for span in spans]
        return take_facts(record, raw, {"spans"})


def _conversations(spans: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The trajectories in the order of their first spans; what a span does not say, those above it do."""
    by_id = {(span["trace_id"], span["span_id"]): span for span in spans}
    of_trace: dict[str, str] = {}
    for span in spans:
        named = _said(span, "gen_ai.conversation.id")
        if named:
            of_trace.setdefault(span["trace_id"], named)
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for span in sorted((span for span in spans if span["attributes"]), key=lambda span: int(span["start"])):
        trace = span["trace_id"]
        conversation = _said(span, "gen_ai.conversation.id") or of_trace.get(trace, "")
        groups.setdefault(("" if conversation else trace, conversation, _agent(span, by_id)), []).append(span)
    for (_, conversation, agent), group in groups.items():
        if any(span["attributes"].get("gen_ai.operation.name") in _CHAT for span in group):
            yield {
                "trace_id": group[0]["trace_id"],
                "conversation_id": conversation or None,
                "agent": agent or None,
                "spans": group,
            }


def _agent(span: Mapping[str, Any], by_id: Mapping[tuple[str, str], Mapping[str, Any]]) -> str:
    """The agent that a span works for: its own word, else that of the nearest span above it."""
    seen: set[str] = set()
    current: Mapping[str, Any] | None = span
    while current is not None and current["span_id"] not in seen:
        named = _said(current, "gen_ai.agent.name")
        if named:
            return named
        seen.add(current["span_id"])
        current = by_id.get((current["trace_id"], current["parent_id"]))
    return ""


def _said(span: Mapping[str, Any], key: str) -> str:
    value = span["attributes"].get(key)
    return value if isinstance(value, str) else ""


def _facts(span: Mapping[str, Any]) -> dict[str, Any]:
    """What a span says beside the messages."""
    return {**span, "attributes": {key: value for key, value in span["attributes"].items() if key not in CONTENT}}
