"""What the batches of both vendors share: errors in the terms of a single ask, and results read line by line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import orjson

from synth.teachers.asks import BatchError, Reply
from synth.teachers.faults import exception_reply, status_reply

if TYPE_CHECKING:
    from synth.teachers.asks import BatchApi
    from synth.teachers.hiding import Hider
    from synth.teachers.sdk import SdkApi

SEARCH_SLACK_S = 900.0
"""How far the vendor's clock may be off from ours when a batch is searched for by its time."""
UPLOAD_S = 1800.0
"""Longest time that sending a batch may take."""
MOST_LINE_BYTES = 16_000_000
PAGE = 100
"""Batches on one page of a list."""

Result = TypeVar("Result")
Results: TypeAlias = AsyncIterator[tuple[str, Reply]]


class BrokenLines(BatchError):
    """Results that were read to their end, but for lines that hold no result.

    Attributes:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        super().__init__(Reply("again", "broken_lines", billed="unknown", detail=f"{count:,} lines cannot be read"))
        self.count = count


def make_batches(api: SdkApi) -> BatchApi:
    """The batches of a teacher's vendor."""
    if api.name.startswith("anthropic:"):
        from synth.teachers.anthropic_batch import AnthropicBatches

        return AnthropicBatches(api)
    from synth.teachers.openai_batch import OpenAIBatches

    return OpenAIBatches(api)


async def timed(api: SdkApi, operation: Awaitable[Result], seconds: float | None = None) -> Result:
    """What an SDK's operation gives; without `seconds` it may take as long as a single ask.

    Raises:
        BatchError: if it failed, or took longer.
    """
    try:
        async with asyncio.timeout(seconds or api.access.timeout_s):
            return await operation
    except Exception as error:
        raise batch_error(error, api.hider) from None


def batch_error(error: Exception, hider: Hider) -> BatchError:
    """What an operation raised, in the terms of a single ask.

    `billed` is "nothing" where the server has refused, and "unknown" where it may have done what was asked.
    """
    if isinstance(error, BatchError):
        return error
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", 200)
    if response is None or status < 300:
        reply = exception_reply(error, hider)
        if isinstance(error, (AttributeError, TypeError, ValueError, KeyError)):  # an answer that is not the API's
            reply = replace(reply, code="not_the_api")
        return BatchError(reply)
    reply = status_reply(status, {"error": getattr(error, "body", None)}, response.headers, hider)
    lost = status >= 500 or status == 408
    return BatchError(replace(reply, billed="unknown" if lost else "nothing"))


async def json_lines(chunks: AsyncIterable[bytes], timeout_s: float) -> AsyncIterator[dict[str, Any] | None]:
    """The objects in a body of JSON Lines as it arrives; None for a line that holds none.

    Lines end at line feeds alone: an answer may hold U+2028 and the like as they are.

    Raises:
        TimeoutError: if nothing comes for so many seconds.
    """
    rest, coming = b"", aiter(chunks)
    while (chunk := await asyncio.wait_for(anext(coming, None), timeout_s)) is not None:
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
                value = orjson.loads(line)
            except orjson.JSONDecodeError:
                value = None
            yield value if isinstance(value, dict) and isinstance(value.get("custom_id"), str) else None
