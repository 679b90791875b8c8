"""What a run would cost before anyone is asked: turns, tokens, dollars online and as a batch, and the worst case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from curate.report import Cell
from curate.tokens import BYTES_PER_TOKEN, TokenCounter
from synth.journal import JournalReader
from synth.journal.account import Answers
from synth.money import dollars
from synth.prices import Price
from synth.teachers.asks import Usage

ANSWER_TOKENS = 250
"""Tokens of an answer where the journal does not say: a thought of a few sentences, and some thinking."""
MOST_ASKS = 3
"""Asks of one turn: the first and two more where its thought fails the checks."""
_ENOUGH = 20
_MORE = 1.005
HEADERS = ("figure", "turns", "input tokens", "output tokens", "price")


@dataclass(frozen=True, slots=True)
class Observed:
    """What a journal says about earlier answers.

    Attributes:
        answer_tokens: mean tokens of an answer.
        answers: how many answers that is the mean of; 0 if it is the default.
        asks_per_turn: mean asks of a turn; None while too few turns have an outcome.
    """

    answer_tokens: float = ANSWER_TOKENS
    answers: int = 0
    asks_per_turn: float | None = None

    def words(self) -> str:
        """Where the answers' length comes from."""
        if not self.answers:
            return f"answers are taken to have {ANSWER_TOKENS} tokens; the journal holds too few to say"
        return f"answers have {self.answer_tokens:,.0f} tokens, the mean of {self.answers:,} in the journal"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Sums over the turns of a run; amounts in nano-dollars, each turn asked once but in `worst`.

    Attributes:
        turns: turns to ask for.
        input_tokens: of their prompts.
        cached_tokens: of those, of prefixes that earlier asks began with.
        output_tokens: of the answers.
        online: one by one, if the server's cache holds nothing.
        online_cached: one by one, if it holds every prefix and takes in the rest.
        batch: as batches, which seldom read from a cache.
        worst: the most that it can cost, re-asks included.
        observed: what the figures rest on.
    """

    turns: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    online: int
    online_cached: int
    batch: int
    worst: int
    observed: Observed

    def rows(self) -> list[list[Cell]]:
        """Rows under `HEADERS`, for `curate.report.text_table`."""
        rows = self._asked("", 1.0)
        times = self.observed.asks_per_turn
        if times is not None and times >= _MORE:
            rows += self._asked(f", {times:.2f} asks a turn as so far", times)
        rows.append([f"worst case, {MOST_ASKS} asks a turn", self.turns, None, None, _shown(self.worst)])
        width = max(len(str(row[-1])) for row in rows)
        return [[*row[:-1], str(row[-1]).rjust(width)] for row in rows]

    def notes(self) -> list[str]:
        """What to read with the figures."""
        return [
            self.observed.words(),
            f"a turn whose thought fails the checks is asked for again, up to {MOST_ASKS} asks: at most {MOST_ASKS} "
            "times these figures",
            "the worst case takes each byte of a prompt as a token and each answer at its longest; --budget-usd sets "
            "so much aside for a request while it is on its way",
        ]

    def _asked(self, how_often: str, times: float) -> list[list[Cell]]:
        named = (
            ("online, nothing cached", self.online),
            ("online, prefixes cached", self.online_cached),
            ("batch", self.batch),
        )
        tokens = (round(self.input_tokens * times), round(self.output_tokens * times))
        return [[name + how_often, self.turns, *tokens, _shown(round(amount * times))] for name, amount in named]


def _shown(amount: int) -> str:
    return f"${dollars(amount):,.2f}"


def observed(journal: JournalReader | None, teacher: str) -> Observed:
    """What a journal says about a teacher, whose answers it finds by the model that the server named."""
    if journal is None:
        return Observed()
    model = teacher.partition(":")[2]
    found = [a for name, a in journal.account.answers.items() if name == model or name.startswith(f"{model}-")]
    answers = Answers(sum(a.count for a in found), output=sum(a.output for a in found))
    asks = max(1.0, journal.replies / journal.turns) if journal.turns >= _ENOUGH else None
    if answers.count < _ENOUGH:
        return Observed(asks_per_turn=asks)
    return Observed(answers.output / answers.count, answers.count, asks)


def estimate(
    asks: Iterable[tuple[int, int]],
    price: Price,
    max_tokens: int,
    observed: Observed | None = None,
    bytes_per_token: float = BYTES_PER_TOKEN,
) -> Estimate:
    """Add up what the asks would cost.

    Args:
        asks: (bytes of the prompt, bytes of its prefix that an earlier ask began with) of each turn.
        price: of the teacher.
        max_tokens: most tokens of an answer.
        observed: what the journal says.
        bytes_per_token: see `measured_bytes_per_token`.
    """
    seen = observed or Observed()
    output = min(max_tokens, round(seen.answer_tokens))
    turns = input_tokens = cached_tokens = online = online_cached = batch = worst = 0
    for prompt, prefix in asks:
        tokens, cached = round(prompt / bytes_per_token), round(min(prompt, prefix) / bytes_per_token)
        plain = Usage(tokens, output)
        turns += 1
        input_tokens += tokens
        cached_tokens += cached
        online += price.cost(plain)
        online_cached += price.cost(Usage(tokens, output, cached=cached, written=tokens - cached))
        batch += price.cost(plain, batch=True)
        worst += MOST_ASKS * price.worst(prompt, max_tokens)
    sums = (turns, input_tokens, cached_tokens, turns * output)
    return Estimate(*sums, online, online_cached, batch, worst, seen)


def measured_bytes_per_token(counter: TokenCounter, texts: Sequence[str]) -> float:
    """Bytes of a token in some prompts, by a tokenizer; the usual guess where they are empty."""
    tokens = sum(counter.count(texts))
    return sum(len(text.encode()) for text in texts) / tokens if tokens else BYTES_PER_TOKEN
