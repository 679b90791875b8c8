"""Which headers pass, and what the agent's `x-cacherl-*` headers say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from curate.errors import RecordError
from curate.recording_proxy.exchange import Scope

PREFIX = "x-cacherl-"
# RFC 9110, 7.6.1, and what the connection on each side decides for itself.
HOP_BY_HOP = frozenset(
    "connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding "
    "upgrade".split()
)
_OURS_TO_SET = frozenset(("host", "content-length", "expect"))
READABLE = frozenset(("gzip", "x-gzip", "deflate", "zstd", "identity"))
"""Content encodings that a record can be read from."""


def to_upstream(headers: Iterable[tuple[str, str]], recorded: bool) -> list[tuple[str, str]]:
    """The request's headers without those of this connection and ours.

    Args:
        headers: names and values in order.
        recorded: whether the reply must be readable: other encodings are then not offered.
    """
    kept = [
        (name, value)
        for name, value in _end_to_end(headers)
        if name.lower() not in _OURS_TO_SET and not name.lower().startswith(PREFIX)
    ]
    if not recorded:
        return kept
    return [(name, _readable(value) if name.lower() == "accept-encoding" else value) for name, value in kept]


def to_client(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The reply's headers without those of this connection."""
    return _end_to_end(headers)


def scope_of(headers: Mapping[str, str]) -> Scope:
    """Task, trial and env that the agent names.

    Raises:
        RecordError: if the trial is no count, or a name no UTF-8.
    """
    trial = headers.get(f"{PREFIX}trial")
    if trial is not None and not (trial.isascii() and trial.isdecimal() and len(trial) < 10):
        raise RecordError("wrong_type", f"the header {PREFIX}trial must be a count")
    task_id, env_id = headers.get(f"{PREFIX}task"), headers.get(f"{PREFIX}env")
    if not f"{task_id}{env_id}".isprintable():
        raise RecordError("wrong_type", f"the headers {PREFIX}task and {PREFIX}env must be printable text")
    return Scope(task_id or None, None if trial is None else int(trial), env_id or None)


def _end_to_end(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    listed = list(headers)
    named = {
        part.strip().lower() for name, value in listed if name.lower() == "connection" for part in value.split(",")
    }
    return [(name, value) for name, value in listed if name.lower() not in HOP_BY_HOP | named]


def _readable(accepted: str) -> str:
    kept = [part.strip() for part in accepted.split(",") if part.split(";")[0].strip().lower() in READABLE]
    return ", ".join(kept) or "identity"
