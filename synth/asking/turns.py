"""One turn on its way to a thought: what to ask next, what an answer is worth, and when the turn is decided.

Everything is read from the journal first, so a turn that was decided, or asked for, in an earlier run or for another
output costs nothing again. Verdicts are taken anew where the checks or their thresholds have changed since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import xxhash

from curate.env import EnvRules
from curate.trajectory import Trajectory
from synth.checks.row import RowChecks
from synth.prompts import PromptWriter, prompt_version, read_trajectory_reply
from synth.settings import ModelSettings
from synth.teachers.asks import Ask, Prompt, make_ask

if TYPE_CHECKING:
    from synth.checks.settings import CheckSettings
    from synth.journal import JournalReader
    from synth.teachers.asks import Api

ATTEMPTS = 3
"""A thought that fails its checks is asked for twice more, in other words."""
GIVEN_UP = "given_up"
"""Stands first among the codes of a turn that no answer came for."""

Reply = Mapping[str, Any]
"""A journal record of type "reply"."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decided turn.

    Attributes:
        text: the thought; None for a tombstone.
        codes: why there is none.
        tried: codes that each attempt failed, in order; the accepted one's are empty.
        usd: what its answers cost.
        tokens_in: of all its attempts.
        tokens_out: of all its attempts.
        model: that the server named last.
        at: day of the last answer, ISO.
    """

    text: str | None
    codes: tuple[str, ...]
    tried: tuple[tuple[str, ...], ...] = ()
    usd: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    model: str | None = None
    at: str | None = None


@dataclass(frozen=True)
class Workshop:
    """What all turns of a run share.

    Attributes:
        api: the teacher.
        model: what it is asked.
        checks: thresholds.
        fingerprint: of the checks; a verdict of another is taken anew.
        journal: everything that was said.
        retry_failed: whether turns that no answer came for are open again.
        retried: names of the asks and turns that were; once in a run.
    """

    api: Api
    model: ModelSettings
    checks: CheckSettings
    fingerprint: str
    journal: JournalReader
    retry_failed: bool = False
    version: str = field(init=False)
    turn_version: str = field(init=False)
    retried: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "version", prompt_version(self.model.per))
        object.__setattr__(self, "turn_version", prompt_version("turn"))

    def again(self, key: str) -> bool:
        """Whether what no answer came for is open again: the first time in a run that retries."""
        return self.retry_failed and key not in self.retried

    def ask(self, prompt: Prompt, version: str, attempt: int) -> Ask:
        """The ask for a prompt, named by what is sent, to whom, and which attempt it is."""
        return make_ask(self.api, prompt, version, attempt)


class RowAsks:
    """The turns of one trajectory that need a teacher.

    Args:
        row: as recorded; not to be changed while this is in use.
        indices: message indices of those turns.
        shop: what all turns share.
        rules: of the row's env.
    """

    def __init__(self, row: Trajectory, indices: Sequence[int], shop: Workshop, rules: EnvRules) -> None:
        self.row = row
        self.indices = list(indices)
        self.shop = shop
        self._rules = rules

    @cached_property
    def checks(self) -> RowChecks:
        """The checks, ready for this trajectory."""
        return RowChecks(self.row, self.shop.checks, self._rules)

    @cached_property
    def writer(self) -> PromptWriter:
        """The prompts of this trajectory."""
        return PromptWriter(self.row, self.shop.model)

    @cached_property
    def whole(self) -> Ask:
        """The ask that covers the whole trajectory."""
        return self.shop.ask(self.writer.trajectory(self.indices), self.shop.version, 0)

    def ask(self, index: int, attempt: int, failed: Sequence[str]) -> Ask:
        """The ask of one turn's attempt."""
        if attempt == 0 and self.shop.model.per == "trajectory":
            return self.whole
        return self.shop.ask(self.writer.turn(index, failed), self.shop.turn_version, attempt)

    def text(self, index: int, attempt: int, reply: Reply) -> str | None:
        """The thought of a turn in an answer."""
        if attempt == 0 and self.shop.model.per == "trajectory":
            return read_trajectory_reply(reply["text"] or "", self.indices).get(index)
        return (reply["text"] or "").strip()

    def open(self, index: int, *, whole_story: bool = False) -> OpenTurn:
        """One of the turns, as far as the journal has it.

        Args:
            index: of its message.
            whole_story: judge every answer anew, also where the outcome stands, so that `story` can tell them.
        """
        return OpenTurn(self, index, whole_story)


class OpenTurn:
    """One turn; `ask` is what to send next, and None once `outcome` stands.

    Attributes:
        key: of the turn in the journal: what is asked first, and in which trajectory.
        known: whether the outcome stood in the journal.
        missed: whether the answer to `ask` went to another turn that asked the same.
    """

    def __init__(self, asks: RowAsks, index: int, whole_story: bool = False) -> None:
        self.index = index
        self.ask: Ask | None = None
        self.outcome: Outcome | None = None
        self.missed = False
        self._asks = asks
        self._attempt = 0
        self._tried: list[tuple[str, ...]] = []
        self._replies: list[Reply] = []
        self._records: list[dict[str, Any]] = []
        first = asks.ask(index, 0, ())
        named = f"{first.key}\0{asks.row['content_hash']}\0{index}"
        self.key = "t" + hashlib.sha256(named.encode()).hexdigest()[:40]
        self.known = not whole_story and self._stands()
        if not self.known:
            self._go_on(first)

    @property
    def answers(self) -> int:
        """Thoughts that `ask` asks for."""
        return len(self._asks.indices) if self._whole else 1

    @property
    def last_codes(self) -> tuple[str, ...]:
        """What the last answer failed."""
        return self._tried[-1] if self._tried else ()

    @property
    def judged(self) -> int:
        """Answers that were judged."""
        return len(self._tried)

    @property
    def stamp(self) -> int:
        """128 bits that stand for the turn and what came of it; sums of them tell outputs of one journal apart."""
        assert self.outcome is not None
        said = self.outcome.text or f"\0{self.outcome.codes}"
        return xxhash.xxh3_128_intdigest(f"{self.key}\0{said}".encode("utf-8", "surrogatepass"))

    def take(self, reply: Reply) -> list[dict[str, Any]]:
        """An answer to `ask`, or the news that none will come; returns the records that decide the turn, if it is."""
        self._go_on(self._weighed(reply))
        return self.pending()

    @property
    def _whole(self) -> bool:
        """Whether `ask` is about the whole trajectory."""
        return self._attempt == 0 and self._asks.shop.model.per == "trajectory"

    def _usable(self, reply: Reply) -> bool:
        """Whether a reply can be judged; a trajectory that is too long can still be asked about turn by turn."""
        return reply["kind"] in ("ok", "poor") or (reply["kind"] == "item" and self._whole)

    def story(self) -> Iterator[tuple[str | None, tuple[str, ...], Reply]]:
        """(text, failed codes, reply) of each answer that was judged, in order."""
        for attempt, (codes, reply) in enumerate(zip(self._tried, self._replies, strict=False)):
            text = self._asks.text(self.index, attempt, reply) if reply["kind"] == "ok" else None
            yield text, codes, reply

    def pending(self) -> list[dict[str, Any]]:
        """Records that decide the turn and have not been journaled yet; each is given out once."""
        records, self._records = self._records, []
        return records

    def _stands(self) -> bool:
        """Take the outcome from the journal, if it has one that holds."""
        record = self._asks.shop.journal.turn(self.key)
        if record is None:
            return False
        gone = record["outcome"] == "tombstone" and record["codes"][:1] == [GIVEN_UP]
        if self._asks.shop.again(self.key) if gone else record["checks"] != self._asks.shop.fingerprint:
            return False
        text = None
        if record["outcome"] == "accepted":
            reply = self._asks.shop.journal.reply(record["from"])
            text = None if reply is None else self._asks.text(self.index, len(record["tried"]) - 1, reply)
            if text is None:
                return False
        self.outcome = Outcome(
            text,
            tuple(record["codes"]),
            tuple(tuple(codes) for codes in record["tried"]),
            record["usd"],
            record["tokens"][0],
            record["tokens"][1],
            record["model"],
            record["at"],
        )
        return True

    def _go_on(self, ask: Ask | None) -> None:
        """Judge what the journal holds, up to the first ask that it has no answer to."""
        while ask is not None:
            reply = self._asks.shop.journal.reply(ask.key)
            if reply is None or (reply["kind"] == "item" and self._asks.shop.again(ask.key)):
                if reply is not None:
                    self._asks.shop.retried.add(ask.key)
                self.ask = ask
                return
            ask = self._weighed(reply)
        self.ask = None

    def _weighed(self, reply: Reply) -> Ask | None:
        """What to ask after an answer, or the news that none will come; None if the turn is decided by it."""
        if self._usable(reply):
            return None if self._judged(reply) else self._next()
        self._replies.append(reply)
        self._decide(None, (GIVEN_UP, reply["code"]))
        return None

    def _judged(self, reply: Reply) -> bool:
        """Judge an answer; whether the turn is decided by it."""
        self._replies.append(reply)
        text = self._asks.text(self.index, self._attempt, reply) if reply["kind"] == "ok" else None
        if reply["kind"] != "ok":
            codes: tuple[str, ...] = (reply["code"],)
        else:
            codes = ("no_thought",) if not text else self._asks.checks.failed(self.index, text)
        self._tried.append(codes)
        if codes and self._attempt + 1 < ATTEMPTS:
            return False
        self._decide(None if codes else text, codes)
        return True

    def _next(self) -> Ask:
        self._attempt += 1
        return self._asks.ask(self.index, self._attempt, self._tried[-1])

    def _decide(self, text: str | None, codes: tuple[str, ...]) -> None:
        counted = self._replies[self._shared() :]
        usages = [reply["usage"] for reply in counted if reply["usage"]]
        last = self._replies[-1]
        self.outcome = Outcome(
            text,
            codes,
            tuple(self._tried),
            sum(reply["usd"] for reply in counted),
            sum(usage[0] for usage in usages),
            sum(usage[1] for usage in usages),
            last["model"],
            last["at"][:10],
        )
        self._records.append(self._record(last))
        if codes[:1] == (GIVEN_UP,):
            self._asks.shop.retried.add(self.key)
        self.ask = None

    def _shared(self) -> int:
        """Replies that another turn of the trajectory counts: one answer for the whole is paid for once."""
        return int(self._asks.shop.model.per == "trajectory" and self.index != self._asks.indices[0])

    def _record(self, last: Reply) -> dict[str, Any]:
        assert self.outcome is not None
        kind: Literal["accepted", "tombstone"] = "tombstone" if self.outcome.text is None else "accepted"
        return {
            "t": "turn",
            "key": self.key,
            "outcome": kind,
            "from": last["key"] if kind == "accepted" else None,
            "codes": list(self.outcome.codes),
            "checks": self._asks.shop.fingerprint,
            "tried": [list(codes) for codes in self.outcome.tried],
            "usd": self.outcome.usd,
            "tokens": [self.outcome.tokens_in, self.outcome.tokens_out],
            "model": self.outcome.model,
            "at": self.outcome.at,
        }
