"""Accounts: who may sign in, how wrong passwords slow down, sessions, subjects of OIDC, and the command."""

from __future__ import annotations

import hashlib
import io
import threading

import pytest
import sqlalchemy as sa

from app import accounts as command
from app.labels import accounts, passwords
from app.labels.accounts import Annotator
from app.labels.tables import accounts as table
from app.labels.tables import sessions
from curate.errors import UsageError

RIGHT, WRONG = "correct horse", "battery staple"


@pytest.fixture
def clock(monkeypatch):
    """The accounts' clock, which a test moves: `clock.seconds += 5`."""

    class Clock:
        seconds = 1_000_000.0

        def now(self) -> int:
            return int(self.seconds * 1_000_000)

    made = Clock()
    monkeypatch.setattr(accounts, "now", made.now)
    return made


def test_a_password_opens_its_account_and_no_other(store):
    store.add_annotator("Ann Lee", RIGHT, "lead")
    store.add_annotator("bob", WRONG)
    assert store.check("Ann Lee", RIGHT) == Annotator("Ann Lee", "lead")
    assert store.check("  ann  LEE ", RIGHT) == Annotator("Ann Lee", "lead")
    assert store.check("bob", RIGHT) is None and store.check("nobody", RIGHT) is None and store.check("", "") is None
    assert [annotator.name for annotator in store.annotators()] == ["Ann Lee", "bob"]


def test_the_database_holds_neither_passwords_nor_tokens(store):
    token = store.start_session(store.add_annotator("ann", RIGHT))
    with store.reading() as connection:
        rows = [tuple(row) for name in (table, sessions) for row in connection.execute(sa.select(name))]
    assert RIGHT not in str(rows) and token not in str(rows) and "scrypt$16$1$1$" in str(rows)


def test_a_hash_carries_its_salt_and_cost(monkeypatch):
    monkeypatch.setattr(passwords, "COST", passwords.Cost())
    stored = passwords.hashed("correct hörse")
    kind, n, r, p, _, _ = stored.split("$")
    assert (kind, n, r, p) == ("scrypt", "32768", "8", "3")
    assert stored != passwords.hashed("correct hörse")
    monkeypatch.setattr(passwords, "COST", passwords.Cost(2**4, 1, 1))
    assert passwords.matches("correct ho\u0308rse", stored) and not passwords.matches("correct horse", stored)


@pytest.mark.parametrize("password", ["short", "x" * 2000])
def test_a_password_too_short_or_too_long_is_refused(store, password):
    with pytest.raises(UsageError, match="8 to 1,024 characters"):
        store.add_annotator("ann", password)
    assert store.annotators() == [] and store.check("ann", password) is None


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\x1b[31m", "zero\u200bwidth"])
def test_a_name_that_cannot_be_read_is_refused(store, name):
    with pytest.raises(UsageError, match="printable"):
        store.add_annotator(name, RIGHT)


def test_names_that_look_alike_are_one(store):
    store.add_annotator("Ann", RIGHT)
    for name in ("ann", "ANN ", "\uff21nn"):
        with pytest.raises(UsageError, match="already"):
            store.add_annotator(name, RIGHT)


def test_wrong_passwords_make_an_account_wait_longer_each_time(place, clock):
    with place.open() as store:
        store.add_annotator("ann", RIGHT)
        waits = []
        for _ in range(16):
            assert store.check("ann", WRONG) is None
            waits.append(store.wait("ann"))
            clock.seconds += waits[-1]
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]
    with place.open() as store:  # the wait is in the database: a new server does not forget it
        store.check("ann", WRONG)
        assert store.check("ann", RIGHT) is None and store.wait("ann") == 900
        clock.seconds += 900
        assert store.check("ann", RIGHT) == Annotator("ann")
        assert store.check("ann", WRONG) is None and store.wait("ann") == 0


def test_guesses_at_once_gain_nothing(store, clock, monkeypatch):
    tried = []
    monkeypatch.setattr(accounts, "matches", lambda password, stored: bool(stored and tried.append(password)))
    store.add_annotator("ann", RIGHT)
    threads = [threading.Thread(target=store.check, args=("ann", f"guess {number}")) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tried) == accounts.FREE_FAILURES


def test_a_wrong_name_takes_the_same_work_as_a_wrong_password(store, monkeypatch):
    counted = []
    whole = hashlib.scrypt
    monkeypatch.setattr(hashlib, "scrypt", lambda *given, **more: counted.append(more["n"]) or whole(*given, **more))
    store.add_annotator("ann", RIGHT)
    counted.clear()
    store.check("ann", WRONG)
    store.check("nobody", WRONG)
    assert counted == [16, 16]


def test_a_session_lasts_until_it_is_ended_or_old(store, clock):
    ann = store.add_annotator("ann", RIGHT)
    first, second = store.start_session(ann), store.start_session(ann)
    assert store.session(first) == ann and store.session(second) == ann and store.session("") is None
    store.end_session(first)
    assert store.session(first) is None and store.session(second) == ann
    clock.seconds += accounts.SESSION_DAYS * 86_400
    assert store.session(second) is None


def test_a_new_password_a_new_role_and_a_removal_end_the_sessions(store):
    ann = store.add_annotator("ann", RIGHT)
    for change in (lambda: store.set_password("ann", WRONG), lambda: store.set_role("ann", "lead")):
        token = store.start_session(ann)
        change()
        assert store.session(token) is None
    assert store.check("ann", WRONG) == Annotator("ann", "lead") and store.check("ann", RIGHT) is None
    token = store.start_session(ann)
    store.remove_annotator("ann")
    assert store.session(token) is None and store.check("ann", WRONG) is None and store.annotators() == []
    with pytest.raises(UsageError, match="labels stand under that name"):
        store.add_annotator("Ann", RIGHT)


def test_a_subject_has_one_account_whatever_it_is_called(store):
    ann = store.by_subject("https://id.example", "123", "ann")
    assert store.by_subject("https://id.example", "123", "Ann M.") == ann == Annotator("ann")
    assert store.by_subject("https://id.example", "456", "Ann") == Annotator("Ann 2")
    assert store.by_subject("https://other.example", "123", "ann") == Annotator("ann 3")
    assert store.by_subject("https://id.example", "789", "\x00" * 90) == Annotator("annotator")
    assert store.check("ann", "") is None
    store.remove_annotator("ann")
    with pytest.raises(UsageError, match="removed"):
        store.by_subject("https://id.example", "123", "ann")
    with pytest.raises(UsageError, match="no subject"):
        store.by_subject("https://id.example", "", "ann")


def _run(monkeypatch, folder, *arguments: str, password: str = "") -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
    return command.main([*arguments, "--label-dir", str(folder)])


def test_the_command_adds_lists_changes_and_removes(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "labels"
    assert _run(monkeypatch, folder, "list") == 0
    assert "no accounts yet" in capsys.readouterr().out and not folder.exists()
    assert _run(monkeypatch, folder, "add", "ann", "--role", "lead", password=RIGHT) == 0
    assert _run(monkeypatch, folder, "add", "bob", "--no-password") == 0
    assert _run(monkeypatch, folder, "password", "bob", password=WRONG) == 0
    assert _run(monkeypatch, folder, "role", "bob", "--role", "lead") == 0
    capsys.readouterr()
    assert _run(monkeypatch, folder, "list") == 0
    assert capsys.readouterr().out == "ann  lead\nbob  lead\n"
    assert _run(monkeypatch, folder, "remove", "ann") == 0
    capsys.readouterr()
    _run(monkeypatch, folder, "list")
    assert capsys.readouterr().out == "bob  lead\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add"], "needs a name"),
        (["list", "ann"], "takes no name"),
        (["add", "ann"], "8 to 1,024"),
        (["remove", "ann"], "no account 'ann'"),
        (["role", "ann"], "needs --role"),
        (["remove", "ann", "--role", "lead"], "takes no --role"),
        (["password", "ann", "--no-password"], "belongs to add"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path, monkeypatch, capsys, arguments, said):
    assert _run(monkeypatch, tmp_path / "labels", *arguments, password="short") == 2
    assert said in capsys.readouterr().err
