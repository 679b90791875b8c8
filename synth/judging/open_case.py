"""One case on its way to a verdict: what to ask next, and when it is decided.

Everything is read from the journal first, so a case that was asked about in an earlier run costs nothing again, and
gets the same verdict again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synth.journal import JournalReader
from synth.judging.base import MOST_POINTS, OK, Case, Verdict, clamped
from synth.judging.rubric import judge_prompt, read_points, rubric_version
from synth.teachers.asks import Api, Ask, make_ask

ATTEMPTS = 3
"""A reply without a score is asked for twice more, with a word on what was wrong."""
NO_NUMBER = "no_number"
GIVEN_UP = "given_up"


@dataclass(frozen=True)
class Bench:
    """What all cases of a run share.

    Attributes:
        api: the judge model.
        journal: everything that was said.
    """

    api: Api
    journal: JournalReader


class OpenCase:
    """One case; `ask` is what to send next, and None once `verdict` stands.

    Args:
        case: what is judged.
        bench: what all cases share.
    """

    def __init__(self, case: Case, bench: Bench) -> None:
        self.ask: Ask | None = None
        self.verdict = clamped(case.answer)
        self._case = case
        self._bench = bench
        self._attempt = 0
        self._failed: tuple[str, ...] = ()
        self.look()

    def look(self) -> None:
        """Take what the journal holds, up to the first ask that it has no answer to."""
        journal = self._bench.journal
        while self.verdict is None:
            self.ask = self.ask or self._made()
            if (gone := journal.turn(_gone_key(self.ask))) is not None:
                self._decide(None, gone["codes"][-1])
            elif (reply := journal.reply(self.ask.key)) is not None:
                self._weigh(reply)
            else:
                return

    def take(self, reply: Mapping[str, Any]) -> None:
        """The journal's record of an answer to `ask`."""
        self._weigh(reply)
        self.look()

    def give_up(self, reply: Mapping[str, Any]) -> list[dict[str, Any]]:
        """No answer to `ask` can be had while others get theirs; returns the record that keeps it so."""
        assert self.ask is not None
        key, code = _gone_key(self.ask), reply["code"]
        self._decide(None, code)
        return [
            {
                "t": "turn",
                "key": key,
                "outcome": "tombstone",
                "from": None,
                "codes": [GIVEN_UP, code],
                "checks": rubric_version(),
                "at": reply["at"],
            }
        ]

    def _made(self) -> Ask:
        prompt = judge_prompt(self._case, self._failed)
        return make_ask(self._bench.api, prompt, rubric_version(), self._attempt)

    def _weigh(self, reply: Mapping[str, Any]) -> None:
        said = reply["text"] or ""
        points = read_points(said) if reply["kind"] == "ok" else None
        code = NO_NUMBER if reply["kind"] == "ok" else reply["code"]
        if points is not None:
            self._decide(points / MOST_POINTS, OK, said)
        elif reply["kind"] == "item" or self._attempt + 1 >= ATTEMPTS:
            self._decide(None, code, said)
        else:
            self.ask, self._attempt, self._failed = None, self._attempt + 1, (code,)

    def _decide(self, score: float | None, code: str, said: str = "") -> None:
        self.verdict, self.ask = Verdict(score, code, said), None


def _gone_key(ask: Ask) -> str:
    """Where the journal says that an ask was given up."""
    return "t" + ask.key[1:]
