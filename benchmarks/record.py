"""What `python -m curate.record` adds to a request, measured against a loopback model; the last line is JSON.

Each round sends the same requests straight to the model and through the proxy, in turns. The model waits as long as
`--think-ms` says before its first byte: agents at once share the machine with the proxy, the model and the load itself,
so without a wait the figure would be the throughput of all three.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import Process, Queue
from pathlib import Path

CHUNKS = 20
"""Words of a streamed reply."""


def body(stream: bool, history: int) -> bytes:
    """A request of an agent in mid-work: a system prompt, tools and a history, `history` bytes in all."""
    tools = [
        {"type": "function", "function": {"name": f"tool_{n}", "parameters": {"type": "object"}}} for n in range(8)
    ]
    turns = [{"role": "user" if n % 2 else "assistant", "content": "w" * 500} for n in range(max(1, history // 540))]
    messages = [{"role": "system", "content": "s" * 500}, *turns, {"role": "user", "content": "go on"}]
    return json.dumps({"model": "m", "stream": stream, "tools": tools, "messages": messages}).encode()


def model(port: Queue[int], think: float) -> None:
    """A model server on bare sockets, as light as can be; runs in its own process until it is ended."""
    text = {"role": "assistant", "content": "word " * CHUNKS}
    plain = json.dumps({"id": "c", "model": "m", "choices": [{"index": 0, "message": text, "finish_reason": "stop"}]})
    whole = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(plain)}\r\n\r\n{plain}".encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    delta = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "word "}}]}
    word, done = chunked(f"data: {json.dumps(delta)}\n\n"), chunked("data: [DONE]\n\n") + b"0\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await read_head(reader):
            asked = await reader.readexactly(int(re.search(rb"(?i)content-length: (\d+)", request)[1]))
            await asyncio.sleep(think)
            if b'"stream": true' not in asked:
                writer.write(whole)
                continue
            writer.write(head)
            for _ in range(CHUNKS):
                writer.write(word)
                await asyncio.sleep(think / CHUNKS)
            writer.write(done)
        writer.close()

    async def listen() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(listen())


def chunked(text: str) -> bytes:
    """One chunk of a chunked body."""
    return f"{len(text):x}\r\n{text}\r\n".encode()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """The head of a request or reply; empty where the other side has gone."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def agent(port: int, data: bytes, stream: bool, requests: int) -> list[float]:
    """Seconds to the end of each plain reply, or to the first chunk of each stream, on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    took = []
    for _ in range(requests):
        begun = time.perf_counter()
        writer.write(head + data)
        reply = await read_head(reader)
        if stream:
            await reader.readuntil(b"\n\n")
            took.append(time.perf_counter() - begun)
            await reader.readuntil(b"0\r\n\r\n")
        else:
            await reader.readexactly(int(re.search(rb"(?i)content-length: (\d+)", reply)[1]))
            took.append(time.perf_counter() - begun)
    writer.close()
    return took


async def load(port: int, data: bytes, stream: bool, agents: int, requests: int) -> list[float]:
    """Latencies of `agents` at once, `requests` each; they start spread over the first moments."""
    runs = []
    for number in range(agents):
        runs.append(asyncio.create_task(agent(port, data, stream, requests)))
        await asyncio.sleep(0.0031 if number < agents - 1 else 0)
    return [value for run in runs for value in await run]


def compare(ports: tuple[int, int], data: bytes, stream: bool, agents: int, rounds: int, requests: int) -> list[float]:
    """Milliseconds: direct p50, p95, proxied p50, p95, added p50, p95, over short runs in turns."""
    took: dict[int, list[float]] = {port: [] for port in ports}
    for round_number in range(rounds):
        for port in ports if round_number % 2 else ports[::-1]:
            took[port] += asyncio.run(load(port, data, stream, agents, requests))
    direct, proxied = ([1000 * quantile(took[port], percent) for percent in (50, 95)] for port in ports)
    return [*direct, *proxied, *(slow - fast for fast, slow in zip(direct, proxied, strict=True))]


def quantile(values: list[float], percent: int) -> float:
    """A percentile."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def start_proxy(port: int, out: Path) -> tuple[subprocess.Popen[str], int]:
    """The recorder before the model, and its port."""
    flags = ["--upstream", f"http://127.0.0.1:{port}/v1", "--listen", "0", "--out", str(out)]
    proxy = subprocess.Popen(
        [sys.executable, "-m", "curate.record", *flags], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert proxy.stderr is not None
    return proxy, int(re.search(r"agents: http://127\.0\.0\.1:(\d+)", proxy.stderr.readline())[1])


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(prog="python benchmarks/record.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="direct and proxied runs, in turns")
    parser.add_argument("--requests", type=int, default=6, help="of an agent in a run; half as many of each of 32")
    parser.add_argument("--history", type=int, default=20_000, help="bytes of a request")
    parser.add_argument("--think-ms", type=float, default=200.0, help="the model's wait before its first byte")
    settings = parser.parse_args(argv)
    port: Queue[int] = Queue()
    stub = Process(target=model, args=(port, settings.think_ms / 1000), daemon=True)
    stub.start()
    upstream = port.get(timeout=30)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        proxy, listening = start_proxy(upstream, Path(folder) / "rec.jsonl")
        try:
            print("reply | agents | direct p50 | p95 | proxied p50 | p95 | added p50 | p95 (ms)")
            print("---|---|---|---|---|---|---|---")
            for stream in (False, True):
                data = body(stream, settings.history)
                for agents in (1, 32):
                    requests = settings.requests if agents == 1 else max(1, settings.requests // 2)
                    figures = compare((upstream, listening), data, stream, agents, settings.rounds, requests)
                    rows[stream, agents] = figures
                    name = "stream, first token" if stream else "plain, whole"
                    print(f"{name} | {agents} | " + " | ".join(f"{value:.2f}" for value in figures), flush=True)
        finally:
            proxy.terminate()
            summary, _ = proxy.communicate(timeout=60)
            stub.terminate()
    print(summary.strip())
    worst = {
        "added_ms_p50": max(rows[False, agents][4] for agents in (1, 32)),
        "added_ms_p95": max(rows[False, agents][5] for agents in (1, 32)),
        "added_ms_stream_first_token": max(rows[True, agents][4] for agents in (1, 32)),
    }
    print(json.dumps({name: round(value, 2) for name, value in worst.items()}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
