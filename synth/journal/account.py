"""What the records of a journal say about money and answers, added up record by record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from synth.journal.records import Record, number_of, text_of
from synth.money import nano


@dataclass(slots=True)
class OpenBatch:
    """A batch that was announced and has not ended.

    Attributes:
        left: nano-dollars of its worst case that its replies have not used up.
        places: where its records stand.
    """

    left: int
    places: list[int]


@dataclass(slots=True)
class Answers:
    """What a model's completed answers took."""

    count: int = 0
    input: int = 0
    output: int = 0


@dataclass
class Account:
    """Sums over the records of a journal; amounts in nano-dollars.

    Attributes:
        spent: what the replies cost.
        unanswered: worst case of each attempt that was sent and has no reply, by its id: requests that are on their
            way, and those that an earlier run died with, which may have been charged.
        batches: batches that have not ended, by tag.
        answers: completed answers by the model that the server named.
    """

    spent: int = 0
    unanswered: dict[str, int] = field(default_factory=dict)
    batches: dict[str, OpenBatch] = field(default_factory=dict)
    answers: dict[str, Answers] = field(default_factory=dict)

    @property
    def orphaned(self) -> int:
        """Worst case of everything that was sent and not answered."""
        return sum(self.unanswered.values())

    @property
    def reserved(self) -> int:
        """What open batches may still cost."""
        return sum(batch.left for batch in self.batches.values())

    def sent(self, record: Record) -> None:
        """Count an attempt as unanswered."""
        self.unanswered[text_of(record, "id")] = nano(number_of(record, "usd"))

    def reply(self, record: Record, repeated: Callable[[], bool]) -> None:
        """Count a reply, unless it was journaled before, as a batch's are when they are fetched twice.

        Args:
            record: the reply.
            repeated: whether the reply that stands under the same key belongs to the same attempt.
        """
        name, cost = text_of(record, "id"), nano(number_of(record, "usd"))
        if self.unanswered.pop(name, None) is None and repeated():
            return
        self.spent += cost
        if (batch := self.batches.get(name)) is not None:
            batch.left = max(0, batch.left - cost)
        usage, model = record.get("usage"), record.get("model")
        if usage and isinstance(model, str) and record["kind"] in ("ok", "poor"):
            answers = self.answers.setdefault(model, Answers())
            answers.count += 1
            answers.input += usage[0]
            answers.output += usage[1]

    def batch(self, record: Record, place: int) -> None:
        """Open a batch with its intent; close it when it ended, or was cancelled and read to its end."""
        tag, state = text_of(record, "id"), text_of(record, "state")
        if state in ("ended", "cancelled"):
            self.batches.pop(tag, None)
        elif tag in self.batches:
            self.batches[tag].places.append(place)
        else:
            self.batches[tag] = OpenBatch(nano(number_of(record, "usd")), [place])
