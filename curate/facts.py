"""What is known of one trajectory in figures: counted once by whoever reads it, added up by `curate.stats`."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from curate.filters.base import View
from curate.filters.privacy import privacy_counts
from curate.stats import TURN_KINDS
from curate.tokens import TokenCounts
from curate.turns import result_failed, turn_kind

_INT, _STR = pa.int64(), pa.string()
FACTS = pa.struct(
    [
        ("called", pa.list_(_STR)),  # names of the tools, one a call, in their order
        ("messages", _INT),
        ("tokens", _INT),  # of all texts; the next two are parts of it
        ("thinking_tokens", _INT),
        ("result_tokens", _INT),
        ("failed_calls", _INT),
        ("untrained_turns", _INT),
        *((kind, _INT) for kind in TURN_KINDS),
        ("thoughts", pa.list_(_STR)),  # origins
        ("ending", _STR),
        ("personal", pa.list_(pa.struct([("kind", _STR), ("count", _INT)]))),  # secrets and personal data
    ]
)


def facts_of(view: View, tokens: TokenCounts) -> dict[str, Any]:
    """The facts of one trajectory, a value of the Arrow type `FACTS`.

    Args:
        view: the trajectory (`curate.filters.view_of`).
        tokens: of its texts (`curate.tokens.count_tokens`).
    """
    row = view.row
    turns = dict.fromkeys(TURN_KINDS, 0)
    called: list[str] = []
    failed = untrained = 0
    for message in row["messages"]:
        called += [call["name"] for call in message["tool_calls"]]
        if message["role"] == "assistant":
            turns[turn_kind(message)] += 1
            untrained += not message["train"]
        elif message["role"] == "tool":
            failed += result_failed(message, view.rules)
    return {
        "called": called,
        "messages": len(row["messages"]),
        "tokens": tokens.trajectory,
        "thinking_tokens": tokens.thinking,
        "result_tokens": tokens.tool_results,
        "failed_calls": failed,
        "untrained_turns": untrained,
        **turns,
        "thoughts": [thought["origin"] for thought in row["thinking"]],
        "ending": view.ending,
        "personal": [{"kind": kind, "count": count} for kind, count in privacy_counts(view).items()],
    }
