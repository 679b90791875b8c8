"""What a call makes of everything that a server and a network can do, over TCP."""

from __future__ import annotations

import asyncio
import json
import socket
import time

import pytest

from synth.teachers.asks import Ask
from tests.synth.teachers.servers import KEY, PROMPT, RawServer, answer, api_at, one_call

GOOD = {
    "openai": {
        "model": "m-1",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "I need the fare."}}
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
    },
    "anthropic": {
        "type": "message",
        "model": "m-1",
        "content": [{"type": "text", "text": "I need the fare."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": 5},
    },
}
FAULTS = {
    "429": ("again", "rate_limited", "nothing"),
    "quota": ("run", "insufficient_quota", "nothing"),
    "400": ("item", "bad_request", "nothing"),
    "too_long": ("item", "context_too_long", "nothing"),
    "no_credit": ("run", "insufficient_quota", "nothing"),
    "401": ("run", "bad_key", "nothing"),
    "402": ("run", "payment_required", "nothing"),
    "403": ("run", "forbidden", "nothing"),
    "404": ("run", "not_found", "nothing"),
    "413": ("item", "too_large", "nothing"),
    "500": ("again", "server_error", "nothing"),
    "503": ("again", "unavailable", "nothing"),
    "529": ("again", "overloaded", "nothing"),
    "html": ("again", "html_body", "unknown"),
    "error_body": ("again", "error_body", "unknown"),
    "truncated": ("again", "not_json", "unknown"),
    "cut": ("again", "connection_lost", "unknown"),
    "reset": ("again", "connection_lost", "unknown"),
    "empty": ("poor", "empty", "usage"),
    "cut_off": ("poor", "cut_off", "usage"),
    "refusal": ("poor", "refused", "usage"),
}


def base(stub, vendor):
    return stub.url if vendor == "openai" else stub.host


def good(vendor):
    return json.dumps(GOOD[vendor]).encode()


def test_every_fault_has_its_name_and_the_next_call_is_well(stub, vendor, transport):
    server = stub([{"at": [at], "fault": fault} for at, fault in enumerate(FAULTS)])
    replies = one_call(api_at(vendor, base(server, vendor)), len(FAULTS) + 1)
    found = {fault: (r.kind, r.code, r.billed) for fault, r in zip(FAULTS, replies, strict=False)}
    expected = dict(FAULTS)
    if vendor == "anthropic":  # its errors have types, and no code that tells a long prompt or a spent quota
        expected["quota"] = ("run", "insufficient_quota", "nothing")
    assert found == expected
    assert all(reply.detail and "\n" not in reply.detail for reply in replies[:16])
    assert replies[-1].kind == "ok" and replies[-1].text.startswith("What is still open")
    assert replies[-1].model == "stub-1-2026-01-01" and replies[-1].request_id == f"req-{len(FAULTS)}"
    assert len(server.requests()) == len(FAULTS) + 1, "nothing is sent twice behind our back"


def test_the_server_says_how_long_to_wait(stub, vendor):
    forms = {
        "429": None,
        "429_seconds": 1.0,
        "429_float": 0.25,
        "429_ms": 0.15,
        "429_huge": 3600.0,
        "429_garbage": None,
    }
    server = stub([{"at": [at], "fault": fault} for at, fault in enumerate([*forms, "429_date"])])
    started = time.monotonic()
    replies = one_call(api_at(vendor, base(server, vendor)), len(forms) + 1)
    assert [reply.wait for reply in replies[:-1]] == list(forms.values())
    assert 0 <= replies[-1].wait <= 1
    assert time.monotonic() - started < 10, "waiting is not the call's business"


def test_an_answer_that_takes_too_long_is_given_up(stub, vendor, transport):
    server = stub([{"every": 1, "fault": "slow", "seconds": 30}])
    (reply,) = one_call(api_at(vendor, base(server, vendor), timeout_s=0.3))
    assert (reply.kind, reply.code, reply.billed) == ("again", "timeout", "unknown")


def test_an_answer_that_trickles_has_no_more_time_than_others(vendor, transport):
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
    with RawServer(head, b'{"choices"', hang=True) as server:
        (reply,) = one_call(api_at(vendor, server.url(vendor), timeout_s=0.3))
    assert (reply.kind, reply.code, reply.billed) == ("again", "timeout", "unknown")


def test_nobody_listens(vendor, transport):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        (reply,) = one_call(api_at(vendor, f"http://127.0.0.1:{port}/v1"))
    assert (reply.kind, reply.code, reply.billed) == ("again", "connection", "nothing")


def test_a_host_that_does_not_exist(vendor, transport):
    (reply,) = one_call(api_at(vendor, "http://no-such-host.invalid/v1"))
    assert (reply.kind, reply.code, reply.billed) == ("again", "connection", "nothing")


def test_plain_http_where_tls_is_expected(vendor, transport):
    with RawServer(answer(b"{}")) as server:
        (reply,) = one_call(api_at(vendor, server.url(vendor).replace("http:", "https:")))
    assert (reply.kind, reply.billed) == ("again", "nothing")


BROKEN = {
    "closed without a word": ([], "connection_lost"),
    "no HTTP": ([b"SSH-2.0-OpenSSH_9.9\r\n\r\n"], "connection_lost"),
    "cut in the head": ([b"HTTP/1.1 200 OK\r\ncontent-ty"], "connection_lost"),
    "cut in the body": ([b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"], "connection_lost"),
    "cut between chunks": ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n"], "connection_lost"),
    "bad chunk size": ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{\r\n"], "connection_lost"),
    "bad length": ([b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{}"], "connection_lost"),
    "head without end": ([b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 300_000], "connection_lost"),
    "not gzip": ([answer(b"{}", 200, "application/json", "content-encoding: gzip")], "not_json"),
    "empty body": ([answer(b"")], "not_json"),
    "not UTF-8": ([answer(b'{"a": "\xff\xfe"}')], "not_json"),
    "half a surrogate": ([answer(b'{"a": "\\ud800"}')], "not_json"),
    "NaN": ([answer(b'{"a": NaN}')], "not_json"),
    "deep": ([answer(b"[" * 100_000)], "not_json"),
    "HTML that says it is JSON": ([answer(b"\n <!doctype html><p>Login</p>")], "html_body"),
    "HTML without its mark": ([answer(b"Login", 200, "text/html; charset=x-none")], "html_body"),
    "null": ([answer(b"null")], "not_api"),
    "a number": ([answer(b"1e999")], None),
    "a text": ([answer(b'"hello"')], "not_api"),
    "a list": ([answer(b"[1]")], "not_api"),
    "an object": ([answer(b"{}")], "not_api"),
    "nothing at all": ([answer(b"", 204)], "not_json"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_bytes_that_are_no_answer(case, vendor, transport):
    pieces, code = BROKEN[case]
    with RawServer(*pieces) as server:
        (reply,) = one_call(api_at(vendor, server.url(vendor)))
    assert len(server.heads) == 1, "nothing is sent twice behind our back"
    assert (reply.kind, reply.billed) == ("again", "unknown") and reply.text is None
    assert code is None or reply.code == code
    assert reply.detail.isprintable()


def test_a_reset_connection(vendor, transport):
    with RawServer(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", reset=True) as server:
        (reply,) = one_call(api_at(vendor, server.url(vendor)))
    assert (reply.code, reply.billed) == ("connection_lost", "unknown")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_as_the_key_would_go_along(status, vendor, transport):
    with RawServer(answer(good(vendor))) as other:
        location = f"location: {other.host}/v1/chat/completions"
        with RawServer(answer(b"", status, "text/plain", location)) as server:
            (reply,) = one_call(api_at(vendor, server.url(vendor)))
        assert (reply.kind, reply.code) == ("run", "redirected") and "--base-url" in reply.detail
        assert other.heads == []


def test_an_unknown_path_names_the_flag(vendor):
    with RawServer(answer(b"<h1>Not Found</h1>", 404, "text/html")) as server:
        (reply,) = one_call(api_at(vendor, server.host))
    assert (reply.kind, reply.code) == ("run", "not_found") and "is --base-url right?" in reply.detail


@pytest.mark.parametrize("status", [502, 504, 520, 599, 408, 409, 425])
def test_a_gateway_that_speaks_html(status, vendor):
    with RawServer(answer(b"<html>Bad\n\n\x00\x1b[31mGateway</html>", status, "text/html", "retry-after: 2")) as server:
        (reply,) = one_call(api_at(vendor, server.url(vendor)))
    assert (reply.kind, reply.code, reply.billed, reply.wait) == ("again", "server_error", "nothing", 2.0)


def test_the_request_goes_to_the_vendors_path_with_the_key(vendor, transport):
    with RawServer(answer(good(vendor))) as server:
        (reply,) = one_call(api_at(vendor, server.url(vendor)))
    head = server.heads[0].lower()
    assert reply.kind == "ok" and reply.text == "I need the fare."
    assert head.startswith(b"post /v1/chat/completions " if vendor == "openai" else b"post /v1/messages ")
    assert b"authorization: bearer " + KEY.lower().encode() in head
    assert (b"anthropic-version: " in head) == (vendor == "anthropic")
    assert b"content-type: application/json" in head


def test_only_the_flags_say_where_and_as_whom(vendor, monkeypatch):
    upper = vendor.upper()
    for name, value in {
        f"{upper}_BASE_URL": "http://127.0.0.1:9/v1",
        f"{upper}_CUSTOM_HEADERS": "x-planted: custom\nauthorization: Bearer other",
        "OPENAI_ORG_ID": "planted-org",
        "OPENAI_PROJECT_ID": "planted-project",
        "OPENAI_ADMIN_KEY": "planted-admin",
        "ANTHROPIC_AUTH_TOKEN": "planted-token",
        "ANTHROPIC_PROFILE": "planted-profile",
        "ANTHROPIC_API_KEY": "planted-key",
        "OPENAI_API_KEY": "planted-key",
    }.items():
        monkeypatch.setenv(name, value)
    with RawServer(answer(good(vendor))) as server:
        (reply,) = one_call(api_at(vendor, server.url(vendor), environ={}))
    assert reply.kind == "ok"
    assert b"planted" not in server.heads[0].lower() and b"bearer other" not in server.heads[0].lower()


def test_a_cancelled_call_is_cancelled(stub, vendor, transport):
    server = stub([{"every": 1, "fault": "slow", "seconds": 30}])
    api = api_at(vendor, base(server, vendor))

    async def cancelled() -> None:
        task = asyncio.ensure_future(api.call(Ask("k0", api.body(PROMPT))))
        while not server.requests():
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await api.close()

    asyncio.run(cancelled())


def test_many_calls_at_once_and_an_api_that_is_used_again_after_it_was_closed(stub, vendor, transport):
    server = stub()
    api = api_at(vendor, base(server, vendor))

    async def calls() -> list[str]:
        found = await asyncio.gather(*[api.call(Ask("k0", api.body(PROMPT))) for _ in range(100)])
        await api.close()
        await api.close()
        return [reply.kind for reply in found]

    assert asyncio.run(calls()) == ["ok"] * 100
    assert asyncio.run(calls()) == ["ok"] * 100


def test_half_a_character_in_the_dialogue_is_sent(vendor):
    with RawServer(answer(good(vendor))) as server:
        api = api_at(vendor, server.url(vendor))
        body = api.body(type(PROMPT)("Explain.", ("cut \ud83d",)))

        async def call():
            try:
                return await api.call(Ask("k0", body))
            finally:
                await api.close()

        assert asyncio.run(call()).kind == "ok"
