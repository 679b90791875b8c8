"""Small trajectories, rollouts and an index of them, as the library makes it."""

from __future__ import annotations

import json

import polars as pl

from curate.readers.messages import message
from curate.trajectory import Evidence, trajectory_of

TIERS = ("exact", "exact", "normalised", "fuzzy", "best_effort")


def call(name, number=0, **arguments):
    return {"id": f"c{number}", "name": name, "arguments": json.dumps(arguments), "args_status": "json"}


def says(text=None, *calls, thought=None):
    return message("assistant", text) | {"reasoning_content": thought, "tool_calls": list(calls)}


def result(text, name="get_order", number=0):
    return message("tool", text) | {"tool_call_id": f"c{number}", "name": name}


def dialogue(order="W1", status="open", answer="It is open.", thought=None):
    return [
        message("user", f"Where is {order}?"),
        says(None, call("get_order", order_id=order), thought=thought),
        result(json.dumps({"status": status})),
        says(answer, thought=thought),
    ]


def row(name, messages=None, **columns):
    place = {"source": "made", "env_id": "shop", "task_id": "t1"}
    return trajectory_of(name, messages if messages is not None else dialogue(), **place | columns)


def rollout(name, trial, reward, tier="exact", answer=1.0, parent="p", status="answered", messages=None):
    paid = {"answer": answer, "process": 0.5, "alpha": 0.6, "call_format": 1.0, "no_repeats": 0.25}
    told = {"status": status, "reward": paid, "worst_tier": tier, "min_p": 0.9}
    step = Evidence(
        message_index=1,
        call_index=0,
        tier=tier,
        p=0.9,
        source_trajectory_id="s",
        source_message_index=1,
        reason="recorded",
        step_reward=reward,
    )
    return row(
        name,
        messages,
        source="rollout",
        trial=trial,
        reward=reward,
        parent={"trajectory_id": parent, "message_index": 0},
        metadata=json.dumps(told),
        evidence=[step],
    )


def indexed(**folders):
    """The index of (kind, rows) by folder name, with the columns that comparing reads."""
    rows = []
    for folder, (kind, given) in folders.items():
        for each in given:
            told = json.loads(each["metadata"])
            turns = [one for one in each["messages"] if one["role"] == "assistant"]
            rows.append(
                {
                    "row": len(rows),
                    "folder": folder,
                    "kind": kind,
                    "table": "trajectories",
                    "trace": each["trajectory_id"],
                    **{name: each[name] for name in ("trajectory_id", "content_hash", "source", "env_id", "task_id")},
                    "trial": each["trial"],
                    "reward": each["reward"],
                    "turns": len(turns),
                    "calls": sum(len(one["tool_calls"]) for one in turns),
                    "thinking": sum(bool(one["reasoning_content"]) for one in turns),
                    "worst_tier": told.get("worst_tier"),
                    "min_p": told.get("min_p"),
                    "status": told.get("status"),
                    "parent_id": (each["parent"] or {}).get("trajectory_id"),
                    "first_words": (each["messages"][0]["content"] or "")[:120],
                }
            )
    whole = {"row": pl.UInt32, "trial": pl.Int32, "turns": pl.UInt32, "calls": pl.UInt32, "thinking": pl.UInt32}
    frame = pl.DataFrame(rows, infer_schema_length=None, schema_overrides={**whole, "reward": pl.Float32})
    return frame.with_columns(pl.col("folder").cast(pl.Categorical), pl.col("min_p").cast(pl.Float32))
