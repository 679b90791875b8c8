"""Anthropic's batches: requests go up in one body, results come down as JSON Lines once all have ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import orjson

from synth.teachers.asks import Ask, BatchError, BatchState, Reply
from synth.teachers.batching import (
    SEARCH_SLACK_S,
    BrokenLines,
    Parser,
    Results,
    batch_error,
    error_reply,
    json_bytes,
    json_lines,
)

if TYPE_CHECKING:
    from anthropic.types.messages import MessageBatch

PAGE = 100


class AnthropicBatches:
    """Fulfils `BatchApi`.

    Args:
        parser: reads a message.
        key: of the account; goes nowhere but into the requests.
        base_url: another server than Anthropic's.
        timeout_s: of one request to the API; a creation with 256 MB is one.
        search_s: between two looks at a batch that may be the one that is searched for.
    """

    max_asks = 100_000
    max_bytes = 256_000_000

    def __init__(
        self,
        parser: Parser,
        key: str,
        base_url: str | None = None,
        timeout_s: float = 600.0,
        search_s: float = 30.0,
    ) -> None:
        from anthropic import AsyncAnthropic

        self._parser = parser
        self._key = key
        self._search_s = search_s
        base_url = None if base_url is None else base_url.rstrip("/").removesuffix("/v1")
        self._client = AsyncAnthropic(api_key=key, base_url=base_url, max_retries=0, timeout=timeout_s)

    def size(self, ask: Ask) -> int:
        """Bytes of its request, with the comma behind it."""
        return len(json_bytes(_request(ask))) + 1

    async def create(self, asks: Sequence[Ask], tag: str) -> str:
        """Submit the asks, once; the API has no place for the tag. Raises `BatchError`."""
        requests: Any = [_request(ask) for ask in asks]
        try:
            batch = await self._client.messages.batches.create(requests=requests)
            return str(batch.id)
        except Exception as error:
            raise batch_error(error, self._key) from None

    async def find(
        self, tag: str, keys: frozenset[str], since: float, known: frozenset[str] = frozenset()
    ) -> str | None:
        """The id of a batch with just these custom_ids, made after `since`.

        Only results name custom_ids, so one of the right size that is still going on is waited for.

        Raises:
            BatchError: if the API cannot be asked.
        """
        candidates = []
        try:
            async for batch in self._client.messages.batches.list(limit=PAGE):
                if batch.created_at.timestamp() < since - SEARCH_SLACK_S:  # they come newest first
                    break
                if _total(batch) == len(keys) and batch.id not in known:
                    candidates.append(batch.id)
        except Exception as error:
            raise batch_error(error, self._key) from None
        for batch_id in candidates:
            while not (await self.state(batch_id)).ended:
                await asyncio.sleep(self._search_s)
            if await self._is_of(batch_id, keys):
                return batch_id
        return None

    async def state(self, batch_id: str) -> BatchState:
        """How far it is; the API counts nothing before the end. Raises `BatchError`."""
        batch = await self._batch(batch_id)
        total = _total(batch)
        return BatchState(
            ended=batch.processing_status == "ended",
            status=batch.processing_status,
            done=total - batch.request_counts.processing,
            total=total,
        )

    async def results(self, batch_id: str) -> Results:
        """What became of each ask.

        Raises:
            BatchError: if it cannot be read to its end; `BrokenLines` if it was, but for some lines.
        """
        broken = 0
        if (await self._batch(batch_id)).results_url is None:
            raise BatchError(Reply("item", "results_gone", billed="unknown", detail="results are kept for 29 days"))
        try:
            async with self._client.messages.batches.with_streaming_response.results(batch_id) as response:
                async for line in json_lines(response.iter_bytes()):
                    if line is None:
                        broken += 1
                    else:
                        yield line["custom_id"], self._reply(line.get("result"))
        except Exception as error:
            raise batch_error(error, self._key) from None
        if broken:
            raise BrokenLines(broken)

    async def cancel(self, batch_id: str) -> None:
        """Stop it; one that has ended stays as it is. Raises `BatchError`."""
        try:
            await self._client.messages.batches.cancel(batch_id)
        except Exception as error:
            raise batch_error(error, self._key) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _batch(self, batch_id: str) -> MessageBatch:
        try:
            batch = await self._client.messages.batches.retrieve(batch_id)
            _total(batch)
        except Exception as error:
            raise batch_error(error, self._key) from None
        return batch

    async def _is_of(self, batch_id: str, keys: frozenset[str]) -> bool:
        """Whether an ended batch holds these asks and no others."""
        try:
            async with aclosing(self.results(batch_id)) as results:  # type: ignore[type-var]
                async for key, _ in results:
                    if key not in keys:
                        return False
        except BrokenLines:
            return True
        except BatchError as error:
            if error.reply.kind != "item":  # its results are not kept any more: it is none of ours that is open
                raise
            return False
        return True

    def _reply(self, result: Any) -> Reply:
        result = result if isinstance(result, dict) else {}
        kind = str(result.get("type") or "no_result")
        if kind == "succeeded":
            return self._parser.parse(result.get("message"))
        if kind != "errored":
            return Reply("again", f"batch_{kind}", billed="nothing")
        outer = result.get("error")
        outer = outer if isinstance(outer, dict) else {}
        inner = outer["error"] if isinstance(outer.get("error"), dict) else outer
        return error_reply(
            str(inner.get("type") or "error"), str(inner.get("message") or ""), self._key, outer.get("request_id")
        )


def _total(batch: MessageBatch) -> int:
    counts = batch.request_counts
    return counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired


def _request(ask: Ask) -> dict[str, Any]:
    request = {"custom_id": ask.key, "params": ask.body}
    try:
        orjson.dumps(request)
    except TypeError:
        request = json.loads(json_bytes(request))
    return request
