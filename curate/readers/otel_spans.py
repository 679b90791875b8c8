"""OpenTelemetry spans as the exporters write them: OTLP JSON (`resourceSpans`) or one span a record, in one shape."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

_EVENT = "gen_ai.client.inference.operation.details"
"""The event that carries the messages where they are not on the span itself."""
_VALUES = ("stringValue", "boolValue", "doubleValue", "bytesValue", "intValue")


def spans_of(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The GenAI spans in a record: {trace_id, span_id, parent_id, name, start, end, error, attributes}.

    Spans without a `gen_ai.` attribute come too, with none: they say which span stands below which. What is of no known
    shape is left out.
    """
    if not isinstance(record.get("resourceSpans"), list):
        if is_span(record):
            yield _span(record)
        return
    for resource in record["resourceSpans"]:
        scopes = resource.get("scopeSpans") if isinstance(resource, Mapping) else None
        for scope in scopes if isinstance(scopes, list) else []:
            spans = scope.get("spans") if isinstance(scope, Mapping) else None
            yield from (_span(span) for span in spans if isinstance(span, Mapping)) if isinstance(spans, list) else ()


def is_span(record: Mapping[str, Any]) -> bool:
    """Whether a record is one span."""
    context = record.get("context", record)
    named = isinstance(context, Mapping) and ("trace_id" in context or "traceId" in context)
    return named and "name" in record and isinstance(record.get("attributes"), (Mapping, list))


def _span(record: Mapping[str, Any]) -> dict[str, Any]:
    context = record.get("context")
    ids = {**record, **context} if isinstance(context, Mapping) else record
    attributes = _attributes(record.get("attributes"))
    events = record.get("events")
    for event in events if isinstance(events, list) else []:
        if isinstance(event, Mapping) and event.get("name") == _EVENT:
            attributes |= _attributes(event.get("attributes"))
    status = record.get("status")
    code = status.get("code", status.get("status_code")) if isinstance(status, Mapping) else None
    kept = {key: value for key, value in attributes.items() if key.startswith("gen_ai.") or key == "error.type"}
    return {
        "trace_id": _name(ids, "trace_id", "traceId"),
        "span_id": _name(ids, "span_id", "spanId"),
        "parent_id": _name(ids, "parent_span_id", "parentSpanId", "parent_id"),
        "name": _name(record, "name"),
        "start": _nanoseconds(_first(record, "start_time", "startTimeUnixNano", "start_time_unix_nano")),
        "end": _nanoseconds(_first(record, "end_time", "endTimeUnixNano", "end_time_unix_nano")),
        "error": code in (2, "ERROR", "STATUS_CODE_ERROR") or "error.type" in kept,
        "attributes": kept,
    }


def _first(record: Mapping[str, Any], *keys: str) -> Any:
    return next((record[key] for key in keys if record.get(key) not in (None, "")), None)


def _name(record: Mapping[str, Any], *keys: str) -> str:
    value = _first(record, *keys)
    return value.removeprefix("0x") if isinstance(value, str) else ""


def _attributes(value: Any) -> dict[str, Any]:
    """Attributes as a flat object, or as OTLP's list of key and typed value."""
    if isinstance(value, Mapping):
        return dict(value)
    pairs = value if isinstance(value, list) else []
    return {
        item["key"]: _typed(item.get("value"))
        for item in pairs
        if isinstance(item, Mapping) and isinstance(item.get("key"), str)
    }


def _typed(value: Any) -> Any:
    """OTLP's AnyValue as plain JSON; 64-bit integers come as texts."""
    if not isinstance(value, Mapping):
        return value
    for kind in ("arrayValue", "kvlistValue"):
        inner = value.get(kind)
        listed = inner.get("values", []) if isinstance(inner, Mapping) else None
        if isinstance(listed, list):
            return [_typed(item) for item in listed] if kind == "arrayValue" else _attributes(listed)
    kind = next((kind for kind in _VALUES if kind in value), "")
    found = value.get(kind)
    if kind == "intValue" and isinstance(found, str) and len(found) < 21 and found.lstrip("-").isdecimal():
        return int(found)
    return found


def _nanoseconds(value: Any) -> int:
    """A time since 1970 in nanoseconds, from such a number, its text, or ISO 8601; 0 if it is none of these."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, (int, float)):
        return int(value) if abs(value) < 2**63 else 0
    if not isinstance(value, str) or len(value) > 40:
        return 0
    if value.isascii() and value.isdigit():
        return int(value)
    try:
        moment = datetime.datetime.fromisoformat(value)
    except ValueError:
        return 0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(microseconds=1) * 1000
