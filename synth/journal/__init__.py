"""What a teacher said and what it cost, durable before it is used; `folder.Journal` is the door."""

from synth.journal.folder import Journal, JournalReader

__all__ = ["Journal", "JournalReader"]
