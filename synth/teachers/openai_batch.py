"""OpenAI's batches: a file of requests goes up, files of outputs and of errors come down, in any order."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

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
    status_reply,
)

if TYPE_CHECKING:
    from openai.types import Batch

ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
ENDED = frozenset({"failed", "completed", "expired", "cancelled"})
TAG = "cacherl_batch"
"""Name in the batch's metadata under which its tag stands."""
PAGE = 100


class OpenAIBatches:
    """Fulfils `BatchApi`.

    Args:
        parser: reads an answer's body.
        key: of the account; goes nowhere but into the requests.
        base_url: another server than OpenAI's.
        timeout_s: of one request to the API; an upload of 200 MB is one.
    """

    max_asks = 50_000
    max_bytes = 200_000_000

    def __init__(self, parser: Parser, key: str, base_url: str | None = None, timeout_s: float = 600.0) -> None:
        from openai import AsyncOpenAI

        self._parser = parser
        self._key = key
        self._client = AsyncOpenAI(api_key=key, base_url=base_url, max_retries=0, timeout=timeout_s)

    def size(self, ask: Ask) -> int:
        """Bytes of its line in the file."""
        return len(_line(ask))

    async def create(self, asks: Sequence[Ask], tag: str) -> str:
        """Upload the asks and submit them, once. Raises `BatchError`."""
        with tempfile.TemporaryFile() as file:
            for ask in asks:
                file.write(_line(ask))
            file.seek(0)
            try:
                uploaded = await self._client.files.create(file=(f"{tag}.jsonl", file), purpose="batch")
                name = str(uploaded.id)
            except Exception as error:
                failed = batch_error(error, self._key).reply
                # whatever became of the upload, no batch was made and nothing is paid
                raise BatchError(Reply(failed.kind, failed.code, billed="nothing", detail=failed.detail)) from None
        try:
            batch = await self._client.batches.create(
                input_file_id=name, endpoint=ENDPOINT, completion_window="24h", metadata={TAG: tag}
            )
            return str(batch.id)
        except Exception as error:
            raise batch_error(error, self._key) from None

    async def find(
        self, tag: str, keys: frozenset[str], since: float, known: frozenset[str] = frozenset()
    ) -> str | None:
        """The id of the batch that was submitted under this tag. Raises `BatchError`."""
        try:
            async for batch in self._client.batches.list(limit=PAGE):
                if (batch.metadata or {}).get(TAG) == tag:
                    return batch.id
                if batch.created_at < since - SEARCH_SLACK_S:  # they come newest first
                    return None
        except Exception as error:
            raise batch_error(error, self._key) from None
        return None

    async def state(self, batch_id: str) -> BatchState:
        """How far it is. Raises `BatchError`."""
        batch = await self._batch(batch_id)
        counts, problems = batch.request_counts, batch.errors.data if batch.errors else None
        codes = [problem.code for problem in problems or () if problem.code]
        return BatchState(
            ended=batch.status in ENDED,
            status=batch.status,
            done=counts.completed + counts.failed if counts else 0,
            total=counts.total if counts else 0,
            problem=(codes[0] if codes else "failed") if batch.status == "failed" else None,
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
                    async for line in json_lines(response.iter_bytes()):
                        if line is None:
                            broken += 1
                        else:
                            yield line["custom_id"], self._reply(line)
            except Exception as error:
                raise batch_error(error, self._key) from None
        if broken:
            raise BrokenLines(broken)

    async def cancel(self, batch_id: str) -> None:
        """Stop it; one that has ended stays as it is. Raises `BatchError`."""
        try:
            await self._client.batches.cancel(batch_id)
        except Exception as error:
            raise batch_error(error, self._key) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _batch(self, batch_id: str) -> Batch:
        try:
            batch = await self._client.batches.retrieve(batch_id)
            if not batch.status:
                raise ValueError("no batch")
        except Exception as error:
            raise batch_error(error, self._key) from None
        return batch

    def _reply(self, line: dict[str, Any]) -> Reply:
        response, error = line.get("response"), line.get("error")
        if not isinstance(response, dict):
            return _undone(error if isinstance(error, dict) else {}, self._key)
        status, request_id = response.get("status_code"), response.get("request_id")
        if status == 200:
            return self._parser.parse(response.get("body"))
        return status_reply(status if isinstance(status, int) else 500, response.get("body"), self._key, request_id)


def _undone(error: dict[str, Any], key: str) -> Reply:
    """An ask that was not answered; one that the batch had no time for may be asked again."""
    code, message = str(error.get("code") or "no_response"), str(error.get("message") or "")
    if code in ("batch_expired", "batch_cancelled", "no_response"):
        return Reply("again", code, billed="nothing", detail=message[:200])
    return error_reply(code, message, key)


def _line(ask: Ask) -> bytes:
    request = {"custom_id": ask.key, "method": "POST", "url": ENDPOINT, "body": ask.body}
    return json_bytes(request) + b"\n"
