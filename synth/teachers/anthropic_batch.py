"""Anthropic's batches: requests go up in one body, results come down as JSON Lines once all have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from synth.teachers.asks import Ask, BatchError, BatchState, Reply
from synth.teachers.batching import PAGE, SEARCH_SLACK_S, UPLOAD_S, BrokenLines, Results, batch_error, json_lines, timed
from synth.teachers.faults import status_reply
from synth.teachers.sdk import encoded

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types.messages import MessageBatch

    from synth.teachers.sdk import SdkApi

SEARCH_S = 30.0
"""Between two looks at a batch that may be the one that is searched for."""
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""Status of a single answer that ends with such an error."""


class AnthropicBatches:
    """Fulfils `BatchApi`.

    Args:
        api: reaches the server and reads its answers.
        search_s: between two looks at a batch that may be the one that is searched for.
    """

    max_asks = 100_000
    max_bytes = 256_000_000
    finds_at_once = False

    def __init__(self, api: SdkApi, search_s: float = SEARCH_S) -> None:
        self._api = api
        self._search_s = search_s
        self._client: AsyncAnthropic = api.make_client()
        api.hider.guard_logs()

    def size(self, ask: Ask) -> int:
        """Bytes of its request, with the comma behind it."""
        return len(encoded(_request(ask))) + 1

    async def create(self, asks: Sequence[Ask], tag: str) -> str:
        """Submit the asks, once; the API has no place for the tag. Raises `BatchError`."""
        import httpx2

        making = self._client.post(
            "/v1/messages/batches",
            cast_to=httpx2.Response,
            content=encoded({"requests": [_request(ask) for ask in asks]}),
            options={"headers": {"content-type": "application/json"}},
        )
        return await timed(self._api, _id(making), UPLOAD_S)

    async def find(
        self, tag: str, keys: frozenset[str], since: float, known: frozenset[str] = frozenset()
    ) -> str | None:
        """The id of a batch with just these custom_ids, made after `since`.

        Only results name custom_ids, so one of the right size that is still going on is waited for.

        Raises:
            BatchError: if the API cannot be asked.
        """
        for batch_id in await timed(self._api, self._candidates(len(keys), since, known), UPLOAD_S):
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
                async for line in json_lines(response.iter_bytes(), self._api.access.timeout_s):
                    if line is None:
                        broken += 1
                    else:
                        yield line["custom_id"], self._reply(line.get("result"))
        except Exception as error:
            raise batch_error(error, self._api.hider) from None
        if broken:
            raise BrokenLines(broken)

    async def cancel(self, batch_id: str) -> None:
        """Stop it; one that has ended stays as it is. Raises `BatchError`."""
        await timed(self._api, self._client.messages.batches.cancel(batch_id))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        self._api.hider.unguard_logs()

    async def _candidates(self, size: int, since: float, known: frozenset[str]) -> list[str]:
        """Batches that may be the one, the newest first."""
        candidates = []
        async for batch in self._client.messages.batches.list(limit=PAGE):
            if batch.created_at.timestamp() < since - SEARCH_SLACK_S:  # they come newest first
                break
            if _total(batch) == size and batch.id not in known:
                candidates.append(batch.id)
        return candidates

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
            if error.reply.kind != "item":  # if its results are gone, it is older than any batch that is open
                raise
            return False
        return True

    async def _batch(self, batch_id: str) -> MessageBatch:
        batch = await timed(self._api, self._client.messages.batches.retrieve(batch_id))
        if not isinstance(getattr(batch, "processing_status", None), str):
            raise BatchError(Reply("again", "not_the_api", billed="unknown"))
        return batch

    def _reply(self, result: Any) -> Reply:
        result = result if isinstance(result, dict) else {}
        kind = str(result.get("type") or "no_result")
        if kind == "succeeded":
            return self._api.parse(result.get("message"))
        if kind != "errored":
            return Reply("again", f"batch_{kind[:40]}", billed="nothing")
        outer = result.get("error") if isinstance(result.get("error"), dict) else {}
        inner = outer["error"] if isinstance(outer.get("error"), dict) else outer
        reply = status_reply(_STATUS.get(str(inner.get("type")), 400), {"error": inner}, {}, self._api.hider)
        return replace(reply, request_id=self._api.hider.token(outer.get("request_id")))


async def _id(making: Awaitable[Any]) -> str:
    name = orjson.loads((await making).content)["id"]
    if not isinstance(name, str):
        raise TypeError("a batch's id is text")
    return name


def _total(batch: MessageBatch) -> int:
    counts = batch.request_counts
    return counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired


def _request(ask: Ask) -> dict[str, Any]:
    return {"custom_id": ask.key, "params": ask.body}
