"""A teacher on loopback that speaks the protocols of OpenAI and Anthropic, online and batch, with a fault plan.

As a process: `python tests/synth/stub_teacher.py --latency-ms 20 --faults plan.json --log requests.jsonl` prints one
line with its port. As a fixture: `Stub(...)` starts such a process and ends it. It is light enough (raw asyncio, no
JSON parsing of requests) to be measured against.

A fault plan is a list of rules; the first that matches a request decides. A rule matches by `at` (request numbers from
0), `every`, `p` (probability, by `seed`), or `contains` (text in the body), and names its `fault`, one of FAULTS.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

Headers = dict[str, str]
Answer = tuple[int, Headers, bytes]
JSON = {"content-type": "application/json"}

FOR_A_CALL = (
    "What is still open can only be settled with {tool}, so I take the values that are known already and make this "
    "call before I promise anything."
)
FOR_A_TEXT = (
    "Nothing more can be found out without the user now, so I say where things stand and leave the next decision to "
    "them."
)
_TOOL = re.compile(rb'<call tool=\\"([\w.-]+)\\"')
_CANDIDATE = b'<message from=\\"candidate\\">'
_WORTH = re.compile(rb"worth (\d)")
_STEPS = re.compile(rb"reasoning of these steps: ([\d, and]+)")


def thought_for(body: bytes) -> str:
    """A thought that fits the action in a request; several, numbered, where a trajectory is asked about.

    A judge's request gets a score instead.
    """
    if _CANDIDATE in body:
        return score_for(body)
    steps = _STEPS.search(body)
    if steps is not None:
        numbers = re.findall(rb"\d+", steps[1])
        return "\n\n".join(f"### step {number.decode()}\n{_step(body, number)}" for number in numbers)
    at = body.rfind(b"<next_action>")
    tool = _TOOL.search(body, max(at, 0)) if at >= 0 else None
    return FOR_A_TEXT if tool is None else FOR_A_CALL.format(tool=tool[1].decode())


def score_for(body: bytes) -> str:
    """A judge's reply to a candidate: what it holds after "worth", words alone if that is "mute", else by its hash.

    A candidate "shy" gets words alone until it is asked for again.
    """
    said = body[body.rfind(_CANDIDATE) :].split(b"</message>")[0]
    if b"worth mute" in said or (b"worth shy" in said and b"An earlier reply" not in body):
        return "A fine answer, I like it."
    named = _WORTH.search(said)
    points = named[1].decode() if named else str(hashlib.sha256(said).digest()[0] % 6)
    return f"It says what it says.\n\nScore: {points}"


def _step(body: bytes, number: bytes) -> str:
    at = body.find(b'step=\\"%s\\"' % number)
    end = body.find(b"</message>", at)
    tool = _TOOL.search(body, at, end) if at >= 0 else None
    return FOR_A_TEXT if tool is None else FOR_A_CALL.format(tool=tool[1].decode())


def openai_body(text: str, number: int, body: bytes, finish: str = "stop") -> dict[str, Any]:
    """A chat completion."""
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "stub-1-2026-01-01",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "logprobs": None,
                "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []},
            }
        ],
        "usage": {
            "prompt_tokens": len(body) // 4,
            "completion_tokens": max(1, len(text) // 4),
            "total_tokens": len(body) // 4 + max(1, len(text) // 4),
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


def anthropic_body(text: str, number: int, body: bytes, stop: str = "end_turn") -> dict[str, Any]:
    """A Message."""
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "stub-1-2026-01-01",
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            "input_tokens": len(body) // 4,
            "output_tokens": max(1, len(text) // 4),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def _error(status: int, code: str, kind: str, message: str, **headers: str) -> Callable[[bool], Answer]:
    def answer(openai: bool) -> Answer:
        if openai:
            body: dict[str, Any] = {"error": {"message": message, "type": kind, "param": None, "code": code}}
        else:
            body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
        return status, {**JSON, **headers}, json.dumps(body).encode()

    return answer


def _date(seconds: float) -> str:
    return formatdate(time.time() + seconds, usegmt=True)


_LIMIT = ("rate_limit_exceeded", "rate_limit_error", "Rate limit reached")
FAULTS: dict[str, Callable[[bool], Answer]] = {
    "429": _error(429, *_LIMIT),
    "429_seconds": _error(429, *_LIMIT, **{"retry-after": "1"}),
    "429_float": _error(429, *_LIMIT, **{"retry-after": "0.25"}),
    "429_ms": _error(429, *_LIMIT, **{"retry-after-ms": "150"}),
    "429_date": lambda openai: _error(429, *_LIMIT, **{"retry-after": _date(1)})(openai),
    "429_huge": _error(429, *_LIMIT, **{"retry-after": "3600"}),
    "429_garbage": _error(429, *_LIMIT, **{"retry-after": "soon"}),
    "quota": _error(429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota"),
    "400": _error(400, "invalid_value", "invalid_request_error", "Invalid value"),
    "too_long": _error(
        400, "context_length_exceeded", "invalid_request_error", "This model's maximum context length is 8192 tokens"
    ),
    "no_credit": _error(400, "", "invalid_request_error", "Your credit balance is too low to access the API"),
    "401": _error(401, "invalid_api_key", "authentication_error", "Incorrect API key provided"),
    "402": _error(402, "", "billing_error", "Payment required"),
    "403": _error(403, "", "permission_error", "Not allowed"),
    "404": _error(404, "model_not_found", "not_found_error", "The model does not exist"),
    "413": _error(413, "", "request_too_large", "Request too large"),
    "500": _error(500, "", "api_error", "The server had an error"),
    "503": _error(503, "", "overloaded_error", "Try again"),
    "529": _error(529, "", "overloaded_error", "Overloaded"),
    "html": lambda openai: (200, {"content-type": "text/html"}, b"<html><body>502 Bad Gateway</body></html>"),
    "error_body": lambda openai: (200, JSON, _error(500, "x", "api_error", "upstream failed")(openai)[2]),
}
"""Faults that are whole answers; beside them slow, cut, reset, truncated, empty, cut_off, refusal (see `_answered`)."""
ONLINE = {"/v1/chat/completions": True, "/v1/messages": False}


class Plan:
    """Which request meets which fault."""

    def __init__(self, rules: Sequence[Mapping[str, Any]]) -> None:
        self._rules = [(rule, random.Random(rule.get("seed", 0))) for rule in rules]

    def rule(self, number: int, body: bytes) -> Mapping[str, Any]:
        """The rule for a request; empty for none."""
        for rule, chance in self._rules:
            drawn = chance.random() < rule.get("p", 0)
            at = number in rule.get("at", ()) or ("every" in rule and number % rule["every"] == rule["every"] - 1)
            if drawn or at or ("contains" in rule and rule["contains"].encode() in body):
                return rule
        return {}


class Server:
    """State of all connections."""

    def __init__(self, settings: argparse.Namespace) -> None:
        rules = json.loads(Path(settings.faults).read_text()) if settings.faults else []
        self.plan = Plan(rules)
        self.latency = settings.latency_ms / 1000
        self.key = settings.key
        self.number = 0
        self.log = os.open(settings.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if settings.log else None
        self.replies: list[str] = json.loads(Path(settings.replies).read_text()) if settings.replies else []
        self.batches: Any = None
        if settings.state_dir:
            from stub_batches import Batches  # type: ignore[import-not-found]

            faults = json.loads(settings.batch_faults)
            self.batches = Batches(Path(settings.state_dir), self.batch_reply, faults)

    def batch_reply(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The online body for one request of a batch."""
        raw = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        self.number += 1
        return self.good(path, raw, self.number)

    def text(self, body: bytes, number: int) -> str:
        """The answer's text."""
        return self.replies[number % len(self.replies)] if self.replies else thought_for(body)

    def good(self, path: str, body: bytes, number: int) -> dict[str, Any]:
        """An answer without fault."""
        make = openai_body if ONLINE[path] else anthropic_body
        return make(self.text(body, number), number, body)

    def note(self, number: int, path: str, body: bytes, fault: str | None) -> None:
        """Log a request, durable against the end of this process."""
        if self.log is not None:
            sha = hashlib.sha256(body).hexdigest()[:16]
            os.write(self.log, json.dumps({"n": number, "path": path, "sha": sha, "fault": fault}).encode() + b"\n")


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._data = b""
        self._transport: Any = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            if headers.get("expect", "").lower() == "100-continue":
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if headers.get("transfer-encoding") == "chunked":
                body, rest = _dechunked(self._data[end + 4 :])
                if body is None:
                    return
            else:
                size = int(headers.get("content-length", 0))
                if len(self._data) < end + 4 + size:
                    return
                body, rest = self._data[end + 4 : end + 4 + size], self._data[end + 4 + size :]
            self._data = rest
            method, target, _ = head[0].split(" ", 2)
            self._serve(method, target, headers, body)

    def _serve(self, method: str, target: str, headers: Headers, body: bytes) -> None:
        path, _, query = target.partition("?")
        if not self._server.key or self._server.key in (
            headers.get("authorization", "").removeprefix("Bearer "),
            headers.get("x-api-key"),
        ):
            if path in ONLINE and method == "POST":
                self._online(path, body)
            else:
                task = asyncio.ensure_future(self._offline(method, path, query, headers, body))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        else:
            self._send(FAULTS["401"](path != "/v1/messages"))

    def _online(self, path: str, body: bytes) -> None:
        server, loop = self._server, asyncio.get_running_loop()
        number = server.number
        server.number += 1
        rule = server.plan.rule(number, body)
        server.note(number, path, body, rule.get("fault"))
        delay = server.latency + (rule.get("seconds", 1.0) if rule.get("fault") == "slow" else 0)
        loop.call_later(delay, self._answered, path, body, number, rule.get("fault"))

    def _answered(self, path: str, body: bytes, number: int, fault: str | None) -> None:
        if fault in FAULTS:
            self._send(FAULTS[fault](ONLINE[path]))
            return
        if fault == "reset":
            self._transport.abort()
            return
        answer = self._server.good(path, body, number)
        if fault in ("empty", "cut_off", "refusal"):
            answer = _spoilt(fault, path, body, number)
        data = json.dumps(answer, ensure_ascii=False).encode()
        if fault == "truncated":
            data = data[: len(data) // 2]
        self._send(
            (200, {**JSON, "x-request-id": f"req-{number}", "request-id": f"req-{number}"}, data), fault == "cut"
        )

    async def _offline(self, method: str, path: str, query: str, headers: Headers, body: bytes) -> None:
        answer = None
        if self._server.batches is not None:
            if method == "POST":
                self._server.note(-1, path, body, None)
            host = f"http://{headers.get('host', '127.0.0.1')}"
            answer = await self._server.batches.route(method, path, query, headers, body, host)
        if answer is not None and answer[0] == 0:
            self._transport.abort()
            return
        self._send(answer or (404, JSON, b'{"error": {"message": "no such path"}}'))

    def _send(self, answer: Answer, cut: bool = False) -> None:
        if self._transport.is_closing():
            return
        status, headers, body = answer
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        data = f"HTTP/1.1 {status} X\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body
        if cut:
            self._transport.write(data[: len(data) - len(body) // 2])
            self._transport.close()
        else:
            self._transport.write(data)


def _spoilt(fault: str, path: str, body: bytes, number: int) -> dict[str, Any]:
    """An answer of the API that holds no thought."""
    text = {"empty": "", "cut_off": "The next step is to", "refusal": "I can't help with that."}[fault]
    if ONLINE[path]:
        finish = {"empty": "stop", "cut_off": "length", "refusal": "content_filter"}[fault]
        return openai_body(text, number, body, finish)
    stop = {"empty": "end_turn", "cut_off": "max_tokens", "refusal": "refusal"}[fault]
    return anthropic_body(text, number, body, stop)


def _dechunked(data: bytes) -> tuple[bytes | None, bytes]:
    """(body, what follows it), or (None, data) while chunks are missing."""
    body, at = b"", 0
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end].split(b";")[0], 16)
        if len(data) < end + 2 + size + 2:
            break
        if size == 0:
            return body, data[end + 4 :]
        body += data[end + 2 : end + 2 + size]
        at = end + 2 + size + 2
    return None, data


class Stub:
    """The server as a process, for a `with` block; `url` is what `--base-url` takes (with /v1 for OpenAI)."""

    def __init__(self, folder: Path, *flags: str, faults: Sequence[Mapping[str, Any]] = ()) -> None:
        self.log = folder / "requests.jsonl"
        plan = folder / "faults.json"
        plan.write_text(json.dumps(list(faults)))
        command = [sys.executable, __file__, "--faults", str(plan), "--log", str(self.log), *flags]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = json.loads(self._process.stdout.readline())["port"]
        self.host = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.host}/v1"

    def __enter__(self) -> Stub:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def requests(self) -> list[dict[str, Any]]:
        """What came so far, online requests alone."""
        if not self.log.exists():
            return []
        return [entry for line in self.log.read_text().splitlines() if (entry := json.loads(line))["n"] >= 0]


async def serve(settings: argparse.Namespace) -> None:
    """Listen until ended."""
    server = Server(settings)
    listening = await asyncio.get_running_loop().create_server(lambda: Connection(server), "127.0.0.1", settings.port)
    sys.stdout.write(json.dumps({"port": listening.sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    await listening.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--faults")
    parser.add_argument("--log")
    parser.add_argument("--key", help="the only key that is let in")
    parser.add_argument("--replies", help="JSON list of texts, given in turn")
    parser.add_argument("--state-dir", help="where batches live; none without")
    parser.add_argument("--batch-faults", default="{}")
    asyncio.run(serve(parser.parse_args()))
