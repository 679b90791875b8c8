"""A server on loopback for faults at the level of bytes, and APIs that talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

from synth.settings import ModelSettings, PaceSettings
from synth.teachers.apis import make_api
from synth.teachers.asks import Ask, Prompt, Reply
from synth.teachers.sdk import SdkApi

KEY = "sk-proj-Pl4ntedK3yOfTheTestXq7Zr2Wv9Tb5Nm8"
PROMPT = Prompt("Explain the step.", ("The dialogue so far.", '<next_action><call tool="find_flight"></call>'))
ENVIRON = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
VENDORS = ("openai", "anthropic")


class RawServer:
    """Answers every request with the same bytes, in pieces, and then closes the connection.

    `heads` keeps what came; `hang` leaves the connection open and silent after the pieces.
    """

    def __init__(self, *pieces: bytes, hang: bool = False, reset: bool = False) -> None:
        self.pieces, self.hang, self.reset = pieces, hang, reset
        self.heads: list[bytes] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, vendor: str) -> str:
        return f"{self.host}/v1" if vendor == "openai" else self.host

    def __enter__(self) -> RawServer:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *args: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.read(1)
            if head == b"\x16":  # TLS, which is not spoken here
                writer.write(b"HTTP/1.1 400 X\r\n\r\n")
                return
            head += await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            size = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0)
            await reader.readexactly(size)
            for piece in self.pieces:
                writer.write(piece)
                await writer.drain()
            if self.hang:
                await self._end.wait()
            if self.reset:
                writer.transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"
                )
                writer.transport.abort()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def answer(body: bytes, status: int = 200, kind: str = "application/json", *headers: str) -> bytes:
    """A whole HTTP answer."""
    lines = [
        f"HTTP/1.1 {status} X",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        "connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def api_at(vendor: str, url: str, timeout_s: float = 20.0, environ: dict[str, str] | None = None) -> SdkApi:
    """An API of the vendor at a server of ours."""
    settings = ModelSettings(base_url=url)
    return make_api(f"{vendor}:m", settings, PaceSettings(timeout_s=timeout_s), ENVIRON if environ is None else environ)


def one_call(api: SdkApi, times: int = 1) -> list[Reply]:
    """Call an API in a loop of its own, one call after another, and close it."""

    async def calls() -> list[Reply]:
        try:
            return [await api.call(Ask("k0", api.body(PROMPT))) for _ in range(times)]
        finally:
            await api.close()

    return asyncio.run(calls())
