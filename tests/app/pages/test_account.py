"""Signing in, making accounts, and who is let in."""

from __future__ import annotations

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.labels import passwords

PASSWORD = "correct horse"


def account() -> None:
    from app.pages import account
    from app.signing_in import gate

    gate()
    account.draw()


def secret() -> None:
    import streamlit as st

    from app.signing_in import gate

    gate()
    st.write("the traces")


def run(script=account) -> AppTest:
    test = AppTest.from_function(script, default_timeout=60).run()
    assert not test.exception
    return test


def words(test: AppTest) -> str:
    shown = [*test.title, *test.subheader, *test.markdown, *test.caption, *test.error, *test.info, *test.warning]
    return " ".join(str(each.value) for each in shown)


def field(test: AppTest, label: str):
    (found,) = [each for each in test.text_input if each.label == label]
    return found


def button(test: AppTest, label: str):
    return next(each for each in test.button if each.label == label)


def fill(test: AppTest, send: str, **fields: str) -> AppTest:
    for label, value in fields.items():
        field(test, label.replace("_", " ")).set_value(value)
    button(test, send).click()
    test.run()
    assert not test.exception
    return test


def sign_up(test: AppTest, name: str, password: str = PASSWORD, again: str = PASSWORD) -> AppTest:
    return fill(test, "Make the account", Name=name, Password=password, Password_again=again)


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    monkeypatch.setattr(passwords, "COST", passwords.Cost(n=2**10, r=8, p=1))


@pytest.fixture(autouse=True)
def nothing_brought(cookies):
    return cookies


def test_the_first_account_is_a_lead_and_the_next_is_not(serving, labels):
    serving()
    test = run()
    assert "first account" in words(test)
    assert "signed in as **Ada**" in words(sign_up(test, "Ada"))
    other = run()
    other.segmented_control[0].set_value("Make an account").run()
    assert "signed in as **Bo**" in words(sign_up(other, "Bo"))
    assert [(who.name, who.role) for who in labels.annotators()] == [("Ada", "lead"), ("Bo", "annotator")]


def test_a_password_that_differs_or_is_short_makes_no_account(serving, labels):
    serving()
    assert "differ" in words(sign_up(run(), "Ada", again="other horse"))
    assert "8 to" in words(sign_up(run(), "Ada", "short", "short"))
    assert "name" in words(sign_up(run(), " "))
    assert labels.annotators() == []


def test_signing_in_by_password_and_the_browser_keeps_only_a_token(serving, labels, cookies):
    serving()
    labels.add_annotator("Ada", PASSWORD)
    assert "no account of this name" in words(fill(run(), "Sign in", Name="Ada", Password="wrong horse"))
    test = fill(run(), "Sign in", Name="ada", Password=PASSWORD)
    assert "signed in as **Ada**" in words(test)
    kept = test.session_state["signing_in.cookie"]
    assert kept["seconds"] > 86_400 and PASSWORD not in str(kept)
    cookies[kept["name"]] = kept["value"]
    assert "signed in as **Ada**" in words(run()), "after a reload"


def test_signing_out_ends_the_session_everywhere(serving, labels, cookies, signed_in):
    serving()
    signed_in("Ada")
    test = run()
    button(test, "Sign out").click().run()
    assert not test.exception and "signed in as" not in words(test)
    assert test.session_state["signing_in.cookie"]["seconds"] == 0
    assert "signed in as" not in words(run()), "the old token is worthless"


def test_with_auth_nothing_is_shown_before_signing_in(serving, labels, cookies, signed_in):
    serving(auth=True)
    labels.add_annotator("Ada", PASSWORD)
    test = run(secret)
    assert "the traces" not in words(test)
    fill(test, "Sign in", Name="Ada", Password=PASSWORD)
    assert "the traces" in words(test)
    cookies["cacherl_session_8501"] = "made up"
    assert "the traces" not in words(run(secret))
    serving(auth=False)
    assert "the traces" in words(run(secret))


def test_without_sign_up_nobody_makes_an_account(serving, labels):
    serving(sign_up=False)
    test = run()
    assert "app.accounts" in words(test) and not [each for each in test.button if "account" in each.label]


def test_read_only_has_no_accounts(serving, signed_in):
    serving(read_only=True)
    signed_in("Ada")
    test = run()
    assert "read-only" in words(test) and not test.text_input


def test_a_name_is_shown_as_it_is(serving, labels):
    serving()
    test = sign_up(run(), "[x](javascript:alert(1)) <b>")
    shown = words(test)
    assert "\\[x\\]\\(javascript" in shown and "\\<b\\>" in shown


ORG = {"is_logged_in": True, "iss": "https://id.example.org", "sub": "42", "name": "Ada"}


def test_who_signs_in_by_oidc_gets_an_account_once(serving, labels, monkeypatch):
    serving()
    monkeypatch.setattr(st, "user", ORG)
    for _ in range(2):
        assert "signed in as **Ada**" in words(run())
    monkeypatch.setattr(st, "user", ORG | {"sub": "43"})
    assert "signed in as **Ada 2**" in words(run())
    assert [who.role for who in labels.annotators()] == ["lead", "annotator"]


def test_oidc_lets_in_only_who_may_have_an_account(serving, labels, monkeypatch):
    serving(auth=True, sign_up=False)
    monkeypatch.setattr(st, "user", ORG)
    test = run(secret)
    assert "the traces" not in words(test) and "Ada has no account here" in words(test)
    assert labels.annotators() == []


def test_oidc_is_offered_where_it_is_configured(serving, monkeypatch):
    asked = []
    monkeypatch.setattr(st, "login", lambda: asked.append(1))
    monkeypatch.setattr(st, "user", {"is_logged_in": False})
    serving()
    test = run()
    button(test, "Sign in with your organisation").click().run()
    assert asked == [1]
    monkeypatch.setattr(st, "user", {})
    assert not [each for each in run().button if "organisation" in each.label]
