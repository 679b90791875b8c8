"""What is known of one trajectory in figures: counted once by whoever reads it, added up by `curate.stats`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pyarrow as pa

from curate.env import DEFAULT_RULES, EnvRules
from curate.pairing import PairedCall
from curate.stats import TURN_KINDS
from curate.trajectory import Trajectory
from curate.turns import ending, result_failed, turn_kind

BYTES_PER_TOKEN = 4
"""Rough size of a token of English or JSON; figures made with it are named `_est`."""

CountTokens: TypeAlias = Callable[[Sequence[str]], list[int]]

_INT, _STR = pa.int64(), pa.string()
FACTS = pa.struct(
    [
        ("called", pa.list_(_STR)),  # names of the tools, one a call, in their order
        ("messages", _INT),
        ("tokens", _INT),  # of all texts, arguments and results; thinking is counted apart
        ("thinking_tokens", _INT),
        ("failed_calls", _INT),
        ("untrained_turns", _INT),
        *((kind, _INT) for kind in TURN_KINDS),
        ("thoughts", pa.list_(_STR)),  # origins
        ("ending", _STR),
        ("personal", pa.list_(_STR)),  # kinds of secrets and personal data, one an occurrence
    ]
)


def estimated_tokens(texts: Sequence[str]) -> list[int]:
    """Tokens by size: UTF-8 bytes over `BYTES_PER_TOKEN`, rounded up."""
    return [-(-(len(text) if text.isascii() else len(text.encode())) // BYTES_PER_TOKEN) for text in texts]


def facts_of(
    row: Trajectory,
    rules: EnvRules = DEFAULT_RULES,
    pairs: Sequence[PairedCall] | None = None,
    count: CountTokens = estimated_tokens,
) -> dict[str, Any]:
    """The facts of one trajectory, a value of the Arrow type `FACTS`.

    Args:
        row: the trajectory.
        rules: of its env; they say which results are failures and what a stop message is.
        pairs: its calls, if they have been paired already.
        count: tokens of each of some texts.
    """
    turns = dict.fromkeys(TURN_KINDS, 0)
    called, texts, thoughts, failed, untrained = [], [], [], 0, 0
    for message in row["messages"]:
        texts.append(message["content"] or "")
        for call in message["tool_calls"]:
            called.append(call["name"])
            texts.append(call["arguments"])
        if message["role"] == "assistant":
            turns[turn_kind(message)] += 1
            untrained += not message["train"]
            thoughts.append(message["reasoning_content"] or "")
        elif message["role"] == "tool":
            failed += result_failed(message, rules)
    return {
        "called": called,
        "messages": len(row["messages"]),
        "tokens": sum(count(texts)),
        "thinking_tokens": sum(count(thoughts)),
        "failed_calls": failed,
        "untrained_turns": untrained,
        **turns,
        "thoughts": [thought["origin"] for thought in row["thinking"]],
        "ending": ending(row["messages"], rules, pairs),
        "personal": [],
    }
