"""The Redis server of an index: how it is reached, and how it is spoken of without its password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from curate.errors import UsageError

_SCHEMES = ("redis", "rediss", "unix")
_FORM = "write redis://[USER:PASSWORD@]HOST:PORT/DB, rediss:// for TLS, or unix:///PATH/TO/SOCKET"
_TRIES = 3
_SECONDS = 30


def shown(url: str) -> str:
    """The URL for messages: no password, and nothing behind a question mark, where one may stand too.

    Raises:
        UsageError: if it is no URL of a Redis server; the message holds no part of it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a password with a slash reads like a port: the error's text would show it
        raise UsageError(f"the index's URL cannot be read; {_FORM}, a password percent-encoded") from None
    if parts.scheme not in _SCHEMES or not (parts.hostname or parts.scheme == "unix"):
        raise UsageError(f"the index's URL is not of a Redis server; {_FORM}")
    if parts.scheme != "unix" and not re.fullmatch(r"(/[0-9]*)?", parts.path):
        raise UsageError(f"the index's URL ends in no number of a database; {_FORM}")
    user = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{parts.hostname or ''}{f':{port}' if port else ''}{parts.path}"


def connect(url: str) -> Any:
    """A client of the server (`redis.Redis`); it connects when it is first used.

    Raises:
        UsageError: if the URL is none, or the package `redis` is missing.
    """
    shown(url)
    try:
        import redis
        from redis.backoff import ExponentialBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise UsageError("the intake index needs redis; pip install 'cacherl[intake]'") from error
    try:
        pool = redis.ConnectionPool.from_url(url)
    except ValueError:
        raise UsageError(f"the index's URL cannot be read; {_FORM}, DB a number") from None
    pool.connection_kwargs.update(
        decode_responses=False,
        socket_connect_timeout=5,
        socket_timeout=_SECONDS,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), _TRIES),
    )
    return redis.Redis(connection_pool=pool)


@contextmanager
def speaking_to(url: str) -> Iterator[None]:
    """Errors of the server as what the user can mend.

    Raises:
        UsageError: naming the URL without its password.
    """
    import redis

    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        refused = isinstance(error, redis.AuthenticationError)
        remedy = "check its user and password" if refused else "start the server, then run the same command again"
        raise UsageError(f"no answer from the index at {shown(url)} ({_cause(error, url)}); {remedy}") from error
    except redis.RedisError as error:
        raise UsageError(f"the index at {shown(url)} refused: {_cause(error, url)}") from error


def _cause(error: Exception, url: str) -> str:
    """What the error says, on one line of bounded length; servers may repeat what they were sent, a password too."""
    text = " ".join(str(error).split()).partition(", with args")[0]
    password = urlsplit(url).password
    for secret in {password, unquote(password)} if password else ():
        text = text.replace(secret, "***")
    return text[:200].rstrip(".") or type(error).__name__
