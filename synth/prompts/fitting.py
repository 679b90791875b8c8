"""A dialogue that is too long for a prompt, shortened where it hurts least."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from synth.prompts.dialogue import Shown

CAPS = (32_000, 16_000, 8_000, 4_000, 2_000, 1_000, 500, 250, 120)
"""Characters that a text is shortened to; few steps, so that the prompt's prefix rarely changes as a dialogue grows."""
RECENT = 4
"""The latest messages stay whole as long as older ones can be shortened."""


def fitted(messages: Sequence[Shown], room: int, recent: int = RECENT) -> list[str]:
    """The messages' texts, together at most `room` characters.

    The longest old tool results are shortened first, as little as is enough; then other old messages, the instructions
    and the first user message excepted; then every text; at last old messages are left out, which one line says.
    """
    kept = _opening(messages)
    old = len(messages) - recent
    stages: tuple[Callable[[int], bool], ...] = (
        lambda at: at < old and messages[at].role == "tool",
        lambda at: at < old and at not in kept,
        lambda at: True,
    )
    caps: list[int | None] = [None] * len(messages)
    for may in stages:
        places = [at for at in range(len(messages)) if may(at)]
        at = bisect_left(CAPS, True, key=lambda cap: _size(messages, _capped(caps, places, cap)) <= room)
        caps = _capped(caps, places, CAPS[min(at, len(CAPS) - 1)])
        if at < len(CAPS):
            return [message.text(cap) for message, cap in zip(messages, caps, strict=True)]
    return _without_middle([message.text(CAPS[-1]) for message in messages], len(kept), room)


def _opening(messages: Sequence[Shown]) -> range:
    """Places of the instructions and the first user message."""
    first = next((at for at, message in enumerate(messages) if message.role == "user"), -1)
    return range(first + 1)


def _capped(caps: Sequence[int | None], places: Sequence[int], cap: int) -> list[int | None]:
    """The caps with a new one in these places."""
    new = list(caps)
    for at in places:
        new[at] = cap
    return new


def _size(messages: Sequence[Shown], caps: Sequence[int | None]) -> int:
    return sum(message.size(cap) + 2 for message, cap in zip(messages, caps, strict=True))


def _without_middle(texts: list[str], opening: int, room: int) -> list[str]:
    """The opening and as many of the latest messages as fit."""
    sizes = [len(text) + 2 for text in texts]
    if sum(sizes[:opening]) > room // 2:
        opening = 0
    left = room - sum(sizes[:opening]) - 60
    start = len(texts)
    while start > opening and sizes[start - 1] <= left:
        start -= 1
        left -= sizes[start]
    return [*texts[:opening], f"... {start - opening:,} messages left out ...", *texts[start:]]
