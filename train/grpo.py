"""GRPO on cached rollouts: `python -m train.grpo DATA --cache CACHE --model SFT --out DIR`.

Prompts are the user turns of DATA whose recorded reply calls a tool. The model acts, the cache answers its calls, and
the reward trusts the answer less the worse the evidence was. Every rollout is kept as a trajectory in OUT/rollouts. A
stopped run goes on from its last checkpoint. `--preset paper` begins with the paper's settings; on several GPUs see
train/configs/README.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cachebuild.settings import chosen_splits
from curate.cli import out, parse, run
from curate.errors import UsageError
from train.context import fitted
from train.presets import GRPO_PRESETS
from train.ranks import first, rank
from train.settings import PROMPT_KINDS, GrpoSettings, TokenSettings

if TYPE_CHECKING:
    from curate.folder import DatasetFolder


def main(argv: Sequence[str] | None = None) -> int:
    """Train and say what came of it."""
    settings = parse(GrpoSettings, "python -m train.grpo", __doc__ or "", argv, GRPO_PRESETS)

    def command() -> int:
        settings.check()
        settings.group.engine.need_installed()
        steps, begun, ended = train(fitted(settings))
        if not rank():
            paid = f"mean reward {begun:.3f} over the first tenth, {ended:.3f} over the last"
            out(f"{settings.out}: {steps:,} steps; {paid}")
        return 0

    return run(command)


def train(settings: GrpoSettings) -> tuple[int, float, float]:
    """Train and publish the model; returns (steps, mean reward of the first tenth, of the last tenth)."""
    from cachebuild import ToolCache
    from curate.folder import DatasetFolder
    from train.judging import open_step_judge
    from train.metric_names import GRPO_METRICS
    from train.model_folder import ModelFolder
    from train.models import load_format
    from train.prompts import PromptStore, store_prompts
    from train.tokens import Renderer

    folder, cache = DatasetFolder.open(settings.data, kinds=PROMPT_KINDS), ToolCache.open(settings.cache)
    form = load_format(settings.model, settings.template)
    renderer = Renderer(form, TokenSettings(drop_think_calls=settings.prompt.drop_think_calls))
    place = ModelFolder(settings.out, _identity(settings, folder), overwrite=settings.run.overwrite)
    with place.open(), open_step_judge(settings.judging.options(settings.out)) as judge:
        prompts = place.checkpoints / "prompts.arrow"
        chosen = chosen_splits(settings.prompt.splits)
        first(lambda: store_prompts(folder, chosen, settings.prompt, renderer, prompts))
        store = PromptStore(prompts, drop_think_calls=settings.prompt.drop_think_calls)
        if len(store) < settings.group.prompts:
            raise UsageError(
                f"{settings.data} gives {len(store):,} prompts, a step takes {settings.group.prompts} (--prompts); "
                f"left out: {dict(sorted(renderer.counts.items()))}"
            )

        from train.grpo_trainer import Rollouts, grpo_trainer
        from train.trainers import run_trainer

        rollouts = Rollouts(store, renderer, cache, judge, settings, place.checkpoints / "rollouts")
        trainer = grpo_trainer(settings, form, rollouts, place.checkpoints)
        history = run_trainer(trainer, form, place)
        first(lambda: rollouts.gather(place.partial / "rollouts", folder))
        first(lambda: place.publish(history, dict(sorted(renderer.counts.items())), GRPO_METRICS))
        steps: int = trainer.state.global_step
    paid = [row["reward"] for row in history if "reward" in row]
    tenth = max(1, len(paid) // 10)
    return steps, sum(paid[:tenth]) / tenth, sum(paid[-tenth:]) / tenth


def _identity(settings: GrpoSettings, folder: DatasetFolder) -> dict[str, Any]:
    """What decides the weights."""
    from curate.folder import folder_input
    from curate.manifest import MANIFEST, sha256_file
    from train.model_folder import trained_identity

    told = asdict(settings)
    for name in ("data", "cache", "out", "run", "preset", "config"):
        del told[name]
    told["model"] = trained_identity(settings.model) or settings.model
    told["cache"] = sha256_file(settings.cache / MANIFEST)
    told["judging"] = settings.judging.identity()
    return {"command": "train.grpo", "settings": told, "inputs": [folder_input(folder)]}


if __name__ == "__main__":
    raise SystemExit(main())
