"""One exchange as it passed, and what its request asks: messages, tools, model, sampling. No header gets this far."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
import zstandard

from curate.canonical import parse_json
from curate.errors import RecordError

# Named one by one: some gateways take a key in the request's body.
SAMPLING = (
    "temperature top_p top_k min_p n max_tokens max_completion_tokens seed stop presence_penalty frequency_penalty "
    "repetition_penalty reasoning_effort tool_choice parallel_tool_calls response_format logprobs"
).split()
MAX_DECODED = 1 << 30
"""Bytes; a body that unpacks to more is not recorded."""


class Scope(NamedTuple):
    """What the agent's `x-cacherl-*` headers say; trajectories never reach across scopes."""

    task_id: str | None = None
    trial: int | None = None
    env_id: str | None = None


NOWHERE = Scope()
"""The scope of agents that send none of these headers."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what came back, bytes as they passed.

    Attributes:
        request_encoding, reply_encoding: the bodies' `Content-Encoding`.
        started, finished: Unix time in seconds.
        retry: the client says that it asks this a second time.
        ends: the client says that this is its last request.
        journaled: done once a kill of this process cannot lose the exchange, or it will not be recorded.
    """

    request: bytes
    reply: bytes
    started: float
    finished: float
    scope: Scope = NOWHERE
    request_encoding: str = ""
    reply_encoding: str = ""
    retry: bool = False
    ends: bool = False
    journaled: Future[None] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a chat completion request says."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    model: str | None
    sampling: dict[str, Any]


def read_request(exchange: Exchange) -> Asked:
    """The request of an exchange.

    Raises:
        RecordError: if it is no chat completion request; the message holds nothing of the body.
    """
    body = json_body(decoded(exchange.request, exchange.request_encoding), "the request")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(item, dict) for item in messages):
        raise RecordError("wrong_type", "the request's messages are no list of objects")
    tools = body.get("tools") or [{"type": "function", "function": item} for item in _list(body.get("functions"))]
    model = body.get("model")
    return Asked(
        messages,
        [tool for tool in _list(tools) if isinstance(tool, dict)],
        model if isinstance(model, str) else None,
        {key: body[key] for key in SAMPLING if body.get(key) is not None},
    )


def json_body(raw: bytes, what: str) -> dict[str, Any]:
    """A body that must be a JSON object.

    Raises:
        RecordError: saying `what` it is that cannot be read, and nothing of its text.
    """
    try:
        value = _parse(raw)
    except ValueError as error:
        raise RecordError("not_json", f"{what} is no JSON") from error
    if not isinstance(value, dict):
        raise RecordError("wrong_type", f"{what} is no JSON object")
    return value


def _parse(raw: bytes) -> Any:
    """Parse with orjson, and without it where it would refuse half a surrogate pair."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return parse_json(raw.decode())


def dump(value: Mapping[str, Any]) -> bytes:
    """One line of JSON."""
    try:
        return orjson.dumps(value) + b"\n"
    except orjson.JSONEncodeError:  # long integers, half surrogate pairs
        import json

        return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def decoded(body: bytes, encoding: str) -> bytes:
    """A body without its `Content-Encoding`; of one that was cut, what can be unpacked.

    Raises:
        RecordError: for an encoding we do not know, or a damaged body.
    """
    for name in reversed([part.strip().lower() for part in encoding.split(",")]):
        try:
            body = _unpacked(body, name)
        except (zlib.error, zstandard.ZstdError) as error:
            raise RecordError("damaged", f"a body is no {name}") from error
    return body


def _unpacked(body: bytes, name: str) -> bytes:
    if name in ("", "identity"):
        return body
    if name in ("gzip", "x-gzip", "deflate"):
        raw_deflate = name == "deflate" and body[:1] != b"\x78"
        unpack = zlib.decompressobj(-zlib.MAX_WBITS if raw_deflate else zlib.MAX_WBITS | 32)
        unpacked = unpack.decompress(body, MAX_DECODED)
    elif name == "zstd":
        with zstandard.ZstdDecompressor().stream_reader(body) as stream:
            unpacked = stream.read(MAX_DECODED)
    else:
        raise RecordError("unknown_encoding", f"a body is encoded as {name[:20]!r}")
    if len(unpacked) == MAX_DECODED:
        raise RecordError("too_large", f"a body unpacks to {MAX_DECODED} bytes or more")
    return unpacked


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
