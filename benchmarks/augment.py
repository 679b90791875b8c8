"""What augmenting costs beside the model: throughput against bare clients, kills, memory; the last line is JSON.

The teacher is the tests' loopback stub (20 ms an answer) in a process of its own. Turns are those of desk dialogues, or
of DATA, each dialogue made distinct so that no two requests are equal. The bare client is `openai.AsyncOpenAI` as it
comes, its bodies made before the clock starts; ours reads, plans, writes prompts, journals before and after each send,
checks every thought. Both send the same bodies at the same concurrency, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

# As a script this file stands beside ones of the packages' names.
ROOT = Path(__file__).resolve().parents[1]
sys.path[:] = [str(ROOT), *(entry for entry in sys.path if Path(entry).resolve() != ROOT / "benchmarks")]

from curate.folder import DatasetFolder, FolderWriter  # noqa: E402
from curate.manifest import Manifest  # noqa: E402
from curate.schema import TRAJECTORY  # noqa: E402
from curate.trajectory import Trajectory, rehash  # noqa: E402
from tests.synth.stub_teacher import Stub  # noqa: E402

MODEL = "openai:stub-1"
CURATOR = "bespokelabs-curator==0.1.31"
PRICES = """
looked_up: 2026-11-24
providers:
  openai: {batch: 0.5, models: {stub-1: {input: 1.0, output: 4.0, source: this benchmark}}}
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print a table, then the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a curated folder to take dialogues from; default: the desk")
    parser.add_argument("--turns", type=int, default=2000, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=20.0)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--memory-turns", type=int, default=20_000)
    parser.add_argument("--full", action="store_true", help="25 kills of 5,000 turns, memory over 300,000 turns")
    parser.add_argument("--no-curator", action="store_true", help="do not try to install bespokelabs-curator")
    args = parser.parse_args(argv)
    if args.full:
        args.kills, args.memory_turns = 25, 300_000
    with tempfile.TemporaryDirectory(prefix="cacherl-") as folder:
        figures = measure(args, Path(folder))
    print(json.dumps(figures))


def measure(args: argparse.Namespace, root: Path) -> dict[str, Any]:
    """All figures."""
    (root / "prices.yaml").write_text(PRICES)
    dialogues = recorded(args.data, root)
    figures: dict[str, Any] = {"rate_vs_client": None, "rate_vs_curator": None}
    figures |= offline(dialogues, root)
    curator = None if args.no_curator else curator_python(root)
    figures |= rates(args, dialogues, root, curator)
    figures |= killed(args, dialogues, root)
    figures |= memory(args, dialogues, root)
    return figures


# Data


def recorded(data: Path | None, root: Path) -> list[Trajectory]:
    """Rows to take dialogues from."""
    if data is None:
        raw, data = root / "desk.jsonl.gz", root / "desk"
        command("curate.sandbox", "--episodes", 400, "--seed", 5, "--preset", "full", "--out", raw)
        command("curate", raw, "--out", data, "--no-near")
    return cast(list[Trajectory], list(DatasetFolder.open(data).rows("trajectories")))


def distinct(dialogues: list[Trajectory], turns: int) -> Iterator[Trajectory]:
    """Rows with at least so many turns for a teacher, no two with an equal message."""
    from synth.thoughts import asked
    from synth.turn_rule import plan_turns

    made = number = 0
    while made < turns:
        row = json.loads(json.dumps(dialogues[number % len(dialogues)]))
        for message in row["messages"]:
            if message["role"] in ("system", "user") and message["content"]:
                message["content"] = f"{message['content']} (case {number})"
                break
        row["trajectory_id"] = f"{number:032x}"
        number += 1
        made += len(asked(plan_turns(row)))
        yield rehash(row)


def write(rows: Iterator[Trajectory], out: Path) -> Path:
    """A curated folder of rows."""
    with FolderWriter(out, Manifest("curated", "benchmark", {}, [])) as writer:
        writer.table("trajectories", TRAJECTORY).write(rows)
    return out


def command(name: str, *flags: object) -> str:
    """Run one of our commands; returns what it printed."""
    words = [sys.executable, "-m", name, *map(str, flags)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "OPENAI_API_KEY": "sk-x"})
    if done.returncode:
        raise SystemExit(f"{name} failed: {done.stderr[-2000:]}")
    return done.stdout


# Throughput


def rates(args: argparse.Namespace, dialogues: list[Trajectory], root: Path, curator: Path | None) -> dict[str, Any]:
    """Requests a second of the bare client, ours and curator, in turns."""
    source = write(distinct(dialogues, args.turns), root / "rates")
    found: dict[str, list[float]] = {"client": [], "ours": [], "curator": []}
    bodies = root / "bodies.jsonl"
    for turn in range(args.rounds + 1):
        with Stub(fresh(root / "stub"), "--latency-ms", str(args.latency_ms)) as stub:
            ours = _ours(source, root, stub, args, bodies if turn == 0 else None)
            client = asyncio.run(_client(bodies, stub.url, args.concurrency))
            theirs = curator_rate(curator, bodies, stub.url, args.concurrency, root) if curator else None
        if turn:  # the first round warms everything up
            found["ours"].append(ours)
            found["client"].append(client)
            if theirs:
                found["curator"].append(theirs)
    print(f"\n{'requests/s':28} {'median':>9} {'all rounds':>9}")
    for name, all_rates in found.items():
        if all_rates:
            print(f"{name:28} {statistics.median(all_rates):9,.0f} {', '.join(f'{rate:,.0f}' for rate in all_rates)}")
    against = {name: _ratio(found["ours"], found[name]) for name in ("client", "curator")}
    print(f"ratios of rounds, median: client {against['client']}, curator {against['curator']}")
    return {
        "rate_vs_client": against["client"],
        "rate_vs_curator": against["curator"],
        "requests_per_s": round(statistics.median(found["ours"])),
    }


def _ratio(ours: list[float], theirs: list[float]) -> float | None:
    return round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 3) if theirs else None


def _ours(source: Path, root: Path, stub: Stub, args: argparse.Namespace, bodies: Path | None) -> float:
    """Our rate: from the first row read to the last verdict journaled."""
    from synth.asking.run import ModelRun
    from synth.pipeline import Source
    from synth.settings import AugmentSettings, JournalSettings, ModelSettings, MoneySettings, PaceSettings

    os.environ["OPENAI_API_KEY"] = "sk-x"
    settings = AugmentSettings(
        source,
        root / "out",
        MODEL,
        model=ModelSettings(base_url=stub.url),
        pace=PaceSettings(concurrency=args.concurrency),
        money=MoneySettings(prices=root / "prices.yaml", budget_usd=1e6),
        keep=JournalSettings(journal=fresh(root / "journal")),
    )
    quiet, sys.stderr = sys.stderr, io.StringIO()
    try:
        with ModelRun.open(settings, Source.open(settings)) as run:
            plan = run.plan()
            if bodies is not None:
                turns = (asks.open(index) for asks in run.rows(plan) for index in asks.indices)
                bodies.write_text("".join(json.dumps(turn.ask.body) + "\n" for turn in turns if turn.ask))
            started = time.perf_counter()
            run.ask(plan)
            seconds = time.perf_counter() - started
            assert run.journal.turns == plan.turns
            return len(stub.requests()) / seconds
    finally:
        sys.stderr = quiet


async def _client(bodies: Path, url: str, concurrency: int) -> float:
    """The rate of the SDK as it comes, workers over the bodies."""
    from openai import AsyncOpenAI

    asked = [json.loads(line) for line in bodies.read_text().splitlines()]
    left = iter(asked)
    async with AsyncOpenAI(base_url=url, api_key="sk-x") as client:

        async def worker() -> None:
            for body in left:
                answer = await client.chat.completions.create(**body)
                assert answer.choices[0].message.content

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(concurrency)))
        return len(asked) / (time.perf_counter() - started)


def curator_python(root: Path) -> Path | None:
    """A throw-away environment with bespokelabs-curator; None, with the resolver's words, where it cannot be had."""
    venv = root / "curator"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = venv / "bin" / "python"
    done = subprocess.run([python, "-m", "pip", "install", "-q", CURATOR], capture_output=True, text=True, timeout=900)
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if "ERROR" in line] or [done.stderr[-300:]]
        print(f"{CURATOR} is left out: {' '.join(words[:2])}")
        return None
    return python


CURATOR_RUN = """
import json, os, sys, time
os.environ.update(CURATOR_DISABLE_RICH_DISPLAY="1", TELEMETRY_ENABLED="0", HF_HUB_OFFLINE="1", OPENAI_API_KEY="sk-x")
import tiktoken
class Words:
    def encode(self, text, **more): return text.split()
tiktoken.encoding_for_model = lambda name: Words()
tiktoken.get_encoding = lambda name: Words()
from bespokelabs import curator
bodies, url, concurrency = sys.argv[1], sys.argv[2], int(sys.argv[3])
asked = [json.loads(line)["messages"] for line in open(bodies)]
class Teacher(curator.LLM):
    def prompt(self, row): return row["messages"]
    def parse(self, row, response): return {"text": response}
teacher = Teacher(model_name="gpt-4o-mini", backend="openai", backend_params={
    "base_url": url, "max_concurrent_requests": concurrency, "max_requests_per_minute": 10**7,
    "max_tokens_per_minute": 10**10, "invalid_finish_reasons": []})
started = time.perf_counter()
done = teacher([{"messages": messages} for messages in asked])
print(json.dumps({"rate": len(asked) / (time.perf_counter() - started)}))
"""


def curator_rate(python: Path, bodies: Path, url: str, concurrency: int, root: Path) -> float | None:
    """The rate of curator over the same messages; None where it fails, with its last words."""
    cache = fresh(root / "curator-cache")
    env = {**os.environ, "CURATOR_CACHE_DIR": str(cache), "HF_HOME": str(cache)}
    words = [str(python), "-c", CURATOR_RUN, str(bodies), url, str(concurrency)]
    done = subprocess.run(words, capture_output=True, text=True, env=env, timeout=600)
    if done.returncode:
        print(f"curator failed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    return float(json.loads(done.stdout.strip().splitlines()[-1])["rate"])


# Kills


def killed(args: argparse.Namespace, dialogues: list[Trajectory], root: Path) -> dict[str, Any]:
    """Requests that kills cost, and turns that they lose."""
    turns = 200 * args.kills
    source = write(distinct(dialogues, turns), root / "killed")
    chance = random.Random(7)
    with Stub(fresh(root / "stub-killed"), "--latency-ms", str(args.latency_ms)) as stub:
        words = augment(source, root / "killed-out", root / "killed-journal", stub, root, args.concurrency)
        for _ in range(args.kills):
            _kill(words, stub, chance.randint(20, 250))
        subprocess.run(words, check=True, capture_output=True, env=env())
        sent = len(stub.requests())
    rows = DatasetFolder.open(root / "killed-out")
    counts = rows.manifest.counts["turns"]
    thoughts = sum(by.get("teacher", 0) for by in counts.values())
    lost = sum(by.get("none", 0) for by in counts.values()) - rows.manifest.counts["without_thought"].get(
        "empty_turn", 0
    )
    repaid = round((sent - thoughts) / args.kills, 2)
    print(f"\n{args.kills} kills: {sent:,} requests for {thoughts:,} turns, {repaid} paid again a kill; lost {lost}")
    return {"repaid_per_kill": repaid, "lost_turns": lost}


def _kill(words: list[str], stub: Stub, requests: int) -> None:
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env())
    goal = len(stub.requests()) + requests
    while process.poll() is None and len(stub.requests()) < goal:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


def augment(source: Path, out: Path, journal: Path, stub: Stub, root: Path, concurrency: int) -> list[str]:
    """The command of a run."""
    flags = [source, "--out", out, "--teacher", MODEL, "--base-url", stub.url, "--journal", journal]
    flags += ["--prices", root / "prices.yaml", "--budget-usd", 1e6, "--concurrency", concurrency]
    return [sys.executable, "-m", "synth.augment", *map(str, flags)]


def env() -> dict[str, str]:
    """Of a run."""
    return {**os.environ, "OPENAI_API_KEY": "sk-x", "PYTHONPATH": str(ROOT)}


# Memory


def memory(args: argparse.Namespace, dialogues: list[Trajectory], root: Path) -> dict[str, Any]:
    """Peak memory of a run, and of one with a tenth of its turns."""
    found = {}
    for turns in (args.memory_turns // 10, args.memory_turns):
        source = write(distinct(dialogues, turns), root / f"memory-{turns}")
        with Stub(fresh(root / f"stub-{turns}")) as stub:
            words = augment(source, root / f"out-{turns}", root / f"journal-{turns}", stub, root, args.concurrency)
            started = time.perf_counter()
            peak = peak_mb(words)
        print(
            f"{turns:,} turns: {peak:,} MB at its peak, {turns / (time.perf_counter() - started):,.0f} turns/s in all"
        )
        found[turns] = peak
        shutil.rmtree(source)
    return {
        "peak_rss_mb": found[args.memory_turns],
        "peak_rss_mb_tenth": found[args.memory_turns // 10],
        "memory_turns": args.memory_turns,
    }


def peak_mb(words: list[str]) -> int:
    """Peak resident memory of a command."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env())
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the run ended with status {status}")
    return round(cast(resource.struct_rusage, usage).ru_maxrss / 1024)


# Offline


def offline(dialogues: list[Trajectory], root: Path) -> dict[str, Any]:
    """Turns a second of the rule-based teacher: alone in one process and in two at once, and the whole command."""
    from curate.engine import LocalEngine

    source = write(distinct(dialogues, 60_000), root / "offline")
    alone = _taught((str(source), 0, 2))
    with LocalEngine(2) as engine:
        both = list(engine.map(_taught, [(str(source), 0, 2), (str(source), 1, 2)]))
    one = alone[0] / alone[1]
    two = sum(turns for turns, _ in both) / max(seconds for _, seconds in both)
    started = time.perf_counter()
    command("synth.augment", source, "--out", root / "offline-out")
    whole = 60_000 / (time.perf_counter() - started)
    print(f"offline teacher: {one:,.0f} thoughts/s in one process, {two:,.0f} in two; the whole command {whole:,.0f}")
    return {
        "offline_turns_per_s": round(two),
        "offline_turns_per_s_core": round(one),
        "offline_command_turns_per_s": round(whole),
    }


def _taught(part: tuple[str, int, int]) -> tuple[int, float]:
    """(thoughts, seconds) of the rule-based teacher over every n-th row of a folder, reading not timed."""
    from curate.env import DEFAULT_RULES
    from synth.teachers import turn_view
    from synth.teachers.offline import OfflineTeacher
    from synth.thoughts import asked
    from synth.turn_rule import plan_turns

    folder, at, of = part
    rows = [row for number, row in enumerate(DatasetFolder.open(folder).rows("trajectories")) if number % of == at]
    planned = [(cast(Trajectory, row), asked(plan_turns(cast(Trajectory, row)))) for row in rows]
    teacher, started = OfflineTeacher(), time.perf_counter()
    for row, indices in planned:
        for index in indices:
            teacher.write(turn_view(row, index, DEFAULT_RULES))
    return sum(len(indices) for _, indices in planned), time.perf_counter() - started


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    main()
