"""Asks packed into batches: by the vendor's limits, and by what fits under the budget."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import xxhash

from synth.asking.asker import body_bytes
from synth.teachers.asks import Ask

if TYPE_CHECKING:
    from synth.prices import Price
    from synth.teachers.asks import BatchApi

BREATH = 64
"""Asks between two moments in which a signal can be heard: making one may take a millisecond."""
BODY_BYTES = 1024
"""Room that a batch's own frame may take."""


@dataclass
class Pack:
    """Asks for one batch.

    Attributes:
        asks: with distinct keys.
        worst: nano-dollars that they cannot exceed together.
        most: the same of the dearest one.
        money: whether it holds no more because no more fits under the budget.
    """

    asks: list[Ask] = field(default_factory=list)
    worst: int = 0
    most: int = 0
    money: bool = False

    def halves(self, worst: Worst) -> Iterator[Pack]:
        """The pack as two."""
        middle = len(self.asks) // 2
        for asks in (self.asks[:middle], self.asks[middle:]):
            each = [worst.of(ask) for ask in asks]
            yield Pack(asks, sum(each), max(each), self.money)


@dataclass(frozen=True)
class Worst:
    """The most that an ask can cost in a batch.

    Attributes:
        price: of the teacher.
        max_tokens: of an answer, where the body does not say.
    """

    price: Price
    max_tokens: int

    def of(self, ask: Ask) -> int:
        """Nano-dollars."""
        said = (ask.body.get(name) for name in ("max_completion_tokens", "max_tokens"))
        tokens = max((count for count in said if isinstance(count, int)), default=self.max_tokens)
        return self.price.worst(body_bytes(ask), tokens, batch=True)


class Packer:
    """Takes asks one after the other and packs them.

    Args:
        asks: of a round; of those with the same key the first is taken.
        api: whose limits hold.
        worst: what an ask may cost.
    """

    def __init__(self, asks: Iterable[Ask], api: BatchApi, worst: Worst) -> None:
        self._asks = iter(asks)
        self._api = api
        self._worst = worst
        self._seen: set[int] = set()
        self._back: list[Ask] = []

    async def pack(self, most_asks: int, room: int | None) -> Pack:
        """The next asks; empty if there are none left, or if `money` says that not even one fits.

        Args:
            most_asks: that it may hold.
            room: nano-dollars that it may cost; None for no bound.
        """
        pack, size = Pack(), BODY_BYTES
        while len(pack.asks) < min(most_asks, self._api.max_asks):
            ask = self._next()
            if ask is None:
                break
            worst, more = self._worst.of(ask), self._api.size(ask)
            pack.money = room is not None and pack.worst + worst > room
            if pack.money or (pack.asks and size + more > self._api.max_bytes):
                self._back.append(ask)
                break
            pack.asks.append(ask)
            pack.worst, pack.most, size = pack.worst + worst, max(pack.most, worst), size + more
            if len(pack.asks) % BREATH == 0:
                await asyncio.sleep(0)
        return pack

    def put_back(self, pack: Pack) -> None:
        """Take a pack apart again; its asks come next."""
        self._back.extend(reversed(pack.asks))

    def least(self) -> int | None:
        """What the next ask may cost, in nano-dollars; None if there is none."""
        ask = self._next()
        if ask is None:
            return None
        self._back.append(ask)
        return self._worst.of(ask)

    def _next(self) -> Ask | None:
        if self._back:
            return self._back.pop()
        for ask in self._asks:
            name = xxhash.xxh3_64_intdigest(ask.key.encode())
            if name not in self._seen:
                self._seen.add(name)
                return ask
        return None
