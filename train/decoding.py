"""Sampling from a transformers model, turn by turn, without reading a rollout's past again at each turn.

A rollout's prompt is its past and what was put in since: keys and values of the past are kept from turn to turn, so a
turn costs its own tokens alone. `train.local` and `train.generation` both speak through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        end: id of the token that ends a turn.
        pad: id that fills up.
        temperature: 0 takes the likeliest token.
        held_back: ids that may not come before the least number of tokens, beside the end.
    """

    end: int
    pad: int
    temperature: float = 1.0
    held_back: tuple[int, ...] = ()

    @classmethod
    def of(cls, tokenizer: Any, temperature: float) -> Sampling:
        """As a tokenizer of transformers has its marks; one without a token to fill up fills up with its end."""
        end, pad, call_mark = tokenizer.eos_token_id, tokenizer.pad_token_id, call_mark_of(tokenizer)
        return cls(end, end if pad is None else pad, temperature, () if call_mark is None else (call_mark,))


def call_mark_of(tokenizer: Any) -> int | None:
    """Id of the token that begins a call; None if it is no token of its own."""
    mark: int | None = tokenizer.get_added_vocab().get("<tool_call>")
    return mark


class Sampler:
    """Lets a causal language model speak; remembers the rollouts of its last call.

    A model that is not all full attention (windows, running states) reads each prompt from its start: it would count
    the holes that other rollouts leave in a row.

    Args:
        sampling: how tokens are drawn.

    Attributes:
        read: columns times rollouts that went through the model so far.
    """

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._held: _Held | None = None
        self.read = 0

    def turns(self, model: Any, prompts: Sequence[list[int]], least: int, most: Sequence[int]) -> list[list[int]]:
        """One turn for each prompt, up to and with the token that ends it.

        Args:
            model: a transformers causal language model; its weights must not have changed since the last call if a
                prompt goes on from a rollout of that call (call `forget`, or make a sampler for each step).
            prompts: token ids; those that go on from rollouts of the last call stand in the same order.
            least: no turn ends, and none of `held_back` comes, before so many tokens.
            most: the most tokens of each turn, at least 1.
        """
        with torch.no_grad():
            held = self._resumed(model, prompts)
            return self._spoken(model, held, least, torch.tensor(list(most), device=held.device))

    def forget(self) -> None:
        """Let go of what is remembered."""
        self._held = None

    def _resumed(self, model: Any, prompts: Sequence[list[int]]) -> _Held:
        """What is held of the prompts; what is new of them waits to be read."""
        held, self._held = self._held, None
        kept = None if held is None else _goes_on(held.tokens, prompts)
        if held is None or kept is None:
            del held  # before the next ones need its room
            cache, lasting = _empty_cache(model)
            held = _Held(model.device, len(prompts), cache)
        else:
            lasting = True
            held.select(kept)
            held.close_up()
        self._held = held if lasting else None
        held.wait(prompts)
        return held

    def _spoken(self, model: Any, held: _Held, least: int, most: torch.Tensor) -> list[list[int]]:
        rule, said = self._sampling, [list[int]() for _ in held.tokens]
        ends = _ends(model, rule.end)
        last = torch.tensor(ends, device=held.device)
        open_rows = torch.ones(len(said), dtype=torch.bool, device=held.device)
        columns = []
        for number in range(int(most.max())):
            logits = self._read(model, held)
            if number < least:
                logits[:, [*ends, *rule.held_back]] = -torch.inf
            drawn = _drawn(logits, rule.temperature)
            columns.append(torch.where(open_rows, drawn, -1))
            held.say(drawn, open_rows)
            open_rows = open_rows & ~torch.isin(drawn, last) & (number + 1 < most)
            if not bool(open_rows.any()):
                break
        for row, ids in enumerate(torch.stack(columns, 1).tolist()):
            said[row] = ids[: ids.index(-1)] if -1 in ids else ids
            held.tokens[row] += said[row]
        return said

    def _read(self, model: Any, held: _Held) -> torch.Tensor:
        """Put what waits through the model; returns the logits of what comes next, shape (rollouts, vocabulary)."""
        ids, there, positions = held.taken(self._sampling.pad)
        self.read += int(ids.numel())
        found = model(
            input_ids=ids,
            attention_mask=there,
            position_ids=positions,
            past_key_values=held.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = found.logits[:, -1].float()
        return logits


class _Held:
    """Rollouts whose keys and values are kept.

    A row of the cache has holes where other rollouts said more; the mask says where.

    Attributes:
        device: of the tensors.
        cache: keys and values.
        tokens: known of each rollout; the first of them are in the cache, the others wait to be read.
    """

    def __init__(self, device: Any, count: int, cache: Cache) -> None:
        self.device = device
        self.cache = cache
        self.tokens: list[list[int]] = [[] for _ in range(count)]
        self._there = torch.zeros((count, 0), dtype=torch.long, device=device)
        self._in_cache = torch.zeros(count, dtype=torch.long, device=device)
        self._waiting: tuple[torch.Tensor, torch.Tensor] | None = None

    def select(self, rows: Sequence[int]) -> None:
        """Keep some rollouts alone."""
        if list(rows) == list(range(len(self.tokens))):
            return
        index = torch.tensor(list(rows), device=self.device)
        self.cache.batch_select_indices(index)
        self.tokens = [self.tokens[row] for row in rows]
        self._there, self._in_cache = self._there[index], self._in_cache[index]

    def close_up(self) -> None:
        """Close the holes where they take more room than what is held: a long result is a hole in all other rows."""
        longest = int(self._in_cache.max())
        if self._there.shape[1] <= 2 * longest:
            return
        columns = self._there.sort(dim=1, stable=True).indices[:, -longest:]
        for layer in self.cache.layers:
            assert isinstance(layer, RoomyLayer), "no other cache lasts"
            layer.take_columns(columns)
        self._there = self._there.gather(1, columns)

    def wait(self, prompts: Sequence[list[int]]) -> None:
        """What is new of the prompts is to be read next, right-aligned so that each ends in the last column."""
        new = [prompt[read:] for prompt, read in zip(prompts, self._in_cache.tolist(), strict=True)]
        self.tokens = [list(prompt) for prompt in prompts]
        width = max(map(len, new))
        ids = [[0] * (width - len(some)) + some for some in new]
        there = [[0] * (width - len(some)) + [1] * len(some) for some in new]
        self._waiting = torch.tensor(ids, device=self.device), torch.tensor(there, device=self.device)

    def say(self, drawn: torch.Tensor, open_rows: torch.Tensor) -> None:
        """A token of each rollout that still speaks is to be read next."""
        self._waiting = drawn[:, None], open_rows[:, None].long()

    def taken(self, pad: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(ids, mask of all columns, positions) of what waits."""
        assert self._waiting is not None, "nothing waits"
        ids, there = self._waiting
        positions = (self._in_cache[:, None] + there.cumsum(1) - 1).clamp(min=0)
        self._in_cache = self._in_cache + there.sum(1)
        self._there = torch.cat([self._there, there], 1)
        return torch.where(there.bool(), ids, pad), self._there, positions


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values in a buffer with room to grow: a further token does not copy those before it."""

    _room = 64

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        """Add keys and values, shape (rollouts, heads, new tokens, size); returns all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._used, shape = 0, list(key_states.shape)
            self._buffers = [
                key_states.new_empty([*shape[:2], 0, each.shape[-1]]) for each in (key_states, value_states)
            ]
        start, self._used = self._used, self._used + key_states.shape[-2]
        for at, new in enumerate((key_states, value_states)):
            buffer = self._buffers[at]
            if self._used > buffer.shape[-2]:
                room = new.new_empty([*new.shape[:2], max(self._used + self._room, 2 * start), new.shape[-1]])
                room[:, :, :start] = buffer[:, :, :start]
                self._buffers[at] = buffer = room
            buffer[:, :, start : self._used] = new
        self.keys, self.values = (buffer[:, :, : self._used] for buffer in self._buffers)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep some rollouts alone."""
        if self.is_initialized:
            self._buffers = [buffer[indices] for buffer in self._buffers]
            self.keys, self.values = (buffer[:, :, : self._used] for buffer in self._buffers)

    def take_columns(self, columns: torch.Tensor) -> None:
        """Keep some columns of each rollout, shape (rollouts, columns)."""
        where = columns[:, None, :, None]
        self._buffers = [
            buffer.gather(2, where.expand(-1, buffer.shape[1], -1, buffer.shape[-1])) for buffer in self._buffers
        ]
        self._used = columns.shape[1]
        self.keys, self.values = self._buffers


def _empty_cache(model: Any) -> tuple[Cache, bool]:
    """A cache, and whether holes in it do no harm, so that it can last from turn to turn."""
    usual = DynamicCache(config=model.config)
    if all(type(layer) is DynamicLayer for layer in usual.layers):
        return Cache(layer_class_to_replicate=RoomyLayer), True
    return usual, False


def _ends(model: Any, end: int) -> list[int]:
    """Ids behind which nothing is said: the end of a turn, and those that the model itself ends texts with."""
    config = getattr(model, "generation_config", None)
    told = getattr(config, "eos_token_id", None)
    known = told if isinstance(told, list) else [] if told is None else [told]
    return sorted({end, *known})


def _drawn(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    if not temperature:
        return logits.argmax(-1)
    return torch.multinomial(torch.softmax(logits / temperature, -1), 1)[:, 0]


def _goes_on(known: Sequence[list[int]], prompts: Sequence[list[int]]) -> list[int] | None:
    """Of each prompt, which known rollout it goes on from, in their order; None if one goes on from none."""
    found, at = [], 0
    for prompt in prompts:
        while at < len(known) and (len(known[at]) >= len(prompt) or prompt[: len(known[at])] != known[at]):
            at += 1
        if at == len(known):
            return None
        found.append(at)
        at += 1
    return found
