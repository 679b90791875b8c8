"""Supervised fine-tuning on trajectories: `python -m train.sft DATA --model PATH_OR_ID --out DIR`.

Loss falls on the turns of the model whose row says train; each user turn of a dialogue is an example. Begin with
--dry-run, which prints one example with its trained tokens marked, and the counts. A stopped run goes on from its last
checkpoint. All weights are trained unless --lora-rank is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cachebuild.settings import chosen_splits
from curate.cli import out, parse, run
from curate.errors import UsageError
from train.presets import SFT_PRESETS
from train.ranks import first, rank
from train.settings import SftSettings

if TYPE_CHECKING:
    from curate.folder import DatasetFolder
    from train.model_folder import ModelFolder
    from train.tokens import Renderer

KINDS = ("curated", "augmented", "rollouts")


def main(argv: Sequence[str] | None = None) -> int:
    """Train, or show what would be trained on."""
    settings = parse(SftSettings, "python -m train.sft", __doc__ or "", argv, SFT_PRESETS)

    def command() -> int:
        settings.check()
        return dry_run(settings) if settings.dry_run else _train(settings)

    return run(command)


def dry_run(settings: SftSettings) -> int:
    """Print one example with what is trained between marks, then the counts."""
    from train.sft_data import chosen, marked

    folder, renderer = _open(settings)
    lengths: list[int] = []
    trained = 0
    for row in chosen(folder, chosen_splits(settings.splits)):
        for example in renderer.examples(row):
            if not lengths:
                out(marked(renderer, example) + "\n")
            lengths.append(len(example.input_ids))
            trained += sum(len(piece.ids) for piece in example.pieces if piece.trained)
    if not lengths:
        raise UsageError(f"{settings.data} gives no example: {_left_out(renderer) or 'no trajectory in --splits'}")
    lengths.sort()
    out(f"{len(lengths):,} examples, {sum(lengths):,} tokens, {trained:,} of them trained (between ⟦ and ⟧ above)")
    out(f"tokens of an example: median {lengths[len(lengths) // 2]:,}, most {lengths[-1]:,}")
    if left_out := _left_out(renderer):
        out(left_out)
    return 0


def _train(settings: SftSettings) -> int:
    from train.model_folder import ModelFolder

    assert settings.out is not None, "settings were checked"
    folder, renderer = _open(settings)
    place = ModelFolder(settings.out, _identity(settings, folder), overwrite=settings.run.overwrite)
    with place.open():
        steps, loss = fit(settings, folder, renderer, place)
    if rank():
        return 0
    out(f"{settings.out}: {steps:,} steps, last loss {loss:.4f}; {renderer.counts['examples']:,} examples")
    if left_out := _left_out(renderer):
        out(left_out)
    return 0


def fit(settings: SftSettings, folder: DatasetFolder, renderer: Renderer, place: ModelFolder) -> tuple[int, float]:
    """Train and publish the model; returns (steps, last loss)."""
    from datasets import Dataset

    from train.sft_data import write_examples
    from train.sft_trainer import sft_trainer
    from train.trainers import run_trainer

    path = place.checkpoints / "train.arrow"
    first(lambda: write_examples(folder, chosen_splits(settings.splits), renderer, path))
    examples = Dataset.from_file(str(path))
    if not len(examples):
        raise UsageError(f"{settings.data} gives no example: {_left_out(renderer) or 'no trajectory in --splits'}")
    trainer = sft_trainer(settings, renderer.format, examples, place.checkpoints)
    history = run_trainer(trainer, renderer.format, place)
    first(lambda: place.publish(history, dict(sorted(renderer.counts.items()))))
    return trainer.state.global_step, next(row["loss"] for row in reversed(history) if "loss" in row)


def _open(settings: SftSettings) -> tuple[DatasetFolder, Renderer]:
    from curate.folder import DatasetFolder
    from train.models import load_format
    from train.tokens import Renderer

    chosen_splits(settings.splits)
    folder = DatasetFolder.open(settings.data, kinds=KINDS)
    whole = settings.tokens.dialogue == "whole"
    return folder, Renderer(load_format(settings.model, settings.template, whole_dialogues=whole), settings.tokens)


def _identity(settings: SftSettings, folder: DatasetFolder) -> dict[str, Any]:
    """What decides the weights; a local checkpoint counts by its own training, not by where it stands."""
    from curate.folder import folder_input
    from train.model_folder import trained_identity

    told = asdict(settings)
    for name in ("data", "out", "run", "preset", "config", "dry_run"):
        del told[name]
    told["model"] = trained_identity(settings.model) or settings.model
    return {"command": "train.sft", "settings": told, "inputs": [folder_input(folder)]}


def _left_out(renderer: Renderer) -> str:
    """What became no example, or was cut, in one line."""
    names = {
        "no_trained_turn": "user turns without a turn to train on",
        "too_long": "examples whose first turn does not fit --max-length",
        "cut_at_a_turn": "examples cut at the end of a turn",
        "template_changes_the_past": "examples that the template renders otherwise as a whole",
    }
    return "; ".join(f"{renderer.counts[name]:,} {text}" for name, text in names.items() if renderer.counts[name])


if __name__ == "__main__":
    raise SystemExit(main())
