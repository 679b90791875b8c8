"""OpenAI's chat completions with a dialogue and tools given, as any server speaks them: the next turn comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from synth.teachers.answering import not_an_answer
from synth.teachers.asks import Reply, ReplyKind
from synth.teachers.openai_api import OpenAIApi, first_choice, token_usage

_ENDINGS: dict[str, tuple[ReplyKind, str]] = {
    "stop": ("ok", "ok"),
    "tool_calls": ("ok", "ok"),
    "function_call": ("ok", "ok"),
    "length": ("poor", "cut_off"),
    "max_tokens": ("poor", "cut_off"),
    "content_filter": ("poor", "refused"),
}


@dataclass(frozen=True, slots=True)
class ChatReply(Reply):
    """A turn of the model.

    Attributes:
        message: as the server gave it; None unless kind is "ok" or "poor".
    """

    message: Mapping[str, Any] | None = None


class ChatApi(OpenAIApi):
    """One model behind chat completions, asked for the next turn of a dialogue."""

    def turn_body(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]], max_tokens: int
    ) -> dict[str, Any]:
        """The request body for the next turn.

        Args:
            messages: the dialogue so far, as the API has it.
            tools: schemas, as the API has them; may be empty.
            max_tokens: most tokens of the turn, thinking included.
        """
        body: dict[str, Any] = {"model": self._model, "messages": list(messages), self._limit: max_tokens}
        if tools:
            body["tools"] = list(tools)
        if self._settings.temperature is not None:
            body["temperature"] = self._settings.temperature
        return {**body, **deepcopy(self._extra)}

    def parse(self, raw: Any) -> Reply:
        """The turn in a decoded chat completion: "poor" where it was cut off or refused."""
        choice = first_choice(raw.get("choices")) if isinstance(raw, dict) else None
        message = choice.get("message") if choice is not None else None
        if choice is None or not isinstance(message, dict):
            return not_an_answer(raw, self.hider)
        finish, usage = choice.get("finish_reason"), token_usage(raw.get("usage"))
        kind, code = (
            _ENDINGS.get(finish, ("again", "unfinished")) if isinstance(finish, str) else ("again", "unfinished")
        )
        if self.hider.holds_key(json.dumps(message, ensure_ascii=False)):
            kind, code, message = "item", "key_echoed", None
        return ChatReply(
            kind,
            code,
            usage=usage,
            billed="usage" if usage is not None else "unknown",
            model=self.hider.token(raw.get("model")),
            finish=self.hider.token(finish),
            message=None if kind == "again" else message,
        )
