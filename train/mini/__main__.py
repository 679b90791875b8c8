"""Training from end to end on the mini desk, in minutes on two cores: `python -m train.mini --out DIR`.

Record clumsy agents, curate, add thinking, compile the cache; fine-tune a tiny model on that, let it practise against
the cache, and play held-out tasks on the live desk before and after. Every step is the command a person would type and
is skipped where its folder stands already. With several seeds, each has recordings, weights and tasks of its own.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.cli import main as cacherl
from curate.cli import out, parse, run, say
from curate.errors import UsageError
from train.presets import GRPO_PRESETS, SFT_PRESETS

HELD_OUT = 100_000
"""Number of the first start state of evaluation; recordings take those from 0 on."""
LIMITS: Mapping[str, int] = GRPO_PRESETS["mini"]["rollout"]
"""Of an episode, live too."""


@dataclass(frozen=True)
class MiniSettings:
    """Settings of `python -m train.mini`.

    Attributes:
        out: folder for everything it makes, in a folder of its own for each seed.
        seeds: how many runs.
        first_seed: of the first; the others follow it.
        episodes: recorded, three attempts a task.
        sft_steps: of 64 examples.
        grpo_steps: of 16 prompts with 8 rollouts each.
        tasks: held-out tasks of each evaluation, two attempts each.
    """

    out: Path
    seeds: int = 1
    first_seed: int = 0
    episodes: int = 9_000
    sft_steps: int = SFT_PRESETS["mini"]["optimiser"]["max_steps"]
    grpo_steps: int = GRPO_PRESETS["mini"]["optimiser"]["max_steps"]
    tasks: int = 400

    def check(self) -> None:
        """Refuse what would compare nothing.

        Raises:
            UsageError: naming the setting.
        """
        for name in ("seeds", "episodes", "sft_steps", "grpo_steps", "tasks"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} must be at least 1, not {getattr(self, name)}")
        if self.first_seed < 0:
            raise UsageError(f"--first-seed must not be negative, not {self.first_seed}")

    @property
    def places(self) -> list[Path]:
        """The folder of each seed."""
        return [self.out / f"seed-{self.first_seed + number}" for number in range(self.seeds)]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the steps, then print live success before and after."""
    settings = parse(MiniSettings, "python -m train.mini", __doc__ or "", argv)

    def command() -> int:
        settings.check()
        return mini(settings)

    return run(command)


def mini(settings: MiniSettings) -> int:
    """Run what is not there yet, then report; returns the exit code of a step that failed, else 0."""
    from curate.atomic import write_file
    from train.mini.report import report

    seconds: dict[str, float] = {}
    for number, place in enumerate(settings.places):
        place.mkdir(parents=True, exist_ok=True)
        for label, command, words in steps(settings, place, settings.first_seed + number):
            if Path(words[words.index("--out") + 1]).exists():
                continue
            say(f"$ python -m {command} {shlex.join(words)}")
            begin = time.perf_counter()
            code = cacherl([command, *words])
            if code:
                return code
            seconds[label] = seconds.get(label, 0.0) + time.perf_counter() - begin
    made = report(settings.places, seconds)
    write_file(settings.out / "report.md", made.markdown().encode())
    write_file(settings.out / "report.html", made.html().encode())
    out(f"{made.markdown()}\n{settings.out / 'report.html'} has the plots")
    return 0


def steps(settings: MiniSettings, place: Path, seed: int) -> list[tuple[str, str, list[str]]]:
    """(label, command, its words) of all steps of a seed; each writes one --out."""
    raw, number = str(place / "desk.jsonl"), ["--seed", str(seed)]
    at = {name: str(place / name) for name in ("curated", "augmented", "cache", "start", "sft", "grpo")}
    record = ["--preset", "mini", "--skills", "average", "--episodes", str(settings.episodes), *number, "--out", raw]
    sft = ["--preset", "mini", "--model", at["start"], "--max-steps", str(settings.sft_steps), *number]
    grpo = ["--preset", "mini", "--cache", at["cache"], "--model", at["sft"], *number]
    grpo += ["--max-steps", str(settings.grpo_steps)]
    found = [
        ("record", "curate.sandbox", record),
        # Dialogues of a closed vocabulary are all alike; what tells two of them apart is what is to be learnt.
        ("curate", "curate", [raw, "--no-near", "--out", at["curated"]]),
        ("augment", "synth.augment", [at["curated"], "--teacher", "offline", "--out", at["augmented"]]),
        ("cachebuild", "cachebuild", [at["augmented"], "--out", at["cache"]]),
        ("start", "train.mini.start", [at["augmented"], *number, "--out", at["start"]]),
        ("SFT", "train.sft", [at["augmented"], *sft, "--out", at["sft"]]),
        ("GRPO", "train.grpo", [at["augmented"], *grpo, "--out", at["grpo"]]),
    ]
    live = [*number, "--tasks", str(settings.tasks), "--first-state", str(HELD_OUT), "--batch", "400"]
    live += [word for name, most in LIMITS.items() for word in (f"--{name.replace('_', '-')}", str(most))]
    for model in ("sft", "grpo"):
        for name, draw in ("drawn", ["--samples", "2"]), ("likeliest", ["--samples", "1", "--temperature", "0"]):
            words = ["--model", at[model], *live, *draw, "--out", str(place / f"live-{model}-{name}")]
            found.append(("live evaluation", "train.evaluate", words))
    return found


if __name__ == "__main__":
    raise SystemExit(main())
