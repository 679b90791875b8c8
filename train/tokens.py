"""From a row to token ids: what SFT trains on and what a rollout starts from, made by one renderer.

A dialogue of k user turns is k examples: the history without its thoughts, then this turn's steps with theirs. Each
piece (prompt, turn, what comes between) is tokenised by itself, as a rollout does it, so both have the same ids.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from curate.trajectory import Trajectory
from curate.trl_form import training_row
from train.chat_format import ChangesThePast, ChatFormat, Form, TemplateRefuses
from train.settings import TokenSettings
from train.think_calls import without_think_calls

IGNORED = -100
"""Label of a token that is not trained (torch's cross entropy leaves it out)."""
_REMEMBERED = 4_096


@dataclass(frozen=True, slots=True)
class Part:
    """One user turn of a dialogue: what comes before the model's first step, and the steps with their results.

    Attributes:
        message_index: of the user message it answers; -1 where the whole dialogue is one part.
        history: messages of the published form, their thoughts left out.
        steps: the messages behind it.
        trained: of each step, whether it is a turn to be trained on.
        tools: the row's schemas.
    """

    message_index: int
    history: list[Form]
    steps: list[Form]
    trained: list[bool]
    tools: list[Form]


@dataclass(frozen=True, slots=True)
class Piece:
    """Token ids that belong together; `said` by the model, `trained` if their loss counts."""

    ids: list[int]
    said: bool
    trained: bool


@dataclass(frozen=True, slots=True)
class Example:
    """One example of SFT.

    Attributes:
        trajectory_id: of the row.
        message_index: of the user message.
        pieces: prompt, turn, what comes between, turn, ...: the last one is a turn.
    """

    trajectory_id: str
    message_index: int
    pieces: tuple[Piece, ...]

    @property
    def input_ids(self) -> list[int]:
        """All token ids, shape (length,)."""
        return [token for piece in self.pieces for token in piece.ids]

    @property
    def labels(self) -> list[int]:
        """Token ids where they are trained, else -100, shape (length,)."""
        return [token if piece.trained else IGNORED for piece in self.pieces for token in piece.ids]


@dataclass
class Renderer:
    """Rows to examples and prompts.

    Attributes:
        format: the chat format.
        settings: how rows are cut.
        counts: what was left out, cut or made harmless, by reason.
    """

    format: ChatFormat
    settings: TokenSettings = field(default_factory=TokenSettings)
    counts: Counter[str] = field(default_factory=Counter)
    _known: dict[str, array[int]] = field(default_factory=dict, repr=False)

    def examples(self, row: Trajectory) -> Iterator[Example]:
        """The examples of a row; what gives none is counted."""
        for part in self.parts(row):
            if not any(part.trained):
                self.counts["no_trained_turn"] += 1
                continue
            try:
                pieces = self._cut(self.pieces(part))
            except ChangesThePast:
                self.counts["template_changes_the_past"] += 1
                continue
            except TemplateRefuses:
                self.counts["template_refuses"] += 1
                continue
            if not any(piece.trained for piece in pieces):
                self.counts["too_long"] += 1
                continue
            self.counts["examples"] += 1
            yield Example(row["trajectory_id"], part.message_index, tuple(pieces))

    def parts(self, row: Trajectory) -> Iterator[Part]:
        """The user turns of a row, as the settings want them."""
        return parts(row, self.settings.dialogue, drop_think_calls=self.settings.drop_think_calls)

    def prompt(self, part: Part) -> list[int]:
        """Token ids of the history, up to where the model goes on."""
        return self.format.encode(self.format.prompt(part.history, part.tools))

    def between(self, forms: Sequence[Form]) -> list[int]:
        """Token ids of what comes between two turns of the model; the rollouts of a group see much of it alike."""
        key = repr(forms)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = array("i", self.format.encode(self.format.between(forms)))  # a ninth of a list's room
        return list(self._known[key])

    def pieces(self, part: Part) -> list[Piece]:
        """The whole part, uncut; it ends with its last turn.

        Raises:
            ChangesThePast: if the template renders the whole otherwise than its pieces.
            TemplateRefuses: if it does not render it at all.
        """
        texts = [(self.format.prompt(part.history, part.tools), False, False)]
        at = 0
        for is_turn, group in groupby(part.steps, key=lambda form: form["role"] == "assistant"):
            forms = list(group)
            if is_turn:
                texts += self._turns(forms, part.trained[at : at + len(forms)])
            elif at + len(forms) < len(part.steps):
                texts.append((self.format.between(forms), False, False))
            at += len(forms)
        told = "".join(text for text, _, _ in texts)
        if not self.format.whole([*part.history, *part.steps], part.tools).startswith(told):
            raise ChangesThePast("the whole dialogue is rendered otherwise than its pieces")
        return [Piece(self.format.encode(text), said, trained) for text, said, trained in texts]

    def _turns(self, forms: Sequence[Form], trained: Sequence[bool]) -> Iterator[tuple[str, bool, bool]]:
        """Turns that follow each other without anything between them (two texts in a row)."""
        for number, (form, is_trained) in enumerate(zip(forms, trained, strict=True)):
            if number:
                yield self.format.between([]), False, False
            yield self.format.turn(form), True, is_trained

    def _cut(self, pieces: list[Piece]) -> list[Piece]:
        """The pieces up to the last turn that fits; never half a turn."""
        length, kept = 0, 0
        for number, piece in enumerate(pieces, 1):
            length += len(piece.ids)
            if length > self.settings.max_length:
                self.counts["cut_at_a_turn"] += kept > 0
                return pieces[:kept]
            kept = number if piece.said else kept
        return pieces


def parts(
    row: Trajectory, dialogue: Literal["split", "whole"] = "split", *, drop_think_calls: bool = False
) -> Iterator[Part]:
    """The user turns of a row that the model answers; a turn before the first user message belongs to none."""
    kept = without_think_calls(row["messages"]) if drop_think_calls else list(enumerate(row["messages"]))
    messages = [message for _, message in kept]
    form = training_row(row | {"messages": messages})
    forms: list[Form] = form["messages"]
    trained = [message["role"] == "assistant" and message["train"] for message in messages]
    asked = [at for at, message in enumerate(messages) if message["role"] == "user"]
    if dialogue == "whole":
        if asked:
            start = asked[0] + 1
            yield Part(-1, _thoughtless(forms[:start]), forms[start:], trained[start:], form["tools"])
        return
    for begin, end in zip(asked, [*asked[1:], len(forms)], strict=True):
        steps = forms[begin + 1 : end]
        if any(step["role"] == "assistant" for step in steps):
            history = _thoughtless(forms[: begin + 1])
            yield Part(kept[begin][0], history, steps, trained[begin + 1 : end], form["tools"])


def _thoughtless(forms: Sequence[Form]) -> list[Form]:
    return [{name: value for name, value in form.items() if name != "reasoning_content"} for form in forms]
