"""What a teacher said and what it cost, durable before it is used; `folder.Journal` is the door."""

from synth.journal.rows import Journal

__all__ = ["Journal"]
