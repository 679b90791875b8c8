"""What passes of one chat completion; its last bytes wait a moment, so that a reply that went out is in the journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from concurrent.futures import Future

import aiohttp
from aiohttp import web

from curate.recording_proxy.exchange import Exchange, Scope
from curate.recording_proxy.headers import PREFIX
from curate.recording_proxy.recorder import Recorder

HOLD_SECONDS = 0.05
"""A disk that takes longer does not hold up agents: the exchange then waits in memory."""


class UpstreamCut(Exception):
    """The upstream broke off in its reply."""


class Tape:
    """One request and the reply to it, handed to the recorder once, when the reply ends in whatever way.

    Args:
        request: its headers are looked at here and not kept.
        scope: what the agent says it works on.
        body: of the request.
        recorder: takes the exchange.
    """

    def __init__(self, request: web.BaseRequest, scope: Scope, body: bytes, recorder: Recorder) -> None:
        self.request = body
        self._scope, self._recorder = scope, recorder
        self._chunks: list[bytes] = []
        self._status, self._encoding, self._streamed = 0, "", False
        self._request_encoding = request.headers.get("Content-Encoding", "")
        self._retry = request.headers.get("x-stainless-retry-count", "0") != "0"  # the OpenAI SDKs say so
        self._ends = request.headers.get(f"{PREFIX}end", "0") not in ("", "0")
        self._started = time.time()
        self._left = False
        recorder.running[id(self)] = (time.monotonic(), scope)

    async def chunks(self, upstream: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
        """The reply's bytes as they come; the last ones, once the recorder has them all.

        Raises:
            UpstreamCut: where the upstream breaks off, after everything that came.
        """
        self._status, self._encoding = upstream.status, upstream.headers.get("Content-Encoding", "")
        self._streamed = upstream.headers.get("Content-Type", "").startswith("text/event-stream")
        held = b""
        try:
            async for chunk in chunks_of(upstream):
                self._chunks.append(chunk)
                if self._streamed and chunk.rstrip().endswith(b"[DONE]"):
                    await self._hold()
                if self._streamed:
                    yield chunk
                elif held:  # nobody can use a plain reply before its end
                    yield held
                held = chunk
        except UpstreamCut:
            if held and not self._streamed:
                yield held
            raise
        await self._hold()
        if held and not self._streamed:
            yield held

    def leave(self) -> Exchange | None:
        """Hand the exchange over, unless that was done or there is nothing to record."""
        self._recorder.running.pop(id(self), None)
        if self._left or not self._chunks or self._status != 200:
            return None
        self._left = True
        exchange = Exchange(
            request=self.request,
            reply=b"".join(self._chunks),
            started=self._started,
            finished=time.time(),
            scope=self._scope,
            request_encoding=self._request_encoding,
            reply_encoding=self._encoding,
            retry=self._retry,
            ends=self._ends,
            journaled=Future(),
        )
        self._recorder.put(exchange)
        return exchange

    async def _hold(self) -> None:
        exchange = self.leave()
        if exchange is not None and exchange.journaled is not None:
            await asyncio.wait([asyncio.wrap_future(exchange.journaled)], timeout=HOLD_SECONDS)


async def chunks_of(upstream: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    """The body's bytes as they come, still encoded.

    Raises:
        UpstreamCut: where the upstream breaks off.
    """
    try:
        while chunk := await upstream.content.readany():
            yield chunk
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamCut from error
