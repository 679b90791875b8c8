"""A key may stand anywhere in a request's head; none may be found in anything that the recorder writes."""

from __future__ import annotations

import http.client
import socket
from urllib.parse import urlsplit

import pytest

from tests.curate.recording_proxy.recorded_agent import run_agent
from tests.curate.recording_proxy.stub_model import Answer

KEY = "sk-PLANTED-0123456789"
CHAT = b'{"api_key": "%s", "model": "m", "user": "%s", "messages": [{"role": "user", "content": "hi"}]}'
HEADERS = {
    "Authorization": f"Bearer {KEY}",
    "api-key": KEY,
    "x-api-key": KEY,
    "Cookie": f"session={KEY}",
    "Proxy-Authorization": KEY,
    "X-Anything": KEY,
}


def raw(url: str, data: bytes) -> bytes:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_no_key_is_ever_written(record, model, tmp_path, end):
    recording = record()
    with recording.client(api_key=KEY, default_headers=HEADERS, default_query={"key": KEY, "api-key": KEY}) as client:
        run_agent(client, "Rome")
        run_agent(client, "Rome", stream=True)
        assert all(f"Bearer {KEY}" in headers.values() for _, headers, _ in model.seen)
        assert all(f"?key={KEY}" in path for path, _, _ in model.seen)
        recording.wait_for_turns(6)
    model.answer = lambda body: Answer(status=401, headers={"Set-Cookie": KEY})
    parts = urlsplit(recording.url)
    for path in (f"/v1/chat/completions?key={KEY}", f"/v1/{KEY}", "/cacherl/reward?key=" + KEY):
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
        connection.request("POST", path, CHAT.replace(b"%s", KEY.encode()), HEADERS)
        connection.getresponse().read()
        connection.close()
    raw(recording.url, f"GET /v1/x HTTP/1.1\r\nAuthorization: {KEY}\x00\r\n\r\n".encode())
    raw(recording.url, f"GET http://{KEY}@x/y HTTP/1.1\r\nHost: {KEY}\r\n\r\n".encode())
    raw(recording.url, f"{KEY} {KEY}\r\n\r\n".encode())
    raw(recording.url, f"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 99\r\nkey: {KEY}\r\n\r\n{{".encode())
    model.close()  # errors of connections must not quote what was sent either
    raw(recording.url, f"GET /v1/{KEY} HTTP/1.1\r\nAuthorization: {KEY}\r\nConnection: close\r\n\r\n".encode())
    printed = recording.stop() if end == "stop" else recording.kill()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"rec.jsonl", "rec.log"} <= {path.name for path in files}
    assert not [path for path in files if b"PLANTED" in path.read_bytes()]
    assert "PLANTED" not in (printed or "")
    assert "Traceback" not in recording.said()


def test_a_key_in_the_upstreams_address_is_refused_and_not_repeated(tmp_path, capsys):
    from curate.record import main

    for url in (f"https://{KEY}@x.com/v1", f"https://x.com/v1?key={KEY}", f"ftp://{KEY}", f"http://[{KEY}"):
        assert main(["--upstream", url, "--out", str(tmp_path / "a.jsonl")]) == 2
        captured = capsys.readouterr()
        assert "--upstream" in captured.err
        assert "PLANTED" not in captured.err + captured.out
