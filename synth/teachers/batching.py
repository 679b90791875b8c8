"""What the batches of both vendors share: errors in the terms of a single ask, and results read line by line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import orjson

from synth.teachers.asks import BatchError, Reply

if TYPE_CHECKING:
    from synth.teachers.asks import BatchApi, ReplyKind

SEARCH_SLACK_S = 900.0
"""How far the vendor's clock may be off from ours when a batch is searched for by its time."""
MOST_LINE_BYTES = 16_000_000
DETAIL_CHARS = 200
MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_error", "billing_not_active"})
"""Codes that say the account has no money, under whatever status."""
_PASSING = frozenset(
    {"rate_limit_error", "rate_limit_exceeded", "overloaded_error", "api_error", "timeout_error", "server_error"}
)
_KEYLESS = frozenset({"authentication_error", "permission_error", "invalid_api_key"})

Results: TypeAlias = AsyncIterator[tuple[str, Reply]]


class Parser(Protocol):
    """The part of an `Api` that batches need."""

    def parse(self, raw: Any) -> Reply:
        """The reply in the decoded JSON body of an answer."""
        ...


class BrokenLines(BatchError):
    """Results that were read to their end, but for lines that hold no result.

    Attributes:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        super().__init__(Reply("again", "broken_lines", billed="unknown", detail=f"{count:,} lines cannot be read"))
        self.count = count


def make_batches(teacher: str, parser: Parser, key: str, base_url: str | None = None) -> BatchApi:
    """The batch API of a teacher.

    Args:
        teacher: "openai:MODEL" or "anthropic:MODEL".
        parser: its `Api`.
        key: of the account.
        base_url: another server than the vendor's.
    """
    if teacher.partition(":")[0] == "anthropic":
        from synth.teachers.anthropic_batch import AnthropicBatches

        return AnthropicBatches(parser, key, base_url)
    from synth.teachers.openai_batch import OpenAIBatches

    return OpenAIBatches(parser, key, base_url)


def batch_error(error: Exception, key: str) -> BatchError:
    """What an SDK raised, in the terms of a single ask; nothing of the key is in it.

    `billed` is "nothing" where the server has refused, and "unknown" where it may have done what was asked.
    """
    status = getattr(error, "status_code", None)
    if not isinstance(status, int) or status < 400:  # no answer, or one that is not the API's
        name = type(error).__name__
        code = "timeout" if "Timeout" in name else "connection" if "Connection" in name else "not_the_api"
        return BatchError(Reply("again", code, billed="unknown", detail=_short(name, key)))
    code, message = _said(getattr(error, "body", None))
    response = getattr(error, "response", None)
    kind = _kind(status, code)
    return BatchError(
        Reply(
            kind,
            code if code in MONEY else {404: "not_found", 413: "too_large"}.get(status, code or f"http_{status}"),
            billed="unknown" if status >= 500 or status == 408 else "nothing",
            request_id=getattr(error, "request_id", None),
            wait=_wait(getattr(response, "headers", {}).get("retry-after")),
            detail=_short(message or f"status {status}", key),
        )
    )


def _kind(status: int, code: str) -> ReplyKind:
    if code in MONEY or status in (401, 402, 403):
        return "run"
    return "again" if status in (408, 409, 429) or status >= 500 else "item"


def error_reply(code: str, message: str, key: str, request_id: str | None = None) -> Reply:
    """The reply of one ask in a batch that ended with an error; it costs nothing."""
    kind: ReplyKind = "item"
    if code in MONEY or code in _KEYLESS:
        kind = "run"
    elif code in _PASSING:
        kind = "again"
    return Reply(kind, code or "error", billed="nothing", request_id=request_id, detail=_short(message, key))


def status_reply(status: int, body: Any, key: str, request_id: str | None = None) -> Reply:
    """The reply of one ask in a batch whose answer had another status than 200."""
    code, message = _said(body)
    reply = error_reply(code or f"http_{status}", message or f"status {status}", key, request_id)
    if reply.kind == "item" and (kind := _kind(status, code)) != "item":
        return Reply(kind, reply.code, billed="nothing", request_id=request_id, detail=reply.detail)
    return reply


def _said(body: Any) -> tuple[str, str]:
    """(code, message) in the body of an error."""
    error = body.get("error", body) if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", ""
    return str(error.get("code") or error.get("type") or ""), str(error.get("message") or "")


def _short(text: str, key: str) -> str:
    text = " ".join(text[: 10 * DETAIL_CHARS].split())
    return (text.replace(key, "[key]") if key else text)[:DETAIL_CHARS]


def _wait(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text is not None else None
    except ValueError:
        return None


def json_bytes(request: dict[str, Any]) -> bytes:
    """A request as it is sent; a lone half of a surrogate pair, which is no text, becomes a question mark."""
    try:
        return orjson.dumps(request)
    except TypeError:
        return json.dumps(request, ensure_ascii=False).encode("utf-8", "replace")


async def json_lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[dict[str, Any] | None]:
    """The objects in a body of JSON Lines as it arrives; None for a line that holds none.

    Lines end at line feeds alone: an answer may hold U+2028 and the like as they are.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in _objects(lines):
            yield line
        if len(rest) > MOST_LINE_BYTES:
            raise ValueError("a line of the results has no end")
    for line in _objects([rest]):
        yield line


def _objects(lines: Iterable[bytes]) -> Iterator[dict[str, Any] | None]:
    for line in lines:
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            yield value if isinstance(value, dict) and isinstance(value.get("custom_id"), str) else None
