"""Signing in and out, by password and by OIDC, and what stands before it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

import app.signing_in
from app import opened, signing_in
from app.labels import passwords
from app.labels.store import LabelStore
from app.labels.tables import sessions

WORD = "correct horse"
COOKIE = "cacherl_session_8501"


def script() -> None:
    import streamlit as st

    from app.pages import account
    from app.signing_in import gate, shown_in_sidebar

    gate()
    shown_in_sidebar()
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
    monkeypatch.setattr(app.signing_in, "link", told)
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


def test_the_first_account_is_a_lead_and_the_next_is_not(visit, labels, cookies):
    test = visit()
    assert "Make the first account" in _words(test)
    _fill(test, "Make the account", "Ada", WORD, WORD)
    assert "You are signed in as **Ada**" in _words(test)
    cookies.clear()
    test = visit()
    test.segmented_control[0].set_value("Make an account").run()
    _fill(test, "Make the account", "Bob", WORD, WORD)
    assert {person.name: person.role for person in labels.annotators()} == {"Ada": "lead", "Bob": "annotator"}


def test_a_reload_and_a_restarted_server_keep_one_signed_in(visit, labels, settings, cookies, links):
    _fill(visit(), "Make the account", "Ada", WORD, WORD)
    assert "You are signed in as **Ada**" in _words(visit())
    labels.close()
    with LabelStore.open(settings.labels) as again:
        visit(again)
        assert ("account", "Ada, lead") in links


def test_the_server_keeps_the_hash_of_the_token_alone(visit, labels, cookies):
    _fill(visit(), "Make the account", "Ada", WORD, WORD)
    token = cookies[COOKIE]
    assert len(token) >= 40
    with labels.reading() as connection:
        kept = connection.execute(sa.select(sessions.c.token_hash)).scalars().all()
    assert kept == [hashlib.sha256(token.encode()).hexdigest()]


def test_signing_out_ends_the_session_everywhere(visit, labels, cookies):
    _fill(visit(), "Make the account", "Ada", WORD, WORD)
    token = cookies[COOKIE]
    _press(visit(), "Sign out")
    assert cookies[COOKIE] == ""
    assert labels.session(token) is None
    assert "signed in as" not in _words(visit())


def test_wrong_passwords_are_refused_and_slow_down(visit, labels):
    labels.add_annotator("Ada", WORD)
    test = visit()
    for _ in range(3):
        _fill(test, "Sign in", "Ada", "wrong horse")
    assert "the next one counts in" in test.error[0].value
    test = visit()
    _fill(test, "Sign in", "Nobody", WORD)
    assert test.error[0].value == "There is no account of this name and password."


def test_what_cannot_be_an_account_is_told(visit, labels):
    test = visit()
    _fill(test, "Make the account", "Ada", WORD, "correct house")
    assert test.error[0].value == "The two passwords differ."
    _fill(test, "Make the account", "Ada", "short", "short")
    assert test.error
    assert not labels.annotators()


def test_without_sign_up_accounts_are_made_by_command(visit):
    test = visit(sign_up=False)
    assert [field.label for field in test.text_input] == ["Name", "Password"]
    assert "python -m app.accounts" in _words(test)


def test_with_auth_nothing_is_shown_before_signing_in(visit, labels):
    test = visit(auth=True)
    assert "The page is drawn." not in _words(test)
    _fill(test, "Make the account", "Ada", WORD, WORD)
    assert "The page is drawn." in _words(test)


def test_read_only_nobody_signs_in(visit, cookies, labels, links):
    cookies[COOKIE] = labels.start_session(labels.add_annotator("Ada", WORD))
    test = visit(read_only=True)
    assert not test.button
    assert not links
    assert "nobody signs in" in test.info[0].value


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


def test_a_name_is_shown_as_text(visit, links):
    _fill(visit(), "Make the account", "<b>[x](javascript:y)", WORD, WORD)
    assert all("[x](" not in words for _, words in links)


def test_oidc_makes_an_account_that_is_found_again(visit, labels, user, links):
    user["is_logged_in"] = False
    assert any(button.label == "Sign in with your organisation" for button in visit().button)
    user.update(is_logged_in=True, iss="https://accounts.example.org", sub="u1", name="Ada")
    for _ in range(2):
        assert "You are signed in as **Ada**" in _words(visit())
    assert [(person.name, person.role) for person in labels.annotators()] == [("Ada", "lead")]
    user.update(sub="u2", name="Ada")
    visit()
    assert ("account", "Ada 2") in links


def test_oidc_makes_no_account_without_sign_up(visit, labels, user):
    user.update(is_logged_in=True, iss="https://accounts.example.org", sub="u1", name="Ada")
    test = visit(sign_up=False)
    assert not labels.annotators()
    assert "has no account here" in test.error[0].value.replace("\\", "")


def test_oidc_without_a_subject_is_refused(visit, labels, user):
    user.update(is_logged_in=True, name="Ada")
    visit(auth=True)
    assert not labels.annotators()
