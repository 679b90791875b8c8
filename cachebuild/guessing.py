"""A model plays the tool: a guesser for `misses.Simulator` over an OpenAI-compatible server, or Anthropic's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cachebuild.misses import Guess, Guesser
from curate.canonical import compact_json, hash128
from curate.trajectory import Message

if TYPE_CHECKING:
    from synth.teachers.asks import Reply
    from synth.teachers.sdk import SdkApi

SYSTEM = (
    "You stand in for a tool that an agent calls. Answer with the text that the tool would return, and nothing else: "
    "no explanation, no code fence. Keep to the form of the recorded results and to what the dialogue says of the "
    "world. Where the call could not succeed, return the error that the tool would return."
)
MOST_MESSAGES = 30
MOST_CHARS = 4_000
"""Of the history, so many last messages are shown, and so many characters of each text."""


def model_guesser(
    teacher: str, base_url: str | None = None, max_tokens: int = 1024, timeout_s: float = 60.0
) -> Guesser:
    """A guesser that asks a model, once a call and at temperature 0; None where no usable answer comes.

    Args:
        teacher: "openai:MODEL" or "anthropic:MODEL".
        base_url: of an OpenAI-compatible server such as vLLM; None for the vendor's own.
        max_tokens: most tokens of a result.
        timeout_s: seconds until an answer counts as lost.

    Raises:
        UsageError: for a teacher or an address that cannot be, or a missing key.
    """
    from synth.settings import ModelSettings, PaceSettings
    from synth.teachers.apis import make_api

    model = ModelSettings(base_url=base_url, max_tokens=max_tokens, temperature=0.0)
    pace = PaceSettings(timeout_s=timeout_s, concurrency=1)
    make_api(teacher, model, pace)  # a wrong address is said at once

    def guess(about: Guess) -> str | None:
        reply = asyncio.run(_ask(make_api(teacher, model, pace), about))
        return reply.text if reply.kind == "ok" and reply.text else None

    return guess


async def _ask(api: SdkApi, about: Guess) -> Reply:
    from synth.teachers.asks import Ask, Prompt

    parts = tuple(prompt_parts(about))
    try:
        return await api.call(Ask("k" + hash128(*parts), api.body(Prompt(SYSTEM, parts))))
    finally:
        await api.close()


def prompt_parts(about: Guess) -> Iterator[str]:
    """What the model is shown: the dialogue, the schema, what was recorded for similar calls, and the call."""
    history = [line for message in about.history[-MOST_MESSAGES:] if (line := _line(message))]
    if history:
        yield "The dialogue so far:\n" + "\n".join(history)
    if about.schema is not None:
        yield f"The tool's schema:\n{compact_json(dict(about.schema))}"
    for call in about.similar:
        yield f"Recorded: {about.tool}({call.arguments}) returned:\n{call.result[:MOST_CHARS]}"
    yield f"The call:\n{about.tool}({about.arguments})"


def _line(message: Message) -> str:
    calls = [f"{call['name']}({call['arguments'][:MOST_CHARS]})" for call in message["tool_calls"]]
    texts = [text for text in ((message["content"] or "")[:MOST_CHARS], *calls) if text]
    return f"{message['role']}: {'; '.join(texts)}" if texts else ""
