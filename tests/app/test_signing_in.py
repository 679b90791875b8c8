"""Staying signed in, who is let in by OIDC, and what wrong passwords cost."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from app import opened, signing_in
from app.labels import passwords
from app.labels.store import LabelStore
from app.labels.tables import sessions

WORD = "correct horse"
COOKIE = "cacherl_session_8501"


def script() -> None:
    import streamlit as st

    from app.pages import account
    from app.signing_in import gate

    gate()
    account.draw()
    st.write("The page is drawn.")


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch):
    monkeypatch.setattr(passwords, "COST", passwords.Cost(2**4, 1, 1))


@pytest.fixture
def links(monkeypatch):
    """What the page links to: its name and words."""
    made = []
    told = lambda name, label, **_: made.append((name, label))  # noqa: E731
    monkeypatch.setattr("app.pages.account.link", told)
    return made


@pytest.fixture
def cookies(monkeypatch):
    """The visitor's browser: its cookies, and what a page had it keep."""
    kept: dict[str, str] = {}

    def write() -> None:
        import streamlit as st

        if cookie := st.session_state.get(signing_in._COOKIE):
            kept[cookie["name"]] = cookie["value"]

    monkeypatch.setattr(signing_in, "_write_cookie", write)
    monkeypatch.setattr(type(signing_in.st.context), "cookies", property(lambda _: kept))
    return kept


@pytest.fixture
def user(monkeypatch):
    """The stand-in of `st.user`; empty where no OIDC provider is configured."""
    held: dict[str, object] = {}
    monkeypatch.setattr(signing_in.st, "user", held)
    return held


@pytest.fixture
def visit(settings, labels, links, cookies, user):
    """A visitor's page, with flags of the server and the store it has open."""

    def come(store: LabelStore = labels, **flags) -> AppTest:
        links.clear()
        chosen = replace(settings, server=replace(settings.server, **flags))
        opened.use(SimpleNamespace(settings=chosen, labels=store))
        test = AppTest.from_function(script, default_timeout=60).run()
        assert not test.exception
        return test

    return come


def _fill(test: AppTest, words: str, *values: str) -> None:
    for field, value in zip(test.text_input, values, strict=True):
        field.set_value(value)
    _press(test, words)


def _press(test: AppTest, words: str) -> None:
    next(button for button in test.button if button.label == words).click().run()
    assert not test.exception


def _words(test: AppTest) -> str:
    return " ".join(shown.value for shown in [*test.markdown, *test.caption, *test.subheader]).replace("\\", "")


def test_a_reload_and_a_restarted_server_keep_one_signed_in(visit, labels, settings, cookies, links):
    _fill(visit(), "Make the account", "Ada", WORD, WORD)
    assert "You are signed in as **Ada**" in _words(visit())
    labels.close()
    with LabelStore.open(settings.labels) as again:
        assert "You are signed in as **Ada**" in _words(visit(again))


def test_the_server_keeps_the_hash_of_the_token_alone(visit, labels, cookies):
    _fill(visit(), "Make the account", "Ada", WORD, WORD)
    token = cookies[COOKIE]
    assert len(token) >= 40
    with labels.reading() as connection:
        kept = connection.execute(sa.select(sessions.c.token_hash)).scalars().all()
    assert kept == [hashlib.sha256(token.encode()).hexdigest()]


def test_wrong_passwords_are_refused_and_slow_down(visit, labels):
    labels.add_annotator("Ada", WORD)
    test = visit()
    for _ in range(3):
        _fill(test, "Sign in", "Ada", "wrong horse")
    assert "the next one counts in" in test.error[0].value
    test = visit()
    _fill(test, "Sign in", "Nobody", WORD)
    assert test.error[0].value == "There is no account of this name and password."


def test_a_lead_makes_another_one_and_only_a_lead_may(visit, labels, cookies):
    labels.add_annotator("Bob", WORD)
    cookies[COOKIE] = labels.start_session(labels.add_annotator("Ada", WORD, "lead"))
    test = visit()
    labels.end_session(cookies[COOKIE])
    _press(test, "Make a lead")
    assert {person.role for person in labels.annotators() if person.name == "Bob"} == {"annotator"}
    cookies[COOKIE] = labels.start_session(labels.annotators()[0])
    _press(visit(), "Make a lead")
    assert {person.role for person in labels.annotators()} == {"lead"}


def test_oidc_makes_an_account_that_is_found_again(visit, labels, user, links):
    user["is_logged_in"] = False
    assert any(button.label == "Sign in with your organisation" for button in visit().button)
    user.update(is_logged_in=True, iss="https://accounts.example.org", sub="u1", name="Ada")
    for _ in range(2):
        assert "You are signed in as **Ada**" in _words(visit())
    assert [(person.name, person.role) for person in labels.annotators()] == [("Ada", "lead")]
    user.update(sub="u2", name="Ada")
    assert "You are signed in as **Ada 2**" in _words(visit())


def test_oidc_without_a_subject_is_refused(visit, labels, user):
    user.update(is_logged_in=True, name="Ada")
    visit(auth=True)
    assert not labels.annotators()
