"""What an answer with an error status means, apart from how it came."""

from __future__ import annotations

from email.utils import formatdate
from time import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.teachers.faults import error_words, retry_after, status_reply
from synth.teachers.hiding import Hider

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "code", "type", "message", "details", "error_code", "detail"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
MEANINGS = [
    (429, {"error": {"code": "rate_limit_exceeded", "message": "slow down"}}, "again", "rate_limited"),
    (429, {"error": {"type": "rate_limit_error", "message": "m"}}, "again", "rate_limited"),
    (429, {"error": {"type": "insufficient_quota", "code": None, "message": "m"}}, "run", "insufficient_quota"),
    (429, {"error": {"message": "m", "details": {"error_code": "enforced_spend_limit_reached"}}}, "run",
     "enforced_spend_limit_reached"),
    (429, {"error": {"message": "m", "details": {"error_code": "ramp_limit_exceeded"}}}, "again", "rate_limited"),
    # Gemini says this of a rate limit too, and names no code for it.
    (429, {"error": {"code": 429, "message": "You exceeded your current quota", "status": "RESOURCE_EXHAUSTED"}},
     "again", "rate_limited"),
    (400, {"error": {"code": "billing_hard_limit_reached", "message": "m"}}, "run", "billing_hard_limit_reached"),
    (429, {"error": {"message": "Billing hard limit has been reached"}}, "run", "insufficient_quota"),
    (400, {"error": {"message": "Your credit balance is too low to access the API"}}, "run", "insufficient_quota"),
    (400, {"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}}, "item", "context_too_long"),
    (400, {"object": "error", "message": "This model's maximum context length is 4096 tokens", "code": 400}, "item",
     "context_too_long"),
    (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, "item", "bad_request"),
    (400, {"error": "invalid options"}, "item", "bad_request"),
    (400, {"error": {"code": "unsupported_parameter", "message": "Use 'max_completion_tokens'"}}, "run", "bad_setting"),
    (400, {"error": {"code": "organization_on_hold", "message": "m"}}, "run", "organization_on_hold"),
    (404, {"error": "model 'x' not found, try pulling it first"}, "run", "not_found"),
    (418, None, "item", "bad_request"),
    (500, None, "again", "server_error"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "code"), MEANINGS)
def test_what_a_status_and_its_body_mean(status, body, kind, code):
    reply = status_reply(status, body, {}, Hider(""))
    assert (reply.kind, reply.code, reply.billed, reply.text) == (kind, code, "nothing", None)
    assert reply.detail.startswith(str(status))


@given(st.integers(300, 999), JSON, st.dictionaries(st.sampled_from(["retry-after", "x-request-id"]), st.text()))
def test_no_error_body_is_too_odd(status, body, headers):
    reply = status_reply(status, body, headers, Hider("sk-0123456789"))
    assert reply.kind in ("again", "item", "run") and (reply.wait is None or reply.wait >= 0)
    assert error_words(body)[1] is not None


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "300", "retry-after": "7"}, 0.3),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "86400000"}, 86_400_000.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "in a while"}, None),
        ({"retry-after": "Fri, 99 Foo 99999 99:99:99 GMT"}, None),
        ({"retry-after": "9" * 100_000}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_each_form_of_retry_after(headers, wait):
    assert retry_after(headers) == wait


@pytest.mark.parametrize("usegmt", [True, False])
def test_a_date_to_wait_for(usegmt):
    wait = retry_after({"retry-after": formatdate(time() + 90, usegmt=usegmt)})
    assert wait is not None and 80 <= wait <= 91


@given(st.text())
def test_no_retry_after_is_too_odd(text):
    wait = retry_after({"retry-after": text, "retry-after-ms": text})
    assert wait is None or wait >= 0
