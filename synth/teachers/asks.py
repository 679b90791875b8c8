"""What goes to a model and what comes back: the terms that both vendors, online and batch, share."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from curate.canonical import canonical_json

ReplyKind: TypeAlias = Literal["ok", "poor", "again", "item", "run"]
Billed: TypeAlias = Literal["usage", "nothing", "unknown"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request in words.

    Attributes:
        system: instructions; the same for all asks of a run.
        parts: blocks of the one user message, joined by a blank line. All but the last are the prefix that later asks
            of the same trajectory begin with, so that a server can cache it.
        answers: thoughts that are asked for; the answer may be so many times as long.
    """

    system: str
    parts: tuple[str, ...]
    answers: int = 1


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to a teacher.

    Attributes:
        key: "k" and 40 hex digits: the name in the journal, and the custom_id in both vendors' batches.
        body: the JSON body of the request, exactly as it is sent.
    """

    key: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request, in the same terms for every vendor.

    Attributes:
        input: all prompt tokens, those read from and written to a cache included.
        output: all generated tokens, thinking included.
        cached: of `input`, read from the server's cache.
        written: of `input`, written to a cache that is kept for 5 minutes.
        written_1h: of `input`, written to a cache that is kept for an hour.
        reasoning: of `output`, thinking.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    written: int = 0
    written_1h: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one ask.

    Attributes:
        kind: "ok", a usable text; "poor", a completed answer that is no thought (empty, cut off, refused), which may be
            asked for again in other words; "again", a failure that may pass (429, 5xx, a broken connection, a body
            that is not the API's); "item", this request can never succeed (too long, rejected); "run", no request
            can (key, quota, model).
        code: short name of what happened, e.g. "ok", "cut_off", "rate_limited", "html_body", "insufficient_quota".
        text: the answer's text; None unless kind is "ok" or "poor".
        usage: what the server counted; None if it did not say.
        billed: whether the vendor charges for it: by `usage`, "nothing", or "unknown" (a lost answer may be paid for).
        model: the model that the server says it used.
        finish: the vendor's word for why it stopped.
        request_id: for the vendor's support.
        wait: seconds that the server asks to wait.
        detail: what the server said, short, on one line, without keys.
    """

    kind: ReplyKind
    code: str
    text: str | None = None
    usage: Usage | None = None
    billed: Billed = "usage"
    model: str | None = None
    finish: str | None = None
    request_id: str | None = None
    wait: float | None = None
    detail: str = ""


class Sender(Protocol):
    """Sends asks.

    Attributes:
        name: logical teacher id, "openai:MODEL" or "anthropic:MODEL"; never a host or port.
    """

    name: str

    async def call(self, ask: Ask) -> Reply:
        """Send one ask, once; whatever the server or the network does becomes a Reply."""
        ...


class Api(Sender, Protocol):
    """A vendor's API and one model of it. `body` and `parse` are pure and serve online and batch alike."""

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """The request body for a prompt."""
        ...

    def parse(self, raw: Any) -> Reply:
        """The reply in the decoded JSON body of an answer with status 200; "again" where it is not the API's."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


def make_ask(api: Api, prompt: Prompt, version: str, attempt: int) -> Ask:
    """The ask for a prompt, named by what is sent, to whom, and which attempt it is.

    Args:
        api: the model.
        prompt: what is asked.
        version: of the prompt file.
        attempt: 0, and one more for each time that an answer was of no use.
    """
    body = api.body(prompt)
    named = hashlib.sha256(canonical_json(body).encode("utf-8", "surrogatepass"))
    named.update(f"\0{api.name}\0{version}\0{attempt}".encode())
    return Ask("k" + named.hexdigest()[:40], body)


@dataclass(frozen=True, slots=True)
class BatchState:
    """How far a batch is.

    Attributes:
        ended: no more results will come; those there are can be fetched, also of an expired or cancelled batch.
        status: the vendor's word.
        done: requests with a result so far.
        total: requests in the batch, 0 while the vendor has not counted them.
        problem: why the vendor refused the batch as a whole, e.g. "token_limit_exceeded"; None if it did not.
    """

    ended: bool
    status: str
    done: int = 0
    total: int = 0
    problem: str | None = None


class BatchApi(Protocol):
    """A vendor's batches, for asks whose bodies an `Api` made.

    Attributes:
        max_asks: most requests in one batch.
        max_bytes: most bytes in one batch, as sent.
        finds_at_once: whether `find` need not wait for the batch to end.
    """

    max_asks: int
    max_bytes: int
    finds_at_once: bool

    def size(self, ask: Ask) -> int:
        """Bytes that this ask takes in a batch."""
        ...

    async def create(self, asks: Sequence[Ask], tag: str) -> str:
        """Submit a batch, once; returns its id. Raises `BatchError`."""
        ...

    async def find(
        self, tag: str, keys: frozenset[str], since: float, known: frozenset[str] = frozenset()
    ) -> str | None:
        """The id of a batch that was submitted under this tag with these keys after `since` (Unix seconds).

        Ids in `known` belong to other tags. Raises `BatchError`.
        """
        ...

    async def state(self, batch_id: str) -> BatchState:
        """How far it is. Raises `BatchError`."""
        ...

    def results(self, batch_id: str) -> AsyncIterator[tuple[str, Reply]]:
        """(key, reply) of everything that was done, in any order; expired and cancelled asks as "again"."""
        ...

    async def cancel(self, batch_id: str) -> None:
        """Ask the vendor to stop it; what is done already stays fetchable and billed."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class BatchError(Exception):
    """A batch operation that failed; `reply` says how, in the terms of a single ask."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.code}: {reply.detail}")
        self.reply = reply
