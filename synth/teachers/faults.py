"""What went wrong between us and a teacher's server, in the terms of a reply; the same for both vendors."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from synth.teachers.asks import Billed, Reply, ReplyKind
from synth.teachers.hiding import Hider

_BY_STATUS: dict[int, tuple[ReplyKind, str]] = {
    400: ("item", "bad_request"),
    401: ("run", "bad_key"),
    402: ("run", "payment_required"),
    403: ("run", "forbidden"),
    404: ("run", "not_found"),
    405: ("run", "not_found"),
    408: ("again", "server_error"),
    409: ("again", "server_error"),
    413: ("item", "too_large"),
    422: ("item", "bad_request"),
    425: ("again", "server_error"),
    429: ("again", "rate_limited"),
    503: ("again", "unavailable"),
    529: ("again", "overloaded"),
}
_ACCOUNT = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "billing_error",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "organization_on_hold",
    }
)
"""Codes of both vendors, beside several statuses, that are about the account and not the request; from the SDKs."""
_NO_SUCH_SETTING = frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter", "model_not_found"})
"""Codes of a 400 that is about what all requests of a run have in common."""
_TOO_LONG = (
    "context length",
    "context window",
    "context_length",
    "maximum context",
    "prompt is too long",
    "input is too long",
    "too many tokens",
)
_LOST: tuple[str, Billed] = ("connection_lost", "unknown")
_BY_EXCEPTION: dict[str, tuple[str, Billed]] = {
    "ClientConnectorError": ("connection", "nothing"),
    "ConnectionTimeoutError": ("timeout", "nothing"),
    "ServerTimeoutError": ("timeout", "unknown"),
    "ClientError": _LOST,
    "ConnectError": ("connection", "nothing"),
    "ProxyError": ("connection", "nothing"),
    "UnsupportedProtocol": ("connection", "nothing"),
    "ConnectTimeout": ("timeout", "nothing"),
    "PoolTimeout": ("timeout", "nothing"),
    "TimeoutException": ("timeout", "unknown"),
    "DecodingError": ("not_json", "unknown"),
    "TransportError": _LOST,
}
"""By names of exception classes of aiohttp (to ClientError) and of httpx2 and its transport."""


def status_reply(status: int, body: Any, headers: Mapping[str, str], hider: Hider) -> Reply:
    """The reply for an answer whose status is not 2xx.

    Args:
        status: HTTP status, 3xx included: nothing is followed anywhere, as the key would go along.
        body: the decoded JSON; anything else for a body that is none.
        headers: the answer's.
        hider: keeps the key out.
    """
    codes, message = error_words(body)
    kind, code = _classified(status, codes, message.lower())
    if code == "not_found" and "model" not in message.lower():
        message += "; is --base-url right? Most OpenAI-compatible servers answer under /v1"
    if code == "redirected":
        message = "the server sends us elsewhere; give --base-url as the address it stands under"
    return Reply(
        kind,
        code,
        billed="nothing",
        request_id=request_id(headers, hider),
        wait=retry_after(headers) if kind == "again" else None,
        detail=hider.words(f"{status} {message}".replace(" ; ", "; ")),
    )


def _classified(status: int, codes: frozenset[str], message: str) -> tuple[ReplyKind, str]:
    if status < 400:
        return "run", "redirected"
    if status in (400, 403, 429):
        if about_account := sorted(codes & _ACCOUNT):
            return "run", about_account[0]
        if "billing hard limit" in message or "credit balance is too low" in message:
            return "run", "insufficient_quota"
    if status in (400, 413, 422):
        if "context_length_exceeded" in codes or any(words in message for words in _TOO_LONG):
            return "item", "context_too_long"
        if codes & _NO_SUCH_SETTING:
            return "run", "bad_setting"
    return _BY_STATUS.get(status, ("again", "server_error") if status >= 500 else ("item", "bad_request"))


def error_words(body: Any) -> tuple[frozenset[str], str]:
    """The codes and the message in an error body: of OpenAI, Anthropic, vLLM, Ollama, or a web framework."""
    if not isinstance(body, dict):
        return frozenset(), ""
    error = body.get("error")
    if isinstance(error, str):
        return frozenset(), error
    if not isinstance(error, dict):
        error = body
    details = error.get("details")  # of Anthropic
    named = [error.get("code"), error.get("type"), details.get("error_code") if isinstance(details, dict) else None]
    codes = frozenset(name for name in named if isinstance(name, str))
    said = next((value for name in ("message", "detail") if isinstance(value := error.get(name), str)), "")
    return codes, said or " ".join(sorted(codes))


def exception_reply(error: BaseException, hider: Hider) -> Reply:
    """The reply for a request that got no answer, by what the transport raised.

    The innermost cause that is known counts: the SDKs' aiohttp transports call a connection that the server closed
    after it had read the request a failure to connect, and such a request may have been paid for.
    """
    causes = list(_causes(error))
    names = [cls.__name__ for cause in reversed(causes) for cls in type(cause).__mro__]
    code, billed = next((_BY_EXCEPTION[name] for name in names if name in _BY_EXCEPTION), _LOST)
    return Reply("again", code, billed=billed, detail=hider.words(f"{type(causes[-1]).__name__}: {causes[-1]}"))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what led to it, outermost first."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: Retry-After in seconds or as a date, or the SDKs' retry-after-ms.

    Returns:
        0 or more, without a ceiling; None if it does not say, or nothing that makes sense.
    """
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or not text or len(text) > 100:
        return seconds
    try:
        date = parsedate_to_datetime(text)
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text and len(text) <= 100 else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) and value >= 0 else None


def request_id(headers: Mapping[str, str], hider: Hider) -> str | None:
    """The id under which the vendor's support finds a request."""
    return hider.token(headers.get("x-request-id") or headers.get("request-id"))
