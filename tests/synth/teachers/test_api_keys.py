"""The key is sent to the server and goes nowhere else: no reply, no exception, no log at any level."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import UsageError
from synth.settings import ModelSettings, PaceSettings
from synth.teachers.apis import make_api
from synth.teachers.hiding import Hider
from tests.synth.teachers.servers import KEY, RawServer, answer, api_at, one_call

SOURCE = Path(__file__).parents[3]
ECHOES = {
    "error with the key": answer(json.dumps({"error": {"message": f"Incorrect API key: {KEY}."}}).encode(), 401),
    "error with half the key": answer(json.dumps({"error": {"message": f"bad key '{KEY[:14]}'..."}}).encode(), 401),
    "error with the key's ends": answer(b'{"error": {"message": "bad key: sk-proj-Pl******5Nm8"}}', 401),
    "error with the header": answer(json.dumps({"error": f"authorization=Bearer {KEY}"}).encode(), 500),
    "error in HTML": answer(f"<html>{KEY}</html>".encode(), 502, "text/html"),
    "HTML": answer(f"<html>{KEY}</html>".encode(), 200, "text/html"),
    "no JSON": answer(f"{{{KEY}".encode()),
    "other JSON": answer(json.dumps({KEY: KEY}).encode()),
    "error under 200": answer(json.dumps({"error": {"message": KEY}}).encode()),
    "headers": answer(
        b"{}", 500, "text/plain", f"x-request-id: {KEY}", f"x-echo: Bearer {KEY}", f"set-cookie: a={KEY}"
    ),
    "headers of a good answer": answer(b"{}", 200, "text/plain", f"request-id: {KEY}", f"x-echo: Bearer {KEY}"),
    "reason": f"HTTP/1.1 500 {KEY}\r\ncontent-length: 0\r\n\r\n".encode(),
    "no HTTP": f"{KEY}\r\n\r\n".encode(),
    "bad header": f"HTTP/1.1 200 OK\r\n{KEY}\x00\r\n\r\n".encode(),
    "bad length": f"HTTP/1.1 200 OK\r\ncontent-length: {KEY}\r\n\r\n".encode(),
    "redirect": answer(b"", 302, "text/plain", f"location: http://127.0.0.1:9/{KEY}"),
    "text": answer(
        json.dumps(
            {
                "type": "message",
                "model": KEY,
                "id": KEY,
                "stop_reason": "end_turn",
                "content": [{"type": "text", "text": f"The key is {KEY}."}],
                "choices": [{"finish_reason": "stop", "message": {"content": f"The key is {KEY}."}}],
            }
        ).encode()
    ),
    "finish": answer(
        json.dumps(
            {
                "stop_reason": KEY,
                "content": [{"type": "text", "text": "The key."}],
                "choices": [{"finish_reason": KEY, "message": {"content": "The key."}}],
            }
        ).encode()
    ),
}


@pytest.fixture
def all_logs(monkeypatch, caplog):
    """Everything that anyone logs, with the SDKs told to log all they can."""
    for name in ("OPENAI_LOG", "ANTHROPIC_LOG"):
        monkeypatch.setenv(name, "debug")
    for name in ("", "openai", "anthropic", "httpx2", "httpcore2", "aiohttp", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


@pytest.mark.parametrize("case", ECHOES)
def test_a_server_that_repeats_the_key(case, vendor, transport, all_logs, capsys):
    with RawServer(ECHOES[case]) as server:
        (reply,) = one_call(api_at(vendor, server.url(vendor)))
    written = [repr(reply), all_logs.text, *capsys.readouterr()]
    written += [record.getMessage() + str(record.exc_text) for record in all_logs.records]
    for text in written:
        assert KEY not in text and KEY[:14] not in text and "5Nm8" not in text
    assert all_logs.records, "the logs were really on"


def test_what_is_logged_as_a_process_with_everything_on():
    lines = answer(json.dumps({"error": {"message": KEY}}).encode(), 500, "text/plain", f"x-echo: {KEY}")
    code = (
        "import logging, sys\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        "from tests.synth.teachers.servers import api_at, one_call\n"
        "for vendor in ('openai', 'anthropic'):\n"
        "    print(one_call(api_at(vendor, sys.argv[1])))\n"
    )
    with RawServer(lines) as server:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", code, server.host],
            capture_output=True,
            text=True,
            cwd=SOURCE,
            env={"OPENAI_LOG": "debug", "ANTHROPIC_LOG": "debug", "PYTHONPATH": str(SOURCE), "PATH": ""},
        )
    assert done.returncode == 0, done.stderr
    assert "server_error" in done.stdout and "DEBUG" in done.stderr
    assert KEY not in done.stdout + done.stderr


def test_the_key_is_in_no_repr_and_no_traceback(vendor):
    api = api_at(vendor, "http://127.0.0.1:9/v1")
    assert KEY not in repr(api) + repr(api.access) + repr(api.hider) + str(vars(api)["access"])
    try:
        make_api(f"{vendor}:", ModelSettings(), PaceSettings(), {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY})
    except UsageError:
        assert KEY not in traceback.format_exc()


def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(vendor):
    for spoilt in (f"{KEY}\n{KEY}", f"{KEY}é", f"Bearer {KEY}"):
        with pytest.raises(UsageError) as caught:
            api_at(vendor, "http://127.0.0.1:9", environ={"OPENAI_API_KEY": spoilt, "ANTHROPIC_API_KEY": spoilt})
        assert "_API_KEY" in str(caught.value) and KEY not in str(caught.value)


@given(st.text(max_size=300), st.text(max_size=300), st.integers(0, 30))
def test_words_are_short_and_printable_and_without_the_key(before, after, start):
    words = Hider(KEY).words(before + KEY[start:] + after)
    assert len(words) <= 200 and (words.isprintable() or not words)
    assert KEY[start:] not in words or len(KEY) - start < 8


@pytest.mark.parametrize(
    "text", ["a" * 10**6, "*" * 10**6, " " * 10**6, "sk-" * 300_000, f"{KEY}x" * 20_000, "\n" * 10**6]
)
def test_hostile_words_are_read_in_no_time(text):
    words = Hider(KEY).words(text)
    assert len(words) <= 200 and KEY[:8] not in words


def test_other_keys_are_hidden_too():
    other = "sk-ant-api03-" + "Zq8Xw2Lm5Vt9Rb4Nc7Yd1Kf6Hg3Js0Pa" * 2
    assert Hider(KEY).words(f"upstream said: bad key {other} today") == "upstream said: bad key [key] today"
    assert Hider("").words("no key\tof ours") == "no key of ours"
