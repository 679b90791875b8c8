"""A two-tool agent on the real OpenAI client, the model that drives it, and the recorder as a process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import openai

from tests.curate.recording_proxy.stub_model import Answer, Json, StubModel

ROOT = Path(__file__).resolve().parents[3]
SYSTEM = "You tell the weather."
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"{name} of a place",
            "parameters": {"type": "object", "properties": {field: {"type": kind}}, "required": [field]},
        },
    }
    for name, field, kind in (("get_celsius", "city", "string"), ("to_fahrenheit", "celsius", "number"))
]


def weather(model: StubModel, **extra: Any) -> Any:
    """The model's part: ask for the temperature of the city named last, convert it, answer."""

    def answer(body: Json) -> Answer:
        messages = body["messages"]
        results = [message for message in messages if message["role"] == "tool"]
        city = next(message for message in messages if message["role"] == "user")["content"].split()[-1]
        if len(results) == 2:
            said: Json = {"content": f"It is {results[1]['content']} F in {city}."}
            return Answer({"role": "assistant", **said, **extra})
        call = ("get_celsius", {"city": city}) if not results else ("to_fahrenheit", json.loads(results[0]["content"]))
        function = {"name": call[0], "arguments": json.dumps(call[1])}
        calls = [{"id": f"call_{next(model.numbers)}", "type": "function", "function": function}]
        return Answer({"role": "assistant", "content": None, "tool_calls": calls, **extra}, finish_reason="tool_calls")

    return answer


def run_tool(name: str, arguments: Json) -> str:
    if name == "get_celsius":
        return json.dumps({"celsius": len(arguments["city"])})
    return str(round(arguments["celsius"] * 1.8 + 32, 1))


def ask(client: openai.OpenAI, messages: list[Any], stream: bool = False, **options: Any) -> Json:
    """One request; the reply as agents send it back."""
    options = {"model": "weather", "messages": messages, "tools": TOOLS, **options}
    if not stream:
        return client.chat.completions.create(**options).choices[0].message.model_dump()
    text, calls = "", {}
    for chunk in client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **options):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for part in choice.delta.tool_calls or ():
                call = calls.setdefault(part.index, {"id": part.id, "type": "function", "function": {"arguments": ""}})
                call["function"]["name"] = part.function.name or call["function"]["name"]
                call["function"]["arguments"] += part.function.arguments or ""
    reply: Json = {"role": "assistant", "content": text or None}
    return reply | ({"tool_calls": list(calls.values())} if calls else {})


def step(client: openai.OpenAI, messages: list[Any], **options: Any) -> bool:
    """One turn of the agent's loop; whether it goes on."""
    reply = ask(client, messages, **options)
    messages.append(reply)
    for call in reply.get("tool_calls") or ():
        content = run_tool(call["function"]["name"], json.loads(call["function"]["arguments"]))
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": content})
    return bool(reply.get("tool_calls"))


def start(city: str) -> list[Any]:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"How warm is it in {city}"}]


def run_agent(client: openai.OpenAI, city: str, **options: Any) -> list[Any]:
    messages = start(city)
    while step(client, messages, **options):
        pass
    return messages


class Recording:
    """`python -m curate.record` as a process before `upstream`; its stderr goes to a file beside the output."""

    def __init__(self, upstream: str, out: Path, *flags: object, listen: int = 0) -> None:
        self.out, self.log = out, out.with_suffix(".log")
        self.offset = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            args = ["--upstream", upstream, "--out", out, "--listen", listen, *flags]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "curate.record", *map(str, args)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"PYTHONWARNINGS": "error"},
            )
        self.url = self._address()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def said(self) -> str:
        return self.log.read_bytes()[self.offset :].decode()

    def _address(self) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if found := re.search(r"base_url for agents: (\S+)\n", self.said()):
                return found[1]
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"the recorder did not start: {self.said()}")

    def client(self, **options: Any) -> openai.OpenAI:
        return openai.OpenAI(**{"base_url": self.url, "api_key": "sk-test", "max_retries": 0, **options})

    def stop(self) -> str:
        """Ask it to end; what it printed."""
        self.process.send_signal(signal.SIGTERM)
        text, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, self.said()
        assert "Traceback" not in self.said()
        return text

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def records(self) -> list[Json]:
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def wait_for(self, count: int) -> list[Json]:
        """The records, once there are so many."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and len(self.records()) < count:
            time.sleep(0.02)
        assert len(self.records()) == count, self.said()
        return self.records()

    def wait_for_turns(self, count: int) -> None:
        """Until the journal knows so many turns, or more."""
        journal = self.out.with_name(f"{self.out.name}.journal")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and journal.read_bytes().count(b'"kind":"turn"') < count:
            time.sleep(0.02)
        assert journal.read_bytes().count(b'"kind":"turn"') >= count
