"""Training from end to end on the mini desk, in minutes on two cores: `python -m train.mini --out DIR`.

Record clumsy agents, curate, add thinking, compile the cache; fine-tune a tiny model on that, let it practise against
the cache, and play held-out tasks on the live desk before and after. Every step is the command a person would type and
is skipped where its folder stands already.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.cli import main as cacherl
from curate.cli import out, parse, run, say
from curate.errors import UsageError

SFT = "--max-steps {steps} --batch-size 64 --accumulate 1 --learning-rate 3e-3 --max-length 480 --warmup-share 0.05"
GRPO = (
    "--max-steps {steps} --prompts 16 --generations 8 --batch-size 128 --learning-rate 5e-4 --schedule constant"
    " --warmup-share 0 --beta 0.01 --max-turns 10 --max-completion 320 --max-turn 64 --min-first 0 --answer-room 8"
    " --alpha constant --constant 1 --save-every 1000"
)
HELD_OUT = 100_000
"""Number of the first start state of evaluation; recordings take those from 0 on."""


@dataclass(frozen=True)
class MiniSettings:
    """Settings of `python -m train.mini`.

    Attributes:
        out: folder for everything it makes.
        episodes: recorded, three attempts a task.
        sft_steps: of 64 examples.
        grpo_steps: of 16 prompts with 8 rollouts each.
        tasks: held-out tasks of each evaluation, two attempts each.
        seed: of recording, weights, training and evaluation.
    """

    out: Path
    episodes: int = 9_000
    sft_steps: int = 350
    grpo_steps: int = 60
    tasks: int = 400
    seed: int = 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the steps, then print live success before and after."""
    settings = parse(MiniSettings, "python -m train.mini", __doc__ or "", argv)
    return run(lambda: _mini(settings))


def _mini(settings: MiniSettings) -> int:
    settings.out.mkdir(parents=True, exist_ok=True)
    for command, words in _steps(settings):
        if "--out" in words and Path(words[words.index("--out") + 1]).exists():
            continue
        code = _step(command, words)
        if code:
            return code
    _compare(settings)
    return 0


def _steps(settings: MiniSettings) -> list[tuple[str, list[str]]]:
    root, seed = settings.out, str(settings.seed)
    at = {name: str(root / name) for name in ("curated", "augmented", "cache", "start", "sft", "grpo")}
    raw = str(root / "desk.jsonl")
    train = [at["augmented"], "--seed", seed]
    live = ["--seed", seed, "--tasks", str(settings.tasks), "--first-state", str(HELD_OUT)]
    live += ["--max-completion", "320", "--max-turn", "64", "--answer-room", "8"]
    sft = [*train, "--model", at["start"], *SFT.format(steps=settings.sft_steps).split()]
    grpo = [*train, "--cache", at["cache"], "--model", at["sft"], *GRPO.format(steps=settings.grpo_steps).split()]
    return [
        ("curate.sandbox", ["--preset", "mini", "--episodes", str(settings.episodes), "--seed", seed, "--out", raw]),
        ("curate", [raw, "--out", at["curated"]]),
        ("synth.augment", [at["curated"], "--teacher", "offline", "--out", at["augmented"]]),
        ("cachebuild", [at["augmented"], "--out", at["cache"]]),
        ("train.mini.start", [at["augmented"], "--seed", seed, "--out", at["start"]]),
        ("train.sft", [*sft, "--out", at["sft"]]),
        ("train.evaluate", ["--model", at["sft"], *live, "--out", str(root / "live-sft")]),
        ("train.grpo", [*grpo, "--out", at["grpo"]]),
        ("train.evaluate", ["--model", at["grpo"], *live, "--out", str(root / "live-grpo")]),
    ]


def _step(command: str, words: list[str]) -> int:
    say(f"$ python -m {command} {shlex.join(words)}")
    return cacherl([command, *words])


def _compare(settings: MiniSettings) -> None:
    """Live success before and after practice, with the paired gain."""
    from curate.folder import DatasetFolder
    from curate.report import text_table
    from train.evaluation import by_task, interval

    rows = {name: list(DatasetFolder.open(settings.out / f"live-{name}").rows("episodes")) for name in ("sft", "grpo")}
    if [row["task_id"] for row in rows["sft"]] != [row["task_id"] for row in rows["grpo"]]:
        raise UsageError(f"{settings.out} holds evaluations of other tasks; remove live-sft and live-grpo")
    lines = []
    for kind in ("all", *sorted({row["kind"] for row in rows["sft"]})):
        some = {name: [row for row in found if kind in ("all", row["kind"])] for name, found in rows.items()}
        tasks = {name: by_task(found, "success") for name, found in some.items()}
        gain = [two - one for one, two in zip(tasks["sft"], tasks["grpo"], strict=True)]
        shown = [interval(values, settings.seed) for values in (tasks["sft"], tasks["grpo"], gain)]
        lines.append([kind, len(gain), *(f"{mean:.3f} ({low:.3f} to {high:.3f})" for mean, low, high in shown)])
    out(text_table(["live success", "tasks", "after SFT", "after GRPO", "gain"], lines))


if __name__ == "__main__":
    raise SystemExit(main())
