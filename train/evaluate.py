"""Live evaluation: `python -m train.evaluate --model PATH --out DIR` plays held-out tasks on the live desk.

A task is done if the desk ends in the state it should and the answer holds what it must. Each task is tried several
times; intervals are by bootstrap over tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from curate.cli import out, parse, run
from curate.errors import UsageError
from train.settings import RolloutSettings


@dataclass(frozen=True)
class EvaluateSettings:
    """Settings of `python -m train.evaluate`.

    Attributes:
        model: the checkpoint.
        out: folder for one row an episode and a report; without it the figures are only printed.
        preset: which desk.
        tasks: how many tasks.
        samples: attempts at each.
        temperature: of sampling; 0 takes the likeliest token, and one attempt says all.
        seed: of sampling, of the tasks and of the intervals.
        first_state: number of the first start state; those of the recordings must lie below it.
        batch: episodes at once.
        overwrite: replace an existing evaluation.
        rollout: limits of an episode.
    """

    model: Path
    out: Path | None = None
    preset: Literal["mini"] = "mini"
    tasks: int = 400
    samples: int = 2
    temperature: float = 1.0
    seed: int = 0
    first_state: int = 100_000
    batch: int = 128
    overwrite: bool = False
    rollout: RolloutSettings = field(default_factory=lambda: RolloutSettings(min_first=0))

    def check(self) -> None:
        """Refuse settings that cannot be right.

        Raises:
            UsageError: naming the flag.
        """
        for name in ("tasks", "samples", "batch"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name} must be at least 1, not {getattr(self, name)}")
        if self.temperature < 0:
            raise UsageError(f"--temperature must not be negative, not {self.temperature}")
        self.rollout.check()


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate and print the figures."""
    settings = parse(EvaluateSettings, "python -m train.evaluate", __doc__ or "", argv)

    def command() -> int:
        from curate.report import text_table

        settings.check()
        rows = evaluate(settings)
        out(text_table(*summary(rows, settings.seed)))
        if settings.out is not None:
            write(rows, settings)
            out(f"\n{settings.out}: {len(rows):,} episodes; {settings.out / 'report.html'}")
        return 0

    return run(command)


def evaluate(settings: EvaluateSettings) -> list[dict[str, Any]]:
    """Play the tasks; one row an episode."""
    import torch
    from transformers import AutoModelForCausalLM

    from train.chat_format import chat_format
    from train.desk import DeskTasks, LiveDesk, start_of
    from train.evaluation import process_accuracy
    from train.local import LocalGenerate
    from train.models import load_tokenizer
    from train.rollout import CacheAgentLoop, RolloutTask
    from train.tokens import Renderer

    tokenizer = load_tokenizer(str(settings.model))
    renderer = Renderer(chat_format(tokenizer, "own"))
    model = AutoModelForCausalLM.from_pretrained(settings.model)
    torch.manual_seed(settings.seed)
    generate = LocalGenerate(model, tokenizer, settings.temperature, settings.batch)
    tasks = list(DeskTasks(settings.preset, settings.tasks, settings.seed, settings.first_state))
    tried = [(task, trial) for task in tasks for trial in range(settings.samples)]
    desk = LiveDesk(tried)
    begun = {task.task_id: start_of(task) for task in tasks}
    loop = CacheAgentLoop(renderer, desk, settings.rollout)
    rollouts = loop.run([RolloutTask(*begun[task.task_id]) for task, _ in tried], generate)
    rows = []
    for (task, trial), session, rollout in zip(tried, desk.sessions, rollouts, strict=True):
        found = session.judge(rollout.answer)
        rows.append(
            {
                "task_id": task.task_id,
                "kind": task.kind,
                "trial": trial,
                "success": found.reward == 1.0,
                "state_ok": found.state_ok,
                "facts_ok": not found.facts_missing,
                "process_accuracy": process_accuracy(rollout.messages, task.gold_calls),
                "calls": len(rollout.evidence),
                "malformed_calls": rollout.malformed,
                "thinking_tokens": sum(
                    len(renderer.format.encode(each["reasoning_content"] or "")) for each in rollout.messages
                ),
                "status": rollout.status,
                "answer": rollout.answer,
            }
        )
    desk.close()
    return rows


def by_task(rows: Sequence[dict[str, Any]], name: str) -> list[float]:
    """Mean of a column for each task, in their order."""
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row["task_id"], []).append(float(row[name]))
    return [sum(values) / len(values) for values in found.values()]


def summary(rows: Sequence[dict[str, Any]], seed: int = 0) -> tuple[list[str], list[list[Any]]]:
    """(headers, rows) of the figures: all tasks, then each kind."""
    from train.evaluation import interval, pass_hat_k

    lines = []
    for kind in ("all", *sorted({row["kind"] for row in rows})):
        some = [row for row in rows if kind in ("all", row["kind"])]
        mean, low, high = interval(by_task(some, "success"), seed)
        tries: dict[str, list[bool]] = {}
        for row in some:
            tries.setdefault(row["task_id"], []).append(row["success"])
        every = pass_hat_k(list(tries.values()), min(map(len, tries.values())))
        means = [interval(by_task(some, name))[0] for name in ("process_accuracy", "calls", "thinking_tokens")]
        shares = [round(mean, 3), f"{low:.3f} to {high:.3f}", round(every, 3)]
        lines.append([kind, len(tries), *shares, *(round(each, 3) for each in means)])
    return ["tasks", "count", "success", "95 %", "pass^k", "process", "calls", "thinking tokens"], lines


def write(rows: Sequence[dict[str, Any]], settings: EvaluateSettings) -> None:
    """Write the episodes and the report as a dataset folder."""
    import pyarrow as pa

    from curate.folder import FolderWriter, Manifest
    from curate.plots import bars
    from curate.report import Report
    from train.model_folder import trained_identity

    assert settings.out is not None, "only called with --out"
    told = asdict(settings) | {"model": trained_identity(settings.model)}
    for name in ("out", "overwrite", "batch"):
        del told[name]
    headers, lines = summary(rows, settings.seed)
    report = Report(f"Live evaluation on the {settings.preset} desk")
    report.table("Success by kind of task", headers, lines)
    kinds, shares = [line[0] for line in lines], [line[2] for line in lines]
    report.plot("Success", bars(kinds, shares, xlabel="share of tasks done"))
    manifest = Manifest("evaluation", "train.evaluate", told, [])
    schema = pa.Table.from_pylist(list(rows[:1])).schema
    with FolderWriter(settings.out, manifest, overwrite=settings.overwrite) as writer:
        writer.table("episodes", schema).write(rows)
        writer.count(episodes=len(rows), success=lines[0][2])
        writer.add_report(report)


if __name__ == "__main__":
    raise SystemExit(main())
