"""The proxy itself (aiohttp): bytes pass as they come; of chat completions a copy goes to the recorder.

Nothing here formats a header, a query or an exception's text into a message: any of them may hold a key.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import aclosing

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from curate.cli import say
from curate.errors import RecordError, UsageError
from curate.recording_proxy.addresses import Upstream
from curate.recording_proxy.exchange import json_body
from curate.recording_proxy.headers import scope_of, to_client, to_upstream
from curate.recording_proxy.recorder import Recorder, Reward
from curate.recording_proxy.tape import Tape, UpstreamCut, chunks_of

REWARD_PATH = "/cacherl/reward"
CONNECT_SECONDS = 30.0
GRACE_SECONDS = 10.0
"""How long replies under way may take after the stop signal."""
MAX_BACKLOG = 2000
"""Exchanges that wait for the disk; above, new requests wait too."""
MAX_HEAD = 1 << 16
"""Bytes of a request line or a header's value."""
MAX_HEADERS = 1024
_LARGE_BODY = 1 << 20
_AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class Proxy:
    """Handles every request.

    Args:
        upstream: where requests go.
        recorder: takes the exchanges.
        client: makes the requests; closed by the caller.
    """

    def __init__(self, upstream: Upstream, recorder: Recorder, client: aiohttp.ClientSession) -> None:
        self._upstream, self._recorder, self._client = upstream, recorder, client
        self._counts = recorder.counts

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, whatever it is."""
        path = request.raw_path.split("?", 1)[0]
        if path == REWARD_PATH:
            return await self._reward(request)
        if not path.startswith("/"):
            return error_reply(400, "invalid_request_error", "the request's target must be a path")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return error_reply(501, "not_supported", "the recording proxy passes no websockets")
        self._counts.requests += 1
        if request.method == "POST" and path.rstrip("/").endswith("/chat/completions"):
            return await self._recorded(request)
        self._counts.unrecorded_paths += 1
        body = request.content if request.body_exists else None
        return await self._pass(request, body, None)

    async def _recorded(self, request: web.BaseRequest) -> web.StreamResponse:
        """Pass a chat completion, and hand it to the recorder when its reply has ended, in whatever way."""
        try:
            scope = scope_of(request.headers)
        except RecordError as error:
            return error_reply(400, "invalid_request_error", error.detail)
        while self._recorder.backlog > MAX_BACKLOG:
            await asyncio.sleep(0.05)
        tape = Tape(request, scope, await request.content.read(), self._recorder)
        try:
            return await self._pass(request, tape.request, tape)
        finally:
            tape.leave()

    async def _pass(self, request: web.BaseRequest, body: Body, tape: Tape | None) -> web.StreamResponse:
        url = URL(self._upstream.url(request.raw_path), encoded=True)
        headers = CIMultiDict(to_upstream(_as_sent(request.raw_headers), recorded=tape is not None))
        if isinstance(body, bytes) and len(body) > _LARGE_BODY:
            body = io.BytesIO(body)  # sent piece by piece
        elif isinstance(body, aiohttp.StreamReader) and "Content-Length" in request.headers:
            headers["Content-Length"] = request.headers["Content-Length"]
        try:
            upstream = await self._client.request(
                request.method, url, data=body, headers=headers, allow_redirects=False
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self._counts.errors["connection"] += 1
            kind = "refused or lost" if isinstance(error, (aiohttp.ClientConnectionError, OSError)) else "failed"
            return error_reply(502, "upstream_connection_error", f"the connection to the upstream was {kind}")
        except asyncio.CancelledError:
            self._counts.errors["client left"] += 1
            raise
        if upstream.status >= 400:
            self._counts.errors[str(upstream.status)] += 1
        return await self._relay(request, upstream, tape)

    async def _relay(
        self, request: web.BaseRequest, upstream: aiohttp.ClientResponse, tape: Tape | None
    ) -> web.StreamResponse:
        """Send the reply's bytes on as they come; a reply that breaks off breaks off for the client too."""
        whole = False
        try:
            headers = CIMultiDict(to_client(_as_sent(upstream.raw_headers)))
            reply = web.StreamResponse(status=upstream.status, reason=upstream.reason, headers=headers)
            await reply.prepare(request)
            async with aclosing(chunks_of(upstream) if tape is None else tape.chunks(upstream)) as chunks:
                async for chunk in chunks:
                    await reply.write(chunk)
            await reply.write_eof()
            whole = True
        except UpstreamCut:
            self._counts.errors["upstream cut"] += 1
            if request.transport is not None:
                request.transport.close()
        except (asyncio.CancelledError, ConnectionError):
            self._counts.errors["client left"] += 1
            raise
        finally:
            # An upstream that still speaks must learn that nobody listens.
            upstream.release() if whole else upstream.close()
        return reply

    async def _reward(self, request: web.BaseRequest) -> web.Response:
        """`POST /cacherl/reward {"task_id": ..., "trial": ..., "reward": ...}`."""
        try:
            if request.method != "POST":
                raise RecordError("wrong_type", "send a POST")
            reward = read_reward(await request.content.read())
        except RecordError as error:
            return error_reply(400, "invalid_request_error", error.detail)
        await self._last_reply(reward.task_id)
        self._recorder.put(reward)
        count = await asyncio.wrap_future(reward.answer)
        if not count:
            return error_reply(404, "not_found", "no open trajectory of that task: it was written, or never seen")
        return web.json_response({"trajectories": count})

    async def _last_reply(self, task_id: str) -> None:
        """Agents stop reading at a stream's last word, which may be before its end."""
        deadline = time.monotonic() + GRACE_SECONDS
        while any(scope.task_id == task_id for _, scope in self._recorder.running.values()):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.02)


Body = bytes | io.BytesIO | aiohttp.StreamReader | None


def _as_sent(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[str, str]]:
    """Headers with their names spelt as they came; the library's own view rewrites those it knows."""
    for name, value in headers:
        yield name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")


def read_reward(body: bytes) -> Reward:
    """The body of a reward.

    Raises:
        RecordError: saying which field is wrong.
    """
    given = json_body(body, "the body")
    task_id, trial, reward = given.get("task_id"), given.get("trial"), given.get("reward")
    if not isinstance(task_id, str) or not task_id:
        raise RecordError("wrong_type", "task_id must be a text")
    if trial is not None and type(trial) is not int:
        raise RecordError("wrong_type", "trial must be a count, or left out for all trials")
    if reward is not None and type(reward) not in (int, float):
        raise RecordError("wrong_type", "reward must be a number, or left out to end the trajectories without one")
    return Reward(task_id, trial, reward, Future())


def error_reply(status: int, kind: str, message: str) -> web.Response:
    """An error in the form that OpenAI clients understand."""
    error = {"message": message, "type": kind, "param": None, "code": kind}
    return web.Response(status=status, text=json.dumps({"error": error}), content_type="application/json")


async def serve(upstream: Upstream, listen: tuple[str, int], recorder: Recorder, ready: Callable[[str], None]) -> None:
    """Run until SIGTERM or Ctrl-C; replies under way may end.

    Args:
        upstream: where requests go.
        listen: host and port; port 0 takes a free one.
        recorder: started and stopped by the caller.
        ready: called with the address once requests are taken.

    Raises:
        UsageError: if the port is taken.
    """
    _keep_quiet()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=timeout,
        auto_decompress=False,
        skip_auto_headers=_AUTOMATIC,
        max_line_size=MAX_HEAD,
        max_field_size=MAX_HEAD,
        max_headers=MAX_HEADERS,
    ) as client:
        proxy = Proxy(upstream, recorder, client)
        server = web.Server(
            proxy.handle,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            max_line_size=MAX_HEAD,
            max_field_size=MAX_HEAD,
            max_headers=MAX_HEADERS,
        )
        runner = web.ServerRunner(server, shutdown_timeout=GRACE_SECONDS)
        await runner.setup()
        try:
            await _listen(runner, listen)
            ready(_address(runner))
            await stop.wait()
            say(f"stopping; replies under way have {GRACE_SECONDS:.0f} seconds")
        finally:
            await runner.cleanup()


async def _listen(runner: web.ServerRunner, listen: tuple[str, int]) -> None:
    try:
        await web.TCPSite(runner, *listen).start()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"--listen: {listen[0]}:{listen[1]} cannot be taken: {reason}") from error


def _address(runner: web.ServerRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _keep_quiet() -> None:
    """The library's log would quote broken requests, headers and all."""
    for name in ("aiohttp", "asyncio", "concurrent.futures"):
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False
    # The recorder's thread must not hold up replies for the usual 5 ms.
    sys.setswitchinterval(0.0005)
