"""Teachers: whoever writes the thought that leads to a turn. Here so far: the rule-based one that needs no model."""

from __future__ import annotations

from synth.teachers.base import Teacher, Thought, TurnView, turn_view

__all__ = ["Teacher", "Thought", "TurnView", "make_teacher", "turn_view"]


def make_teacher(name: str) -> Teacher:
    """The teacher of this name.

    Raises:
        UsageError: if there is none.
    """
    if name == "offline":
        from synth.teachers.offline import OfflineTeacher

        return OfflineTeacher()
    from curate.errors import UsageError

    raise UsageError(f"no teacher {name!r}; known are: offline")
