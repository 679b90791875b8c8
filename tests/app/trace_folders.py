"""A library of short traces that can be read and labelled, never on a disk."""

from __future__ import annotations

from typing import Any

from app.traces import Trace, TraceKey
from tests.app.index_frames import FakeLibrary, index_frame


def body(name: str, said: str = "Please book a flight") -> dict[str, Any]:
    """The columns of a trajectory with one call."""
    call = {"id": "1", "name": "book", "arguments": '{"to": "OSL"}', "args_status": "object"}
    messages = [
        message("user", said),
        message("assistant", None, [call]),
        message("tool", "booked", call_id="1"),
        message("assistant", "It is booked."),
    ]
    return {
        "trajectory_id": name,
        "content_hash": f"hash-{name}",
        "source": "desk",
        "task_id": "t1",
        "reward": 1.0,
        "messages": messages,
        "thinking": [],
        "evidence": [
            {
                "message_index": 1,
                "call_index": 0,
                "tier": "exact",
                "p": 0.75,
                "source_trajectory_id": None,
                "source_message_index": None,
                "reason": None,
                "step_reward": None,
            }
        ],
    }


def message(role: str, content: str | None, calls: Any = None, call_id: str | None = None) -> dict[str, Any]:
    """A message as a folder holds it."""
    return {
        "role": role,
        "content": content,
        "content_json": None,
        "reasoning_content": None,
        "tool_calls": calls or [],
        "tool_call_id": call_id,
        "name": None,
        "train": True,
        "is_error": None,
        "pair_status": None,
    }


class Traces(FakeLibrary):
    """Traces t0, t1, ... in the folder `clean`; `evil` holds HTML."""

    def __init__(self, many: int = 12, **columns: Any) -> None:
        super().__init__(index_frame(*({"trace": f"t{n}", **columns} for n in range(many))))
        self.bodies = {f"t{n}": body(f"t{n}", f"Trip number {n}") for n in range(many)}
        self.read: list[str] = []

    def trace(self, key: TraceKey) -> Trace | None:
        found = self.bodies.get(key.trace) if key.folder == "clean" else None
        self.read.append(key.trace)
        return None if found is None else Trace(TraceKey("clean", key.trace), "curated", "trajectories", found)

    def trace_at(self, row: int) -> Trace:
        found = self.trace(TraceKey("clean", f"t{row}"))
        assert found is not None
        return found
