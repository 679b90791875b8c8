"""Which chat template a model is trained with, and the texts it makes: of a prompt, of a turn, of what comes between.

A dialogue is rendered piece by piece, each from its own messages alone, so that what stands never changes as more is
added. A template that would change it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Literal, Protocol, TypeAlias

from jinja2 import TemplateError

from curate.errors import UsageError

Form: TypeAlias = Mapping[str, Any]
"""A message of the published form (`curate.trl_form`)."""
Template: TypeAlias = Literal["auto", "qwen3", "chatml", "own"]

_OPEN = "<think>\n"
_KEEP = "{%- set keep_thinking = true -%}"
_OPENED = "{%- set open_thinking = true -%}"
_ASKED: Form = {"role": "user", "content": "What is the time?"}
_SAID: dict[str, Any] = {"role": "assistant", "content": "It is late."}
_THOUGHT: Form = {"role": "assistant", "content": "Noon.", "reasoning_content": "It is noon there."}


class Tokenizer(Protocol):
    """What is used of a transformers tokenizer."""

    chat_template: Any
    eos_token: Any
    eos_token_id: Any

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Token ids of a text."""
        ...

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        """The text of token ids."""
        ...

    def get_added_vocab(self) -> dict[str, int]:
        """Tokens that are never cut, with their ids."""
        ...

    def apply_chat_template(self, messages: Any, **given: Any) -> Any:
        """The text of a dialogue."""
        ...


class ChangesThePast(ValueError):
    """A template renders the beginning of a dialogue otherwise once more is added to it."""


class TemplateRefuses(ValueError):
    """A template does not render a dialogue, e.g. since its roles do not take turns."""


@dataclass(frozen=True)
class ChatFormat:
    """A tokenizer with the template to train with.

    Attributes:
        tokenizer: of the model.
        template: Jinja text; it is what a checkpoint must be saved with (`train.models.load_format`).
        inline: thoughts stand in the content, since the template does not know `reasoning_content`.
    """

    tokenizer: Tokenizer
    template: str
    inline: bool = False
    _control: tuple[str, ...] = field(default=(), repr=False)

    @property
    def end(self) -> str:
        """The text that ends a turn of the model."""
        return str(self.tokenizer.eos_token)

    def prompt(self, messages: Sequence[Form], tools: Sequence[Form]) -> str:
        """The text of a dialogue so far, up to where the model goes on."""
        return self._text(messages, tools, prompt=True)

    def whole(self, messages: Sequence[Form], tools: Sequence[Form]) -> str:
        """The text of a dialogue as the template has it in one go."""
        return self._text(messages, tools)

    def turn(self, message: Form) -> str:
        """What the model says in a turn, up to and with its end.

        Raises:
            ChangesThePast: if it does not go on from what a prompt ends with.
        """
        opening, full = self._text([_ASKED], prompt=True), self._text([_ASKED, message])
        if not full.startswith(opening) or self.end not in full[len(opening) :]:
            raise ChangesThePast("a turn does not go on from the text that the prompt ends with")
        said = full[len(opening) :]
        return said[: said.rindex(self.end) + len(self.end)]

    def between(self, messages: Sequence[Form]) -> str:
        """What comes between two turns of the model: results or a user's words, up to where the model goes on.

        Raises:
            ChangesThePast: if the turn before it is rendered otherwise once they are there.
        """
        calls = [_call_for(form) for form in messages if form["role"] == "tool"]
        turn = _SAID | ({"content": "", "tool_calls": calls} if calls else {})
        before, full = self._text([_ASKED, turn]), self._text([_ASKED, turn, *messages], prompt=True)
        kept = before[: before.rindex(self.end) + len(self.end)]
        if not full.startswith(kept):
            raise ChangesThePast("a turn is rendered otherwise once its results are there")
        return full[len(kept) :]

    def encode(self, text: str) -> list[int]:
        """Token ids of a rendered text."""
        return self.tokenizer.encode(text, add_special_tokens=False)

    def _text(self, messages: Sequence[Form], tools: Sequence[Form] = (), prompt: bool = False) -> str:
        forms = [self._plain(form) for form in messages]
        try:
            text: str = self.tokenizer.apply_chat_template(
                forms,
                tools=list(tools) or None,
                chat_template=self.template,
                add_generation_prompt=prompt,
                tokenize=False,
            )
        except (TemplateError, TypeError) as error:
            raise TemplateRefuses(f"it does not render such a dialogue ({error})") from error
        return text

    def _plain(self, form: Form) -> dict[str, Any]:
        """The message with texts that no template takes for its own marks; thoughts where the template has them."""
        plain = dict(form)
        if form["role"] not in ("system", "developer"):
            for name in ("content", "reasoning_content"):
                if isinstance(plain.get(name), str):
                    plain[name] = self.harmless(plain[name])
        if plain.get("tool_calls"):
            plain["tool_calls"] = [self._harmless_in(call) for call in plain["tool_calls"]]
        if self.inline and plain.get("reasoning_content"):
            plain["content"] = f"<think>\n{plain.pop('reasoning_content')}\n</think>\n\n{plain.get('content') or ''}"
        return plain

    def _harmless_in(self, value: Any) -> Any:
        """A JSON value whose texts are all harmless; arguments of calls hold what users wrote."""
        if isinstance(value, str):
            return self.harmless(value)
        if isinstance(value, Mapping):
            return {self.harmless(str(name)): self._harmless_in(each) for name, each in value.items()}
        return [self._harmless_in(each) for each in value] if isinstance(value, list) else value

    def harmless(self, text: str) -> str:
        """A text in which nothing reads as a mark of the format (`<|im_end|>`): a zero-width space breaks it."""
        for mark in self._control:
            if mark in text:
                text = text.replace(mark, f"{mark[0]}\u200b{mark[1:]}")
        return text


def chat_format(tokenizer: Tokenizer, template: Template = "auto", *, whole_dialogues: bool = False) -> ChatFormat:
    """The format to train a model in.

    Args:
        tokenizer: of the model.
        template: "auto" takes the training form of Qwen3 for a template that agrees with it, else the tokenizer's own
            if what it renders stays; "qwen3" and "chatml" are ours, "own" the tokenizer's.
        whole_dialogues: thoughts of earlier user turns stay in the text.

    Raises:
        UsageError: if the template changes what it rendered, loses thoughts, or the tokenizer lacks its marks.
    """
    if template == "auto":
        template = "qwen3" if _agrees_with_qwen3(tokenizer) else "own" if tokenizer.chat_template else "chatml"
    if template == "own":
        if not tokenizer.chat_template:
            raise UsageError("the tokenizer has no chat template; choose --template chatml or qwen3")
        found = _with(tokenizer, str(tokenizer.chat_template))
    else:
        _need_marks(tokenizer, template)
        text = files("train").joinpath("templates", f"{template}.jinja").read_text()
        opened = template == "qwen3" and _opens_thinking(tokenizer)
        found = _with(tokenizer, (_KEEP if whole_dialogues else "") + (_OPENED if opened else "") + text)
    problem = _problem(found)
    if problem is not None:
        raise UsageError(f"the chat template cannot be trained with: {problem}; choose --template qwen3 or chatml")
    return found


def _with(tokenizer: Tokenizer, template: str) -> ChatFormat:
    control = tuple(sorted(tokenizer.get_added_vocab(), key=lambda mark: (-len(mark), mark)))
    marks = tuple(mark for mark in control if len(mark) > 2 and not mark.isalnum())
    plain = ChatFormat(tokenizer, template, False, marks)
    said = plain.whole([_ASKED, _THOUGHT], ())
    return plain if "It is noon there." in said else ChatFormat(tokenizer, template, True, marks)


def _problem(format: ChatFormat) -> str | None:
    """What is wrong with a template, as one clause; None if nothing is."""
    call = {"id": "call_0", "type": "function", "function": {"name": "clock", "arguments": {"city": "Rom"}}}
    steps: list[Form] = [
        {"role": "assistant", "content": "", "reasoning_content": "It has to be looked up.", "tool_calls": [call]},
        {"role": "tool", "content": "12:00", "tool_call_id": "call_0", "name": "clock"},
        _THOUGHT,
    ]
    try:
        told = format.prompt([_ASKED], []) + format.turn(steps[0]) + format.between(steps[1:2]) + format.turn(steps[2])
    except (ChangesThePast, TemplateRefuses) as error:
        return str(error)
    if not format.whole([_ASKED, *steps], []).startswith(told):
        return "it renders a turn otherwise once more is added"
    if any(thought not in told for thought in ("It has to be looked up.", "It is noon there.")):
        return "it loses the thoughts of a turn"
    return None


def _agrees_with_qwen3(tokenizer: Tokenizer) -> bool:
    """Whether the tokenizer's template says of a turn with a thought what our form of Qwen3's says."""
    if not tokenizer.chat_template or "<|im_start|>" not in tokenizer.get_added_vocab():
        return False
    text = files("train").joinpath("templates", "qwen3.jinja").read_text()
    tool = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}
    given: dict[str, Any] = {"tools": [tool], "tokenize": False}
    ours, theirs = (
        tokenizer.apply_chat_template([_ASKED, _THOUGHT], chat_template=each, **given)
        for each in (text, tokenizer.chat_template)
    )
    return bool(ours == theirs)


def _opens_thinking(tokenizer: Tokenizer) -> bool:
    """Whether the prompt of the tokenizer's own template opens the thinking block."""
    if not tokenizer.chat_template:
        return False
    prompt = tokenizer.apply_chat_template([_ASKED], tokenize=False, add_generation_prompt=True)
    return str(prompt).endswith(_OPEN)


def _need_marks(tokenizer: Tokenizer, template: str) -> None:
    known = tokenizer.get_added_vocab()
    if "<|im_start|>" not in known or "<|im_end|>" not in known:
        raise UsageError(
            f"--template {template} needs a tokenizer with <|im_start|> and <|im_end|>; this one has neither"
        )
    if tokenizer.eos_token != "<|im_end|>":
        raise UsageError(
            f"--template {template} ends turns with <|im_end|>, the tokenizer with {tokenizer.eos_token!r}"
        )


def _call_for(form: Form) -> dict[str, Any]:
    name = form.get("name") or "tool"
    return {"id": form.get("tool_call_id") or "call_0", "type": "function", "function": {"name": name, "arguments": {}}}
