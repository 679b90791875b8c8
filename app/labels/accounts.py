"""Who labels: accounts with a password or an OIDC subject, sessions as hashed tokens, delays after wrong passwords."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import sqlalchemy as sa

from app.labels.database import Database
from app.labels.events import now
from app.labels.passwords import hashed, matches
from app.labels.tables import accounts, sessions
from curate.errors import UsageError

Role: TypeAlias = Literal["annotator", "lead"]
ROLES: tuple[Role, ...] = ("annotator", "lead")
LONGEST_NAME = 64
FREE_FAILURES = 3
"""Wrong passwords in a row before the account makes its visitor wait."""
LONGEST_WAIT = 900
"""Seconds; each further wrong password doubles the wait, up to this."""
SESSION_DAYS = 30
_SECOND = 1_000_000


@dataclass(frozen=True)
class Annotator:
    """A person with an account.

    Attributes:
        name: as it stands in the labels.
        role: a lead sees everything and adjudicates.
    """

    name: str
    role: Role = "annotator"


class Accounts(Database):
    """The accounts of a database; an account that was removed keeps its name, which stands in labels."""

    def add_annotator(self, name: str, password: str | None, role: Role = "annotator") -> Annotator:
        """Make an account; without a password nobody can sign in to it by one.

        Raises:
            UsageError: if the name is taken or none, the password is too short, or the role unknown.
        """
        name, stored = proper_name(name), None if password is None else hashed(password)
        if role not in ROLES:
            raise UsageError(f"role {role!r} is neither {' nor '.join(ROLES)}")
        with self.writing() as connection:
            stands = _by_name(connection, name)
            if stands is not None and stands.removed:
                raise UsageError(f"{stands.name} was removed, and labels stand under that name; choose another")
            if stands is not None:
                raise UsageError(f"there is an account {stands.name} already; choose another name")
            _add(connection, name, role, password=stored)
        return Annotator(name, role)

    def by_subject(self, issuer: str, subject: str, name: str, *, make: bool = True) -> Annotator:
        """The account of an OIDC subject, made when it comes for the first time.

        Args:
            issuer: who vouches, e.g. https://accounts.example.org.
            subject: whom, by the issuer's own id.
            name: what the issuer calls them; where another account has that name, a number is put to it.
            make: whether who comes for the first time gets an account.

        Raises:
            UsageError: if the account was removed, may not be made, or the issuer gave no subject.
        """
        if not issuer or not subject:
            raise UsageError("the sign-in gave no issuer or no subject; check its configuration")
        known = sa.select(accounts).where(accounts.c.issuer == issuer, accounts.c.subject == subject)
        with self.reading() as connection:
            row = connection.execute(known).one_or_none()
        if row is None and not make:
            raise UsageError(f"{name} has no account here, and new ones are not made on the page")
        if row is None:
            with self.writing() as connection:
                row = connection.execute(known).one_or_none()
                if row is None:
                    free = _free_name(connection, name)
                    _add(connection, free, "annotator", issuer=issuer, subject=subject)
                    return Annotator(free)
        if row.removed:
            raise UsageError(f"the account {row.name} was removed")
        return _annotator(row)

    def check(self, name: str, password: str) -> Annotator | None:
        """The annotator whose password this is; None for a wrong one, and while the account waits (`wait`).

        An attempt is counted before it is tried, so that many at once gain nothing.
        """
        folded, at = _folded(name), now()
        with self.writing(counts=False) as connection:
            row = connection.execute(sa.select(accounts).where(accounts.c.folded == folded)).one_or_none()
            if row is None or row.removed or row.password is None:
                row = None
            elif row.locked_until > at:
                return None
            else:
                _set(connection, row.name, failures=row.failures + 1, locked_until=at + _wait(row.failures + 1))
        if not matches(password, None if row is None else row.password) or row is None:
            return None
        with self.writing(counts=False) as connection:
            _set(connection, row.name, failures=0, locked_until=0)
        return _annotator(row)

    def wait(self, name: str) -> float:
        """Seconds until the account lets a password be tried again."""
        with self.reading() as connection:
            row = _by_name(connection, name)
        return 0.0 if row is None else max(0, row.locked_until - now()) / _SECOND

    def annotators(self) -> list[Annotator]:
        """The accounts that may sign in, by name."""
        with self.reading() as connection:
            rows = connection.execute(sa.select(accounts).where(accounts.c.removed == 0)).all()
        return sorted((_annotator(row) for row in rows), key=lambda annotator: annotator.name)

    def set_password(self, name: str, password: str) -> Annotator:
        """Give an account, even one that was removed, a new password; its sessions end.

        Raises:
            UsageError: if there is no such account, or the password is too short.
        """
        return self._change(name, password=hashed(password), removed=0, failures=0, locked_until=0)

    def set_role(self, name: str, role: Role) -> Annotator:
        """Make an annotator a lead, or a lead an annotator; their sessions end.

        Raises:
            UsageError: if there is no such account or role.
        """
        if role not in ROLES:
            raise UsageError(f"role {role!r} is neither {' nor '.join(ROLES)}")
        return self._change(name, role=role)

    def remove_annotator(self, name: str) -> Annotator:
        """Close an account; its labels stay.

        Raises:
            UsageError: if there is no such account.
        """
        return self._change(name, removed=1, password=None)

    def _change(self, name: str, **values: Any) -> Annotator:
        with self.writing() as connection:
            row = _by_name(connection, name)
            if row is None:
                raise UsageError(f"there is no account {name!r}")
            _set(connection, row.name, **values)
            connection.execute(sa.delete(sessions).where(sessions.c.annotator == row.name))
            return _annotator(connection.execute(sa.select(accounts).where(accounts.c.name == row.name)).one())

    def start_session(self, annotator: Annotator) -> str:
        """A token for the visitor's browser; the database holds its hash alone."""
        token, at = secrets.token_urlsafe(32), now()
        expires = at + SESSION_DAYS * 86_400 * _SECOND
        with self.writing(counts=False) as connection:
            connection.execute(sa.delete(sessions).where(sessions.c.expires <= at))
            connection.execute(
                sa.insert(sessions).values(token_hash=_hash(token), annotator=annotator.name, expires=expires)
            )
        return token

    def session(self, token: str) -> Annotator | None:
        """Whose token it is; None if it is no one's, or has expired."""
        query = (
            sa.select(accounts)
            .join(sessions, sessions.c.annotator == accounts.c.name)
            .where(sessions.c.token_hash == _hash(token), sessions.c.expires > now(), accounts.c.removed == 0)
        )
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _annotator(row)

    def end_session(self, token: str) -> None:
        """Make a token worthless."""
        with self.writing(counts=False) as connection:
            connection.execute(sa.delete(sessions).where(sessions.c.token_hash == _hash(token)))


def proper_name(name: str) -> str:
    """A name as it is kept: one line, normalised, without blanks around it.

    Raises:
        UsageError: if nothing is left, or it is too long, or holds what cannot be seen.
    """
    name = " ".join(unicodedata.normalize("NFKC", name).split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError(f"a name has 1 to {LONGEST_NAME} printable characters")
    return name


def _folded(name: str) -> str:
    """Names that differ only in case or form are one."""
    return " ".join(unicodedata.normalize("NFKC", name).split()).casefold().encode("utf-8", "replace").decode()


def _by_name(connection: sa.Connection, name: str) -> sa.Row[Any] | None:
    return connection.execute(sa.select(accounts).where(accounts.c.folded == _folded(name))).one_or_none()


def _free_name(connection: sa.Connection, name: str) -> str:
    base = proper_name("".join(c for c in name if c.isprintable())[: LONGEST_NAME - 8] or "annotator")
    number, free = 1, base
    while _by_name(connection, free) is not None:
        number += 1
        free = f"{base} {number}"
    return free


def _add(connection: sa.Connection, name: str, role: Role, **values: Any) -> None:
    connection.execute(sa.insert(accounts).values(name=name, folded=_folded(name), role=role, created=now(), **values))


def _set(connection: sa.Connection, name: str, **values: Any) -> None:
    connection.execute(sa.update(accounts).where(accounts.c.name == name).values(**values))


def _wait(failures: int) -> int:
    """Microseconds that an account waits after so many wrong passwords in a row."""
    beyond = failures - FREE_FAILURES
    return 0 if beyond < 0 else min(2 ** min(beyond, 20), LONGEST_WAIT) * _SECOND


def _annotator(row: sa.Row[Any]) -> Annotator:
    return Annotator(row.name, cast(Role, row.role))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
