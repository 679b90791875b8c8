"""Both vendors' batch APIs on loopback: state on disk, so that restarted clients and stubs find their batches.

`Batches.route` answers what a server got; status 0 means that the connection is to be cut without an answer. Work is
done when a batch is looked at after its time, and each request that was done stands in `done.jsonl`: what was paid.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

Answer = tuple[int, dict[str, str], bytes]
Record = dict[str, Any]

OPENAI_LIMITS = (50_000, 200_000_000)
ANTHROPIC_LIMITS = (100_000, 256_000_000)
CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CUT: Answer = (0, {}, b"")
CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"


class Batches:
    """The batches of a server.

    Args:
        state_dir: where they live.
        reply: the online JSON body for (path, body).
        faults: what goes wrong; counts are of creations from the first of this state_dir on, whoever made them:
            seconds: that a batch takes;
            lost_creates: numbers (from 0) of creations that are stored and whose answer is lost;
            refused_creates: {number: status}: creations that are answered with a status, and not stored;
            failed: {number: code}: OpenAI batches that fail as a whole, e.g. token_limit_exceeded;
            token_limit: requests in open batches above which an OpenAI batch fails with token_limit_exceeded;
            expired: numbers of batches that expire with the first `part` of their requests done;
            part: of requests done where a batch expires or is cancelled (.5);
            errored: {text in the body: error type}: requests that end with an error;
            status: {text in the body: HTTP status}: the same for OpenAI, as a line whose status_code is not 200;
            garbage: texts in the body whose answer is no completion, although its status is 200;
            truncated: how many fetches of results are cut in the middle of their last line;
            broken: how many fetches of results have a line in the middle that is no JSON;
            limits: [requests, bytes] instead of the vendor's.
    """

    def __init__(self, state_dir: Path, reply: Callable[[str, Record], Record], faults: Record) -> None:
        self._dir = state_dir
        self._reply = reply
        self._faults = faults
        for name in ("files", "batches"):
            (state_dir / name).mkdir(parents=True, exist_ok=True)

    async def route(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes, base_url: str
    ) -> Answer | None:
        """The answer to a request; None if its path is not about batches."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        parts = path.removeprefix("/v1/").split("/")
        if parts[0] == "files":
            return self._files(method, parts[1:], headers, body)
        if parts[0] == "batches":
            return self._openai(method, parts[1:], asked, body)
        if parts[:2] == ["messages", "batches"]:
            return self._anthropic(method, parts[2:], asked, body, base_url)
        return None

    def _files(self, method: str, parts: list[str], headers: dict[str, str], body: bytes) -> Answer:
        if method == "POST" and not parts:
            data = _multipart_file(headers["content-type"], body)
            name = f"file-{self._next():06d}"
            _write(self._dir / "files" / name, data)
            return _json({"id": name, "object": "file", "bytes": len(data), "created_at": int(time.time()),
                          "filename": "asks.jsonl", "purpose": "batch", "status": "processed"})  # fmt: skip
        if method == "GET" and len(parts) == 2 and parts[1] == "content":
            path = self._dir / "files" / Path(parts[0]).name
            return self._lines(path) if path.exists() else _missing(openai=True)
        return _missing(openai=True)

    def _openai(self, method: str, parts: list[str], asked: Record, body: bytes) -> Answer:
        if method == "POST" and not parts:
            return self._create_openai(json.loads(body))
        if method == "GET" and not parts:
            page, more = self._page(asked.get("after"), asked.get("limit"), "openai")
            data = [self._openai_batch(batch) for batch in page]
            return _json({"object": "list", "data": data, "has_more": more})
        batch = self._batch(parts[0], "openai")
        if batch is None:
            return _missing(openai=True)
        if method == "POST" and parts[1:] == ["cancel"]:
            self._cancel(batch)
        return _json(self._openai_batch(batch))

    def _anthropic(self, method: str, parts: list[str], asked: Record, body: bytes, base_url: str) -> Answer:
        if method == "POST" and not parts:
            return self._create_anthropic(body, base_url)
        if method == "GET" and not parts:
            page, more = self._page(asked.get("after_id"), asked.get("limit"), "anthropic")
            data = [self._anthropic_batch(batch, base_url) for batch in page]
            ends = [batch["id"] for batch in data]
            return _json({"data": data, "has_more": more, "first_id": ends[0] if ends else None,
                          "last_id": ends[-1] if ends else None})  # fmt: skip
        batch = self._batch(parts[0], "anthropic")
        if batch is None:
            return _missing(openai=False)
        if method == "POST" and parts[1:] == ["cancel"]:
            self._cancel(batch)
        if method == "GET" and parts[1:] == ["results"]:
            ready = batch["state"] not in ("open", "cancelling")
            return self._lines(self._dir / "files" / batch["output"]) if ready else _missing(openai=False)
        return _json(self._anthropic_batch(batch, base_url))

    def _create_openai(self, asked: Record) -> Answer:
        number = self._count_creation()
        if (refused := self._refused(number, openai=True)) is not None:
            return refused
        path = self._dir / "files" / Path(asked["input_file_id"]).name
        if not path.exists() or asked["endpoint"] != CHAT or asked["completion_window"] != "24h":
            return _error(400, "invalid_request_error", "no such input file, endpoint or window", openai=True)
        metadata = asked.get("metadata") or {}
        if len(metadata) > 16 or any(len(k) > 64 or len(str(v)) > 512 for k, v in metadata.items()):
            return _error(400, "invalid_request_error", "metadata too long", openai=True)
        requests = [json.loads(line) for line in path.read_bytes().splitlines()]
        problem = self._faults.get("failed", {}).get(str(number))
        problem = problem or _openai_problem(requests, path.stat().st_size, self._limits(OPENAI_LIMITS))
        limit = self._faults.get("token_limit")
        if limit is not None and len(requests) + self._enqueued() > limit:
            problem = problem or "token_limit_exceeded"
        batch = self._store("openai", number, path.name, len(requests), metadata=metadata, problem=problem)
        return CUT if number in self._faults.get("lost_creates", ()) else _json(self._openai_batch(batch))

    def _create_anthropic(self, body: bytes, base_url: str) -> Answer:
        number = self._count_creation()
        if (refused := self._refused(number, openai=False)) is not None:
            return refused
        requests = json.loads(body)["requests"]
        most, most_bytes = self._limits(ANTHROPIC_LIMITS)
        names = [request["custom_id"] for request in requests]
        if len(body) > most_bytes:
            return _error(413, "request_too_large", "the batch is too large", openai=False)
        if not 0 < len(requests) <= most or not all(CUSTOM_ID.fullmatch(name) for name in names):
            return _error(400, "invalid_request_error", "requests: too many, or a bad custom_id", openai=False)
        if len(set(names)) < len(names):
            return _error(400, "invalid_request_error", "requests: custom_ids are not unique", openai=False)
        name = f"file-{self._next():06d}"
        lines = [json.dumps({"custom_id": r["custom_id"], "body": r["params"]}).encode() + b"\n" for r in requests]
        _write(self._dir / "files" / name, b"".join(lines))
        batch = self._store("anthropic", number, name, len(requests))
        lost = number in self._faults.get("lost_creates", ())
        return CUT if lost else _json(self._anthropic_batch(batch, base_url))

    def _limits(self, vendor: tuple[int, int]) -> tuple[int, int]:
        most, most_bytes = self._faults.get("limits", vendor)
        return most, most_bytes

    def _refused(self, number: int, *, openai: bool) -> Answer | None:
        status = self._faults.get("refused_creates", {}).get(str(number))
        if status is None:
            return None
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(status, "api_error")
        return _error(status, kind, "refused", openai=openai)

    def _store(self, vendor: str, number: int, source: str, total: int, **more: Any) -> Record:
        now = time.time()
        batch = {"id": f"{'batch' if vendor == 'openai' else 'msgbatch'}_{number:06d}", "vendor": vendor,
                 "number": number, "input": source, "total": total, "created": now, "state": "open",
                 "ready": now + self._faults.get("seconds", 0.0), "counts": {}, "output": None,
                 "errors": None, "problem": None, **more}  # fmt: skip
        if batch["problem"]:
            batch["state"] = "failed"
        self._save(batch)
        return batch

    def _save(self, batch: Record) -> None:
        _write(self._dir / "batches" / batch["id"], json.dumps(batch).encode())

    def _batch(self, name: str, vendor: str) -> Record | None:
        """A batch as it stands now."""
        path = self._dir / "batches" / Path(name).name
        if not path.exists():
            return None
        batch: Record = json.loads(path.read_bytes())
        if batch["vendor"] != vendor:
            return None
        if batch["state"] in ("open", "cancelling") and time.time() >= batch["ready"]:
            self._work(batch)
        return batch

    def _cancel(self, batch: Record) -> None:
        if batch["state"] == "open":
            batch["state"] = "cancelling"
            batch["ready"] = min(batch["ready"], time.time() + self._faults.get("seconds", 0.0) / 4)
            self._save(batch)

    def _enqueued(self) -> int:
        batches = [self._batch(path.name, "openai") for path in (self._dir / "batches").iterdir()]
        return sum(batch["total"] for batch in batches if batch is not None and batch["state"] == "open")

    def _page(self, after: str | None, limit: str | None, vendor: str) -> tuple[list[Record], bool]:
        """Newest first, as both vendors list them."""
        names = sorted((path.name for path in (self._dir / "batches").iterdir()), reverse=True)
        known = [batch for name in names if (batch := self._batch(name, vendor)) is not None]
        left = [batch for batch in known if after is None or batch["id"] < after]
        size = int(limit or 20)
        return left[:size], len(left) > size

    def _work(self, batch: Record) -> None:
        """Do a batch's requests; what it became is stored."""
        source = (self._dir / "files" / batch["input"]).read_bytes().splitlines()
        requests = [json.loads(line) for line in source]
        random.Random(batch["number"]).shuffle(requests)
        expired = batch["number"] in self._faults.get("expired", ())
        ended = "cancelled" if batch["state"] == "cancelling" else "expired" if expired else "completed"
        doing = len(requests)
        if ended != "completed":
            doing = int(len(requests) * self._faults.get("part", 0.5))
        output, errors, counts = [], [], {"succeeded": 0, "errored": 0, "left": 0}
        for at, request in enumerate(requests):
            outcome, line = self._line(batch["vendor"], request, ended if at >= doing else None)
            counts[outcome] += 1
            good = batch["vendor"] == "anthropic" or outcome == "succeeded" or ("response" in line and line["response"])
            (output if good else errors).append(line)
        self._note(batch, [line["custom_id"] for line in output if _succeeded(line)])
        for name, lines in (("output", output), ("errors", errors)):
            if lines or (batch["vendor"] == "anthropic" and name == "output"):
                batch[name] = f"file-{self._next():06d}"
                data = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
                _write(self._dir / "files" / batch[name], data)
        batch.update(state=ended, counts=counts)
        self._save(batch)

    def _line(self, vendor: str, request: Record, undone: str | None) -> tuple[str, Record]:
        """(outcome, line of the results) of one request."""
        body, text = request["body"], json.dumps(request["body"])
        error = next((kind for cue, kind in self._faults.get("errored", {}).items() if cue in text), None)
        status = next((code for cue, code in self._faults.get("status", {}).items() if cue in text), 200)
        outcome = "left" if undone else "errored" if error or status != 200 else "succeeded"
        answer: Record = {}
        if outcome == "succeeded":
            answer = self._reply(CHAT if vendor == "openai" else MESSAGES, body)
            if any(cue in text for cue in self._faults.get("garbage", ())):
                answer = {"oops": 1}
        if vendor == "anthropic":
            return outcome, _anthropic_line(request["custom_id"], undone, error, answer)
        return outcome, _openai_line(request["custom_id"], undone, error, status, answer)

    def _note(self, batch: Record, names: list[str]) -> None:
        """Note what was done and is paid for."""
        with (self._dir / "done.jsonl").open("a") as file:
            file.writelines(json.dumps({"batch": batch["id"], "key": name}) + "\n" for name in names)

    def done(self) -> Iterator[Record]:
        """What was done and is paid for, over the life of the state_dir."""
        path = self._dir / "done.jsonl"
        if path.exists():
            yield from map(json.loads, path.read_text().splitlines())

    def _lines(self, path: Path) -> Answer:
        """A file of results, perhaps damaged on its way."""
        data = path.read_bytes()
        if self._use_up("truncated") and data:
            data = data[: -len(data.splitlines()[-1]) // 2]
        if self._use_up("broken") and data:
            lines = data.splitlines(keepends=True)
            lines[len(lines) // 2] = lines[len(lines) // 2][:20] + b"\n"
            data = b"".join(lines)
        return 200, {"content-type": "application/octet-stream"}, data

    def _use_up(self, fault: str) -> bool:
        """Whether a fault that comes a number of times comes now."""
        if not self._faults.get(fault):
            return False
        return self._next(fault) < self._faults[fault]

    def _count_creation(self) -> int:
        return self._next("creations")

    def _next(self, name: str = "files") -> int:
        path = self._dir / f"next_{name}"
        number = int(path.read_text()) if path.exists() else 0
        _write(path, str(number + 1).encode())
        return number

    def _openai_batch(self, batch: Record) -> Record:
        state, counts = batch["state"], batch["counts"]
        status = {"open": "in_progress"}.get(state, state)
        errors = None
        if batch["problem"]:
            what = {"code": batch["problem"], "message": "refused", "line": None, "param": None}
            errors = {"object": "list", "data": [what]}
        done, failed = counts.get("succeeded", 0), counts.get("errored", 0)
        return {"id": batch["id"], "object": "batch", "endpoint": CHAT, "completion_window": "24h", "status": status,
                "input_file_id": batch["input"], "output_file_id": batch["output"], "error_file_id": batch["errors"],
                "created_at": int(batch["created"]), "metadata": batch["metadata"], "errors": errors,
                "request_counts": {"total": batch["total"], "completed": done, "failed": failed}}  # fmt: skip

    def _anthropic_batch(self, batch: Record, base_url: str) -> Record:
        state, counts = batch["state"], batch["counts"]
        status = {"open": "in_progress", "cancelling": "canceling"}.get(state, "ended")
        ended = status == "ended"
        left = counts.get("left", 0)
        url = f"{base_url}/v1/messages/batches/{batch['id']}/results"
        return {"id": batch["id"], "type": "message_batch", "processing_status": status,
                "request_counts": {"processing": 0 if ended else batch["total"],
                                   "succeeded": counts.get("succeeded", 0), "errored": counts.get("errored", 0),
                                   "canceled": left if state == "cancelled" else 0,
                                   "expired": left if state == "expired" else 0},
                "created_at": _iso(batch["created"]), "expires_at": _iso(batch["created"] + 86_400),
                "ended_at": _iso(batch["ready"]) if ended else None, "archived_at": None,
                "cancel_initiated_at": None, "results_url": url if ended else None}  # fmt: skip


def _openai_line(name: str, undone: str | None, error: str | None, status: int, answer: Record) -> Record:
    line: Record = {"id": f"batch_req_{name[:12]}", "custom_id": name, "response": None, "error": None}
    if undone:
        line["error"] = {"code": f"batch_{undone}", "message": f"This request could not be executed: {undone}."}
    elif error:
        line["error"] = {"code": error, "message": "The request failed."}
    else:
        if status != 200:
            answer = {"error": {"message": "refused", "type": "invalid_request_error", "code": "invalid_value"}}
        line["response"] = {"status_code": status, "request_id": f"req-{name[:12]}", "body": answer}
    return line


def _anthropic_line(name: str, undone: str | None, error: str | None, answer: Record) -> Record:
    result: Record = {"type": "succeeded", "message": answer}
    if undone:
        result = {"type": {"cancelled": "canceled"}.get(undone, undone)}
    elif error:
        what = {"type": error, "message": "refused"}
        result = {"type": "errored", "error": {"type": "error", "error": what, "request_id": "req_1"}}
    return {"custom_id": name, "result": result}


def _succeeded(line: Record) -> bool:
    if "result" in line:
        return bool(line["result"]["type"] == "succeeded")
    return bool(line["response"] and line["response"]["status_code"] == 200)


def _openai_problem(requests: list[Record], size: int, limits: tuple[int, int]) -> str | None:
    """Why OpenAI refuses a file, found while it validates."""
    names = [request["custom_id"] for request in requests]
    if not requests:
        return "empty_file"
    if len(requests) > limits[0] or size > limits[1]:
        return "too_many_tasks"
    if len(set(names)) < len(names):
        return "duplicate_custom_id"
    if any(request["url"] != CHAT or request["method"] != "POST" for request in requests):
        return "mismatched_endpoint"
    if len({request["body"].get("model") for request in requests}) > 1:
        return "mismatched_model"
    return None


def _multipart_file(content_type: str, body: bytes) -> bytes:
    parsed = message_from_bytes(b"content-type: " + content_type.encode() + b"\r\n\r\n" + body)
    for part in parsed.get_payload():  # type: ignore[union-attr]
        if part.get_param("name", header="content-disposition") == "file":  # type: ignore[union-attr]
            data = part.get_payload(decode=True)  # type: ignore[union-attr]
            assert isinstance(data, bytes)
            return data
    raise AssertionError("no file in the upload")


def _json(value: Record) -> Answer:
    return 200, {"content-type": "application/json"}, json.dumps(value).encode()


def _error(status: int, kind: str, message: str, *, openai: bool) -> Answer:
    error = {"type": kind, "message": message}
    body: Record = {"error": {**error, "code": None, "param": None}} if openai else {"type": "error", "error": error}
    return status, {"content-type": "application/json"}, json.dumps(body).encode()


def _missing(*, openai: bool) -> Answer:
    return _error(404, "not_found_error", "no such thing", openai=openai)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: this process may be killed too."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    if path.parent.name == "batches":
        beside = path.parent.parent / f".{path.name}.{os.getpid()}"
    beside.write_bytes(data)
    beside.replace(path)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
