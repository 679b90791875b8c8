"""Who is at the browser: signing in by password or OIDC, and staying signed in by a cookie over reloads and restarts.

The cookie holds a random token, the database its hash alone. Streamlit reads cookies when a page connects, so until
then the token stands in the visitor's session.
"""

from __future__ import annotations

import secrets
import threading
from functools import cache
from math import ceil
from typing import Any

import streamlit as st

from app.labels.accounts import SESSION_DAYS, Annotator, Role
from app.labels.store import LabelStore
from app.opened import opened
from app.reading.plain import escaped
from curate.errors import UsageError

_TOKEN, _COOKIE, _REFUSED = "signing_in.token", "signing_in.cookie", "signing_in.refused"
_first = threading.Lock()
"""Two who sign up at once are not both the first."""
_WRITER = """
export default function({ data }) {
  if (window.cacherlCookie === data.nonce) return;
  window.cacherlCookie = data.nonce;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${data.name}=${data.value}; Path=/; Max-Age=${data.seconds}; SameSite=Strict${secure}`;
}
"""


def viewer() -> Annotator | None:
    """Who is signed in; None for nobody, and on a read-only server."""
    held = opened()
    if held.settings.server.read_only:
        return None
    token = _token()
    annotator = held.labels.session(token) if token else None
    return annotator or _by_oidc(held.labels)


def gate() -> None:
    """Have the browser stay signed in or out; on a server with --auth, stop here until the visitor has signed in."""
    _write_cookie()
    if not opened().settings.server.auth or viewer() is not None:
        return
    draw_forms()
    st.stop()


def _write_cookie() -> None:
    """Have the browser keep, or drop, the token; a browser writes each cookie once."""
    if cookie := st.session_state.get(_COOKIE):
        st.html("<style>.st-key-signing-in-cookie {position: absolute;}</style>")  # it takes no room on the page
        with st.container(key="signing-in-cookie"):
            _cookie_writer()(data=cookie, key="signing_in.cookie_writer", width="content")


def draw_forms() -> None:
    """The way in: sign in, or make an account where that is allowed."""
    held = opened()
    nobody = not held.labels.annotators()
    with st.container(width=420):
        if message := st.session_state.get(_REFUSED):
            st.error(escaped(message, 300))
        if _oidc_configured():
            st.button("Sign in with your organisation", icon=":material/badge:", on_click=st.login, type="primary")
            st.caption("Or with a name and password of this server:")
        if not held.settings.server.sign_up:
            _sign_in_form(held.labels)
            st.caption("No account yet? Whoever runs this server makes one: `python -m app.accounts`.")
        elif nobody:
            st.subheader("Make the first account")
            st.caption("It is a lead: it makes queues, sees all labels and settles what annotators dispute.")
            _sign_up_form(held.labels)
        else:
            ways = ["Sign in", "Make an account"]
            way = st.segmented_control("Way in", ways, default=ways[0], required=True, label_visibility="collapsed")
            (_sign_in_form if way == ways[0] else _sign_up_form)(held.labels)


def sign_out() -> None:
    """End the session, here and in the database."""
    if token := _token():
        opened().labels.end_session(token)
    _remember("")
    if _oidc_configured() and st.user.get("is_logged_in"):
        st.logout()


def _sign_in_form(labels: LabelStore) -> None:
    with st.form("sign_in"):
        name = st.text_input("Name", autocomplete="username")
        password = st.text_input("Password", type="password", autocomplete="current-password")
        sent = st.form_submit_button("Sign in", key="sign_in.send", type="primary")
    if not sent:
        return
    annotator = labels.check(name, password)
    if annotator is not None:
        _enter(labels, annotator)
    wait = labels.wait(name)
    st.error(
        f"Wrong password, or too many tries; the next one counts in {ceil(wait)} s."
        if wait > 0
        else "There is no account of this name and password."
    )


def _sign_up_form(labels: LabelStore) -> None:
    with st.form("sign_up"):
        name = st.text_input("Name", max_chars=64, autocomplete="username", placeholder="As it stands in your labels")
        password = st.text_input(
            "Password", type="password", autocomplete="new-password", placeholder="8 characters or more"
        )
        again = st.text_input("Password again", type="password", autocomplete="new-password")
        sent = st.form_submit_button("Make the account", type="primary")
    if not sent:
        return
    if password != again:
        st.error("The two passwords differ.")
        return
    try:
        with _first:
            role: Role = "annotator" if labels.annotators() else "lead"
            annotator = labels.add_annotator(name, password, role)
    except UsageError as error:
        st.error(escaped(f"{str(error)[:1].upper()}{str(error)[1:]}.", 300))
        return
    _enter(labels, annotator)


def _enter(labels: LabelStore, annotator: Annotator) -> None:
    _remember(labels.start_session(annotator))
    st.rerun()


def _token() -> str:
    """The token of this visitor: given here, or brought along by the browser."""
    given: str | None = st.session_state.get(_TOKEN)
    return st.context.cookies.get(_cookie_name(), "") if given is None else given


def _remember(token: str) -> None:
    st.session_state[_TOKEN] = token
    st.session_state[_COOKIE] = {
        "name": _cookie_name(),
        "value": token,
        "seconds": SESSION_DAYS * 86_400 if token else 0,
        "nonce": secrets.token_hex(8),
    }


def _cookie_name() -> str:
    """Cookies are shared by all ports of a host; two servers on one machine must not sign each other's visitors out."""
    return f"cacherl_session_{opened().settings.server.port}"


@cache
def _cookie_writer() -> Any:
    return st.components.v2.component("cacherl_cookie", js=_WRITER)


def _oidc_configured() -> bool:
    """Whether Streamlit's secrets name an OIDC provider; only then does it say whether one is signed in."""
    return "is_logged_in" in st.user


def _by_oidc(labels: LabelStore) -> Annotator | None:
    """The account of who has signed in by OIDC; a newcomer's is made where accounts may be made."""
    st.session_state.pop(_REFUSED, None)
    if not st.user.get("is_logged_in"):
        return None
    issuer, subject = str(st.user.get("iss") or ""), str(st.user.get("sub") or "")
    called = next((str(st.user[key]) for key in ("name", "preferred_username", "email") if st.user.get(key)), subject)
    sign_up = opened().settings.server.sign_up
    try:
        with _first:
            nobody = not labels.annotators()
            annotator = labels.by_subject(issuer, subject, called, make=sign_up)
            return labels.set_role(annotator.name, "lead") if nobody else annotator
    except UsageError as error:
        st.session_state[_REFUSED] = f"The sign-in was refused: {error}."
        return None
