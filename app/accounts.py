"""Accounts of the trace reader: `python -m app.accounts add | list | password | role | remove`.

A password is asked for at the terminal, or read as the first line of stdin; it never stands on the command line, where
others of the machine and the shell's history see it.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from curate.cli import out, parse, run
from curate.errors import UsageError

if TYPE_CHECKING:
    from app.labels.store import LabelStore


@dataclass(frozen=True)
class AccountSettings:
    """What is done with an account."""

    action: tyro.conf.Positional[Literal["add", "list", "password", "role", "remove"]]
    """add, or list all; set the password or the role of one; remove closes it, and its labels stay."""
    name: tyro.conf.Positional[str] = ""
    """The annotator's name."""
    role: Literal["annotator", "lead"] | None = None
    """A lead sees everybody's labels and adjudicates; for add and role."""
    no_password: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Add an account that nobody can sign in to yet."""
    label_dir: Path = field(default=Path("labels"))
    """Folder of labels.sqlite."""
    database: str | None = None
    """URL of the database where it is not in --label-dir."""

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            UsageError: naming what is missing or too much.
        """
        if (self.action == "list") == bool(self.name):
            said = "takes no name" if self.name else "needs a name: python -m app.accounts " + self.action + " NAME"
            raise UsageError(f"{self.action} {said}")
        if self.action == "role" and self.role is None:
            raise UsageError("role needs --role annotator or --role lead")
        if self.role is not None and self.action not in ("add", "role"):
            raise UsageError(f"{self.action} takes no --role; use: python -m app.accounts role NAME --role {self.role}")
        if self.no_password and self.action != "add":
            raise UsageError("--no-password belongs to add")


def main(argv: Sequence[str] | None = None) -> int:
    """Do what was asked for; returns the exit code."""
    settings = parse(AccountSettings, "python -m app.accounts", __doc__ or "", argv)

    def command() -> int:
        settings.check()
        with _store(settings) as store:
            out(_done(store, settings))
        return 0

    return run(command)


def _store(settings: AccountSettings) -> AbstractContextManager[LabelStore]:
    from app.labels.store import LabelStore
    from app.settings import LabelSettings

    labels = LabelSettings(settings.label_dir, settings.database, backup_minutes=0, export_minutes=0)
    return LabelStore.open(labels, read_only=settings.action == "list")


def _done(store: LabelStore, settings: AccountSettings) -> str:
    name = settings.name
    if settings.action == "list":
        return _listed(store)
    if settings.action == "add":
        password = None if settings.no_password else _password()
        made = store.add_annotator(name, password, settings.role or "annotator")
        return (
            f"{made.name} may sign in; role: {made.role}" if password else f"{made.name} was added, without a password"
        )
    if settings.action == "password":
        return f"{store.set_password(name, _password()).name} has a new password"
    if settings.action == "role":
        changed = store.set_role(name, settings.role or "annotator")
        return f"{changed.name} is {changed.role} now"
    return f"{store.remove_annotator(name).name} was removed; the labels stay"


def _listed(store: LabelStore) -> str:
    found = store.annotators()
    width = max((len(annotator.name) for annotator in found), default=0)
    lines = [f"{annotator.name:{width}}  {annotator.role}" for annotator in found]
    return "\n".join(lines) or "no accounts yet: python -m app.accounts add NAME"


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise UsageError("the two passwords differ; nothing was changed")
    return first


if __name__ == "__main__":
    raise SystemExit(main())
