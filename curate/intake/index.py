"""The index: datasketch's MinHashLSH on Redis finds candidates, their texts beside it verify them exactly.

What is guaranteed, for any number of writers on one server: an offer answers from what is in the index at one moment,
and a row enters whole or not at all. A change by another writer in between makes the offer look again (WATCH on a
counter of changes, one MULTI/EXEC), so of two writers that offer the same row, or two rows that are alike and that the
bands find, one alone is told that it is new. A row is refused only for an exact Jaccard with an accepted row.

Nothing is ever unpickled: datasketch would pickle keys on Redis, so it is given bytes with `prepickle=False`, and all
else is stored as UTF-8, JSON or zstd. What the server keeps is as safe as the server: persistence is its setting, and
rows that it forgets (no persistence, eviction) are new again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import orjson
import zstandard

from curate.dedup_text import DEDUP_TEXT_VERSION, View
from curate.errors import UsageError
from curate.intake.bands import Bands
from curate.intake.server import connect, shown, speaking_to
from curate.intake.settings import check_name
from curate.intake.sketch import SCHEME, Sketch, Sketcher
from curate.minhash import PERMUTATIONS, SIGNATURE_VERSION
from curate.neardup_settings import NearDupSettings
from curate.trajectory import Trajectory

INDEX_VERSION = "1"
"""Changes with what is stored, or how."""
_AT_ONCE = 64  # texts of candidates in memory
_TOKEN = 16

AlsoWrite = Callable[[Any], None]
"""Queues more commands into the transaction by which a row enters."""


@dataclass(frozen=True)
class Seen:
    """Why a row is not new.

    Attributes:
        trajectory_id: the accepted row that stands for it; its own where it was accepted before.
        jaccard: exact, of the two texts; None where the row was accepted before, whatever its text is now.
    """

    trajectory_id: str
    jaccard: float | None


class IntakeIndex:
    """An index by name on a Redis server; open it with `open`, one object a thread."""

    def __init__(self, client: Any, url: str, name: str, sketcher: Sketcher, threshold: float) -> None:
        self._redis, self._url = client, url
        self._prefix = f"cacherl:intake:{name}:"
        self._sketcher, self._threshold = sketcher, threshold
        self._bands = Bands(client, self.key("lsh"), threshold, sketcher.permutations)
        self._settings, self._changes = self.key("settings"), self.key("changes")
        self._ids, self._texts, self._exact = self.key("ids"), self.key("texts"), self.key("exact")

    @classmethod
    def open(
        cls, url: str, name: str, threshold: float = 0.8, permutations: int = PERMUTATIONS, view: View = "whole"
    ) -> Self:
        """Open an index, which is made if it does not exist.

        Args:
            url: redis://[USER:PASSWORD@]HOST:PORT/DB, rediss://..., unix://...
            name: letters, digits, `-`, `_`, `.`; several indexes may share a database.
            threshold: Jaccard from which a row is a duplicate.
            permutations: values of a signature, 2 to 1024.
            view: what is compared.

        Raises:
            UsageError: if a value cannot be right, the server does not answer, or the index has other settings.
        """
        check_name(name)
        NearDupSettings(threshold, view, permutations).check()
        if permutations < 2:
            raise UsageError("permutations is 1; the index needs at least 2")
        client = connect(url)
        with speaking_to(url):
            index = cls(client, url, name, Sketcher(view, permutations), threshold)
            index._agree(name)
        return index

    def offer(self, row: Trajectory, also: AlsoWrite | None = None) -> Seen | None:
        """Accept a row if nothing like it was accepted before.

        Rows without words are like nothing; they are accepted, once an id.

        Args:
            row: its trajectory_id and messages are read.
            also: queues what shall be written together with the row, if it is accepted.

        Returns:
            What it is like: the highest Jaccard, then the first id; None if it is new, and now accepted.

        Raises:
            UsageError: if the server does not answer, or the index was deleted meanwhile.
        """
        key = _key_of(row["trajectory_id"])
        sketch, token = self._sketcher(row), os.urandom(_TOKEN)
        with speaking_to(self._url):
            while True:
                done, seen = self._try(key, sketch, token, also)
                if done:
                    return seen

    def remove(self, trajectory_id: str) -> bool:
        """Forget an accepted row, so that it is new again; False if there is no such row."""
        key = _key_of(trajectory_id)
        with speaking_to(self._url):
            while True:
                with self._redis.pipeline() as pipe:
                    pipe.watch(self._changes)
                    fact = self._redis.hget(self._ids, key)
                    if fact is None:
                        return False
                    exact = fact[_TOKEN:]
                    stands = exact and self._redis.hget(self._exact, exact) == key
                    self._bands.queue_into(pipe)
                    buckets = self._bands.buckets_of(key)
                    pipe.multi()
                    pipe.incr(self._changes)
                    pipe.hdel(self._ids, key)
                    pipe.hdel(self._texts, key)
                    if stands:
                        pipe.hdel(self._exact, exact)
                    self._bands.drop(key, buckets)
                    if self._executed(pipe):
                        return True

    def __len__(self) -> int:
        with speaking_to(self._url):
            return int(self._redis.hlen(self._ids))

    def key(self, part: str) -> str:
        """The Redis key of a part of the index."""
        return self._prefix + part

    @property
    def client(self) -> Any:
        """The client, for what stands beside the index."""
        return self._redis

    @property
    def url(self) -> str:
        """Where the index is, with its password."""
        return self._url

    def _agree(self, name: str) -> None:
        """Leave our settings with a new index, or compare them with those of an old one."""
        ours = {
            "index_version": INDEX_VERSION,
            "threshold": self._threshold,
            "permutations": self._sketcher.permutations,
            "view": self._sketcher.view,
            "text_version": DEDUP_TEXT_VERSION,
            "shingle_version": SIGNATURE_VERSION,
            "scheme": SCHEME,
            "bands": list(self._bands.cut),
        }
        self._redis.set(self._settings, orjson.dumps(ours), nx=True)
        theirs = _settings_of(self._redis.get(self._settings))
        for what, value in ours.items():
            if theirs.get(what) != value:
                raise UsageError(
                    f"the index {name} at {shown(self._url)} was made with {what} {theirs.get(what)}, not {value}; "
                    "open it with its own settings, or choose another name"
                )

    def _try(self, key: bytes, sketch: Sketch, token: bytes, also: AlsoWrite | None) -> tuple[bool, Seen | None]:
        """One attempt at an offer: (whether it was decided, what was seen)."""
        with self._redis.pipeline() as pipe:
            pipe.watch(self._changes, self._settings)
            known, fact, same = self._first_look(key, sketch)
            if not known:
                raise UsageError(f"the index at {shown(self._url)} was deleted while it was in use; run again")
            if fact is not None:  # our own token: the server took the row, and its answer was lost
                return True, None if fact[:_TOKEN] == token else Seen(key.decode(), None)
            if same is not None and self._text_of(same) == sketch.text:
                return True, Seen(same.decode(), 1.0)
            seen = self._most_alike(sketch)
            if seen is not None:
                return True, seen
            self._bands.queue_into(pipe)
            pipe.multi()
            self._enter(pipe, key, sketch, token)
            if also is not None:
                also(pipe)
            return self._executed(pipe), None

    def _first_look(self, key: bytes, sketch: Sketch) -> tuple[int, bytes | None, bytes | None]:
        """Whether the index exists, what is known of the id, and which row may have the very same text."""
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.exists(self._settings)
            pipe.hget(self._ids, key)
            if len(sketch.hashes):
                pipe.hget(self._exact, sketch.exact_key)
            found = pipe.execute()
        return found[0], found[1], found[2] if len(found) > 2 else None

    def _text_of(self, key: bytes) -> str | None:
        stored = self._redis.hget(self._texts, key)
        return None if stored is None else _unpacked(stored)

    def _most_alike(self, sketch: Sketch) -> Seen | None:
        """The accepted row of the highest exact Jaccard, if that is high enough."""
        if not len(sketch.hashes):
            return None
        best: tuple[float, bytes] | None = None
        candidates = self._bands.candidates(sketch)
        for first in range(0, len(candidates), _AT_ONCE):
            part = candidates[first : first + _AT_ONCE]
            stored = zip(part, self._redis.hmget(self._texts, part), strict=True)
            # Without its text a candidate cannot be verified, so nothing is refused for it.
            texts = [(key, _unpacked(text)) for key, text in stored if text is not None]
            values = sketch.jaccards([text for _, text in texts])
            for value, (key, _) in zip(values, texts, strict=True):
                if value >= self._threshold and (best is None or (-value, key) < (-best[0], best[1])):
                    best = (value, key)
        return None if best is None else Seen(best[1].decode(), best[0])

    def _enter(self, pipe: Any, key: bytes, sketch: Sketch, token: bytes) -> None:
        """Queue the row."""
        worded = bool(len(sketch.hashes))
        pipe.incr(self._changes)
        pipe.hset(self._ids, key, token + (sketch.exact_key if worded else b""))
        if worded:
            pipe.hset(self._texts, key, zstandard.compress(sketch.text.encode()))
            pipe.hset(self._exact, sketch.exact_key, key)
            self._bands.add(key, sketch)

    def _executed(self, pipe: Any) -> bool:
        """Whether the transaction was done; not if another writer changed the index."""
        from redis import WatchError

        try:
            pipe.execute()
        except WatchError:
            return False
        return True


def _unpacked(stored: bytes) -> str:
    return zstandard.decompress(stored).decode()


def _settings_of(stored: bytes | None) -> dict[str, Any]:
    try:
        found = orjson.loads(stored or b"")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _key_of(trajectory_id: str) -> bytes:
    if not trajectory_id:
        raise UsageError("a row without trajectory_id cannot be told from others; give each its own")
    return trajectory_id.encode()
