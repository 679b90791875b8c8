"""What takes long to find in a large library, found once: it is the same as long as the library is open."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")
MOST = 8
"""Answers that are kept of one library; the oldest goes."""
_kept: WeakKeyDictionary[Any, OrderedDict[Hashable, Any]] = WeakKeyDictionary()


def once(library: object, question: Hashable, answer: Callable[[], T]) -> T:
    """The answer to a question about a library; found now, or remembered."""
    known = _kept.setdefault(library, OrderedDict())
    if question not in known:
        known[question] = answer()
        while len(known) > MOST:
            known.popitem(last=False)
    found: T = known[question]
    return found
