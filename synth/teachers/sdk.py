"""One request through a vendor's SDK, once: the SDK's client and transport, our bytes in and the server's bytes out.

The SDKs' own retries, models of answers and settings from the environment are left aside: each failure is decided on
by us, a bad answer must not look like a good one, and building their models takes most of a request's time.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import orjson

from synth.teachers.asks import Ask, Prompt, Reply
from synth.teachers.faults import exception_reply, request_id, status_reply
from synth.teachers.hiding import Hider

if TYPE_CHECKING:
    import httpx2

    from synth.settings import ModelSettings

MOST_ANSWER = 16_000
"""Most tokens that several answers in one may take, unless a single one may take more."""
CONNECT_S = 30.0
"""Longest wait for a connection."""
IDLE_S = 3.0
"""How long an idle connection is kept: uvicorn, and with it vLLM, closes one after 5 s, and a request that meets the
end of its connection may have been paid for."""
NO_KEY = "none"
"""What is sent to a server that needs no key, as the SDKs insist on one."""
_HEADERS = {"content-type": "application/json"}

Client = TypeVar("Client")


@dataclass(frozen=True)
class Access:
    """How to reach a server.

    Attributes:
        base_url: None for the vendor's own.
        key: "" for none.
        timeout_s: seconds for one request, from first to last byte.
        connections: most connections at once.
    """

    base_url: str | None
    key: str = field(repr=False)
    timeout_s: float
    connections: int

    @property
    def sent_key(self) -> str:
        """What the SDK gets."""
        return self.key or NO_KEY

    @property
    def timeout(self) -> httpx2.Timeout:
        """For the transport: only the connection has a limit of its own; the whole request is timed by us."""
        import httpx2

        return httpx2.Timeout(None, connect=min(self.timeout_s / 2, CONNECT_S))

    def http_client(self, sdk: Any) -> httpx2.AsyncClient:
        """An SDK's transport over aiohttp, half as costly as its default, which is taken where aiohttp is missing."""
        import httpx2

        most = self.connections
        limits = httpx2.Limits(max_connections=most, max_keepalive_connections=most, keepalive_expiry=IDLE_S)
        options: dict[str, Any] = {"timeout": self.timeout, "limits": limits, "follow_redirects": False}
        try:
            client: httpx2.AsyncClient = sdk.DefaultAioHttpClient(**options)
        except RuntimeError:
            client = sdk.DefaultAsyncHttpxClient(**options)
        return client


def quiet(client: Client) -> Client:
    """The client without the headers that its SDK read from the environment (OPENAI_CUSTOM_HEADERS and the like)."""
    vars(client)["_custom_headers"] = {}
    return client


def answer_tokens(settings: ModelSettings, prompt: Prompt) -> int:
    """Most tokens of the answer to a prompt."""
    return max(settings.max_tokens, min(MOST_ANSWER, settings.max_tokens * prompt.answers))


class SdkApi(ABC):
    """What both vendors' APIs share: the call.

    Args:
        name: logical teacher id.
        access: where the server is, and the key.
    """

    path: ClassVar[str]

    def __init__(self, name: str, access: Access) -> None:
        self.name = name
        self.access = access
        self.hider = Hider(access.key)
        self._client: Any = None

    @abstractmethod
    def body(self, prompt: Prompt) -> dict[str, Any]:
        """The request body for a prompt."""

    @abstractmethod
    def parse(self, raw: Any) -> Reply:
        """The reply in the decoded JSON body of an answer with status 200."""

    @abstractmethod
    def make_client(self) -> Any:
        """The SDK's client."""

    async def call(self, ask: Ask) -> Reply:
        """Send one ask, once; whatever the server or the network does becomes a Reply."""
        if self._client is None:
            self._client = self._opened()
        try:
            async with asyncio.timeout(self.access.timeout_s):
                response = await self._post(ask)
        except TimeoutError:
            detail = f"no answer within {self.access.timeout_s:g} s"
            return Reply("again", "timeout", billed="unknown", detail=detail)
        except Exception as error:
            return self._failed(error)
        return self._read(response)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
            self.hider.unguard_logs()

    def _opened(self) -> Any:
        client = self.make_client()
        self.hider.guard_logs()
        return client

    async def _post(self, ask: Ask) -> httpx2.Response:
        import httpx2

        # The SDKs' generic request: their create() checks and copies each message, which takes as long as all else.
        response: httpx2.Response = await self._client.post(
            self.path, cast_to=httpx2.Response, content=encoded(ask.body), options={"headers": _HEADERS}
        )
        return response

    def _failed(self, error: Exception) -> Reply:
        response = getattr(error, "response", None)
        if response is None:
            return exception_reply(error, self.hider)
        return status_reply(response.status_code, _decoded(response), response.headers, self.hider)

    def _read(self, response: httpx2.Response) -> Reply:
        name = request_id(response.headers, self.hider)
        try:
            raw = orjson.loads(response.content)
        except orjson.JSONDecodeError as error:
            start = response.content[:100].lstrip()[:1]
            code = "html_body" if start == b"<" or "html" in response.headers.get("content-type", "") else "not_json"
            detail = response.content[:300].decode("utf-8", "replace") if code == "html_body" else str(error)
            return Reply("again", code, billed="unknown", request_id=name, detail=self.hider.words(detail))
        return replace(self.parse(raw), request_id=name)


def _decoded(response: httpx2.Response) -> Any:
    """An error's body; text where it is no JSON."""
    try:
        return orjson.loads(response.content)
    except (orjson.JSONDecodeError, RuntimeError):
        return None


def encoded(body: dict[str, Any]) -> bytes:
    """A body as it is sent."""
    try:
        return orjson.dumps(body)
    except TypeError:  # half a surrogate pair, which no UTF-8 can hold but JSON's escapes can
        return json.dumps(body).encode("ascii")
