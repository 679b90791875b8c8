"""Password hashes: scrypt with its salt and cost in the hash, so that the cost can rise without a new password."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass

from curate.errors import UsageError

SHORTEST, LONGEST = 8, 1024


@dataclass(frozen=True)
class Cost:
    """Parameters of scrypt (RFC 7914); memory is 128 * n * r bytes."""

    n: int = 2**15
    r: int = 8
    p: int = 3


COST = Cost()
"""One of the equal choices of OWASP's password storage cheat sheet: 32 MiB."""


def hashed(password: str) -> str:
    """What is stored of a password.

    Raises:
        UsageError: if it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(f"a password has {SHORTEST} to {LONGEST:,} characters, not {len(password):,}")
    salt = secrets.token_bytes(16)
    parts = ("scrypt", str(COST.n), str(COST.r), str(COST.p), _text(salt), _text(_digest(password, salt, COST)))
    return "$".join(parts)


def matches(password: str, stored: str | None) -> bool:
    """Whether a password is the stored one; takes as long for a wrong one, and where none is stored."""
    if stored is None or len(password) > LONGEST:
        _digest("", bytes(16), COST)
        return False
    _, n, r, p, salt, digest = stored.split("$")
    found = _digest(password, base64.b64decode(salt), Cost(int(n), int(r), int(p)))
    return hmac.compare_digest(found, base64.b64decode(digest))


def _digest(password: str, salt: bytes, cost: Cost) -> bytes:
    text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    memory = 2 * 128 * cost.n * cost.r
    return hashlib.scrypt(text, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=memory, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
