"""A stand-in for a model server, over real TCP: it answers chat completions as told, plain or as a stream."""

from __future__ import annotations

import gzip
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass
class Answer:
    """What the model says to one request; a gate holds a stream back after its first chunk."""

    message: Json = field(default_factory=lambda: {"role": "assistant", "content": "ok"})
    others: list[Json] = field(default_factory=list)
    finish_reason: str = "stop"
    status: int = 200
    error: str = "no"
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    gate: threading.Event | None = None
    compress: bool = False


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: object) -> None:
        pass  # clients may leave at any moment


class StubModel:
    """Listens on a free port; `answer` decides what each request gets, `seen` keeps what came."""

    def __init__(self) -> None:
        self.answer: Callable[[Json], Answer] = lambda body: Answer()
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.left = threading.Event()
        self.numbers = itertools.count()
        self._server = _QuietServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                model.seen.append((self.path, dict(self.headers), b""))
                self._send(200, b'{"object": "list", "data": []}', {"Set-Cookie": "a=1", "X-Thing": "y", "ETag": "3"})

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                model.seen.append((self.path, dict(self.headers), raw))
                if not self.path.split("?")[0].endswith("/chat/completions"):
                    self._send(200, raw[::-1], {})
                    return
                body = json.loads(raw)
                answer = model.answer(body)
                try:
                    if answer.status != 200:
                        told = json.dumps({"error": {"message": answer.error, "type": "t"}}).encode()
                        self._send(answer.status, told, answer.headers)
                    elif body.get("stream"):
                        self._stream(answer)
                    else:
                        self._send(200, json.dumps(model.completion(answer)).encode(), answer.headers, answer.compress)
                except (ConnectionError, TimeoutError):
                    self.close_connection = True
                    model.left.set()

            def _send(self, status: int, body: bytes, headers: dict[str, str], compress: bool = False) -> None:
                body = gzip.compress(body, mtime=0) if compress else body
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if compress:
                    self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _stream(self, answer: Answer) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for number, data in enumerate(model.events(answer)):
                    if number == answer.cut_after:
                        self.close_connection = True
                        return
                    if number == 1 and answer.gate is not None:
                        while not answer.gate.wait(0.02):  # keep-alive comments, as gateways send them
                            self._chunk(b": still at it\n\n")
                    self._chunk(data)
                self.wfile.write(b"0\r\n\r\n")

            def _chunk(self, data: bytes) -> None:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()

        return Handler

    def completion(self, answer: Answer) -> Json:
        listed = [answer.message, *answer.others]
        choices = [
            {"index": index, "message": message, "finish_reason": answer.finish_reason}
            for index, message in enumerate(listed)
        ]
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        return {"id": f"chatcmpl-{next(self.numbers)}", "model": "stub-1", "choices": choices, "usage": usage}

    def events(self, answer: Answer) -> Iterator[bytes]:
        """The completion as server-sent events, texts and arguments in small pieces."""
        whole = self.completion(answer)
        head = {"id": whole["id"], "object": "chat.completion.chunk", "model": whole["model"]}
        for choice in whole["choices"]:
            for delta in deltas(choice["message"]):
                yield event(head | {"choices": [{"index": choice["index"], "delta": delta, "finish_reason": None}]})
        for choice in whole["choices"]:
            last = {"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]}
            yield event(head | {"choices": [last]})
        yield event(head | {"choices": [], "usage": whole["usage"]})
        yield b"data: [DONE]\n\n"


def event(value: Json) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def deltas(message: Json, size: int = 3) -> Iterator[Json]:
    """A message as a server streams it."""
    yield {"role": "assistant", "content": ""}
    for key in ("reasoning_content", "content"):
        for piece in pieces(message.get(key) or "", size):
            yield {key: piece}
    for index, call in enumerate(message.get("tool_calls", ())):
        function = call["function"]
        start = {"name": function["name"], "arguments": ""}
        yield {"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": start}]}
        for piece in pieces(function["arguments"], size):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def pieces(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


@contextmanager
def running_model() -> Iterator[StubModel]:
    model = StubModel()
    try:
        yield model
    finally:
        model.close()
