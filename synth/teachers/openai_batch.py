"""OpenAI's batches: a file of requests goes up, files of outputs and of errors come down, in any order."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from synth.teachers.asks import Ask, BatchError, BatchState, Reply
from synth.teachers.batching import PAGE, SEARCH_SLACK_S, UPLOAD_S, BrokenLines, Results, batch_error, json_lines, timed
from synth.teachers.faults import status_reply
from synth.teachers.sdk import encoded

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Batch

    from synth.teachers.sdk import SdkApi

ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
ENDED = frozenset({"failed", "completed", "expired", "cancelled"})
TAG = "cacherl_batch"
"""Name in the batch's metadata under which its tag stands."""
_STATUS = {"rate_limit_exceeded": 429, "server_error": 500, "insufficient_quota": 429, "invalid_api_key": 401}
"""Status of a single answer that ends with such an error."""


class OpenAIBatches:
    """Fulfils `BatchApi`.

    Args:
        api: reaches the server and reads its answers.
    """

    max_asks = 50_000
    max_bytes = 200_000_000
    finds_at_once = True

    def __init__(self, api: SdkApi) -> None:
        self._api = api
        self._client: AsyncOpenAI = api.make_client()
        api.hider.guard_logs()

    def size(self, ask: Ask) -> int:
        """Bytes of its line in the file."""
        return len(_line(ask))

    async def create(self, asks: Sequence[Ask], tag: str) -> str:
        """Upload the asks and submit them, once. Raises `BatchError`."""
        with tempfile.TemporaryFile() as file:
            file.writelines(map(_line, asks))
            file.seek(0)
            try:
                uploading = self._client.files.create(file=(f"{tag}.jsonl", file), purpose="batch")
                name = (await timed(self._api, uploading, UPLOAD_S)).id
            except BatchError as error:  # whatever became of the file, there is no batch of it
                raise BatchError(replace(error.reply, billed="nothing")) from None
        making = self._client.batches.create(
            input_file_id=name, endpoint=ENDPOINT, completion_window="24h", metadata={TAG: tag}
        )
        return await timed(self._api, _id(making))

    async def find(
        self, tag: str, keys: frozenset[str], since: float, known: frozenset[str] = frozenset()
    ) -> str | None:
        """The id of the batch that was submitted under this tag. Raises `BatchError`."""
        return await timed(self._api, self._search(tag, since), UPLOAD_S)

    async def state(self, batch_id: str) -> BatchState:
        """How far it is. Raises `BatchError`."""
        batch = await self._batch(batch_id)
        counts, problems = batch.request_counts, batch.errors.data if batch.errors else None
        codes = [problem.code for problem in problems or () if problem.code]
        problem = self._api.hider.token(codes[0]) if codes else None
        return BatchState(
            ended=batch.status in ENDED,
            status=batch.status,
            done=counts.completed + counts.failed if counts else 0,
            total=counts.total if counts else 0,
            problem=(problem or "failed") if batch.status == "failed" else None,
        )

    async def results(self, batch_id: str) -> Results:
        """What was done, and what went wrong with the others; also of an expired or cancelled batch.

        Raises:
            BatchError: if it cannot be read to its end; `BrokenLines` if it was, but for some lines.
        """
        batch = await self._batch(batch_id)
        broken = 0
        for name in (batch.output_file_id, batch.error_file_id):
            if name is None:
                continue
            try:
                async with self._client.files.with_streaming_response.content(name) as response:
                    async for line in json_lines(response.iter_bytes(), self._api.access.timeout_s):
                        if line is None:
                            broken += 1
                        else:
                            yield line["custom_id"], self._reply(line)
            except Exception as error:
                raise batch_error(error, self._api.hider) from None
        if broken:
            raise BrokenLines(broken)

    async def cancel(self, batch_id: str) -> None:
        """Stop it; one that has ended stays as it is. Raises `BatchError`."""
        await timed(self._api, self._client.batches.cancel(batch_id))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        self._api.hider.unguard_logs()

    async def _search(self, tag: str, since: float) -> str | None:
        async for batch in self._client.batches.list(limit=PAGE):
            if (batch.metadata or {}).get(TAG) == tag:
                return batch.id
            if batch.created_at < since - SEARCH_SLACK_S:  # they come newest first
                return None
        return None

    async def _batch(self, batch_id: str) -> Batch:
        batch = await timed(self._api, self._client.batches.retrieve(batch_id))
        if not isinstance(getattr(batch, "status", None), str):
            raise BatchError(Reply("again", "not_the_api", billed="unknown"))
        return batch

    def _reply(self, line: dict[str, Any]) -> Reply:
        response, error = line.get("response"), line.get("error")
        if not isinstance(response, dict):
            return self._undone(error if isinstance(error, dict) else {})
        status = response.get("status_code")
        if status == 200:
            reply = self._api.parse(response.get("body"))
        else:
            reply = status_reply(status if isinstance(status, int) else 500, response.get("body"), {}, self._api.hider)
        return replace(reply, request_id=self._api.hider.token(response.get("request_id")))

    def _undone(self, error: dict[str, Any]) -> Reply:
        """An ask that was not answered; one that the batch had no time for may be asked again."""
        code = str(error.get("code") or "no_response")
        if code in ("batch_expired", "batch_cancelled", "no_response"):
            return Reply("again", code, billed="nothing")
        return status_reply(_STATUS.get(code, 400), {"error": error}, {}, self._api.hider)


async def _id(making: Awaitable[Batch]) -> str:
    return (await making).id


def _line(ask: Ask) -> bytes:
    return encoded({"custom_id": ask.key, "method": "POST", "url": ENDPOINT, "body": ask.body}) + b"\n"
