"""Draw rollouts of prompts, pay them, keep them piece by piece, and write them as a dataset folder.

A piece is a batch of prompts for a model in this process, which gives the same bytes again for the same seed; for a
server it is one prompt, with many under way at once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from cachebuild import ToolCache
from cachebuild.settings import chosen_splits
from cachebuild.sources import rules_of
from curate.canonical import hash128
from curate.env import DEFAULT_RULES, EnvRules
from curate.errors import UsageError
from curate.folder import DatasetFolder, FolderWriter, Manifest, folder_input
from curate.progress import track
from curate.schema import TRAJECTORY
from curate.trajectory import Trajectory
from train.context import fitted_prompt
from train.kept import Kept
from train.prompts import Measure, PromptStore, StoredPrompt, store_prompts
from train.rollout import CacheAgentLoop, Rollout, RolloutTask, outcome_seed
from train.sample_report import Outcome, figures_of, outcome_of, report_of
from train.sample_settings import SampleSettings
from train.scoring import score, trajectory
from train.served import CHARS, ServedLoop
from train.settings import PROMPT_KINDS
from train.tokens import Part, Renderer


def sample(settings: SampleSettings) -> dict[str, Any]:
    """Draw the rollouts and publish them; returns the figures of the report.

    Raises:
        UsageError: if there is no prompt, or OUT or OUT.journal is of other settings.
        UpToDate: if OUT is what this run would give.
        RunStopped: if the server cannot be gone on with; what is done is kept.
    """
    splits = chosen_splits(settings.prompt.splits)
    settings = replace(settings, prompt=fitted_prompt(settings.model, settings.prompt, settings.rollout))
    folder, cache = DatasetFolder.open(settings.data, kinds=PROMPT_KINDS), ToolCache.open(settings.cache)
    name = _model_name(settings)
    inputs = [folder_input(folder), folder_input(DatasetFolder(settings.cache, Manifest.load(settings.cache)))]
    manifest = Manifest("rollouts", "train.sample", settings.identity(name), inputs)
    reads = [settings.data, settings.cache, *([Path(settings.model)] if settings.model else [])]
    with FolderWriter(settings.out, manifest, overwrite=settings.overwrite, reads=reads) as writer:
        kept = Kept(writer.journal, manifest.identity, discard=settings.overwrite)
        try:
            speaker = _Local(settings) if settings.model else None
            measure: Measure = speaker.renderer if speaker else _Bytes()
            store = store_prompts(folder, splits, settings.prompt, measure, writer.journal / "prompts.arrow")
            left_out = {code: count for code, count in sorted(measure.counts.items()) if code != "prompts"}
            drawing = Drawing(settings, store, rules_of(folder.manifest), name, kept)
            drawing.refuse_nothing(left_out)
            if speaker:
                speaker.draw(drawing, cache)
            else:
                _draw_served(drawing, cache, settings)
        finally:
            kept.close()
            if not len(kept):
                writer.forget()
        return _publish(writer, kept, settings, left_out)


class Drawing:
    """Which prompts are tried, how they begin, and what becomes of their rollouts.

    Args:
        settings: of the run.
        store: all prompts.
        rules: of envs, for what counts as a repeated call.
        model: names the model in the ids of rollouts.
        kept: the pieces that are done.
    """

    def __init__(
        self, settings: SampleSettings, store: PromptStore, rules: dict[str, EnvRules], model: str, kept: Kept
    ) -> None:
        self.store = store
        self.kept = kept
        self._settings = settings
        self._rules = rules
        self._model = model
        limit, draw = settings.draw.limit, settings.draw
        every = range(len(store))
        self.chosen = sorted(Random(draw.seed).sample(every, limit)) if 0 < limit < len(store) else list(every)

    def refuse_nothing(self, left_out: dict[str, int]) -> None:
        """Refuse a run without a prompt.

        Raises:
            UsageError: saying what was left out.
        """
        if not self.chosen:
            raise UsageError(f"{self._settings.data} gives no prompt in --splits; left out: {left_out}")

    def tasks(self, prompt: StoredPrompt) -> list[RolloutTask]:
        """Where the rollouts of a prompt begin; they share the recorded outcomes, or draw their own."""
        draw = self._settings.draw
        varied = draw.outcomes == "varied"
        place = (str(draw.seed), prompt.row["trajectory_id"], str(prompt.part.message_index))
        names = [(*place, str(number) if varied else "") for number in range(draw.samples)]
        return [RolloutTask(prompt.row, prompt.part, outcome_seed(*each)) for each in names]

    def rows(self, prompt: StoredPrompt, rollouts: Sequence[Rollout]) -> list[Trajectory]:
        """The rollouts of a prompt as paid trajectories."""
        rules = self._rules.get(prompt.row["env_id"], DEFAULT_RULES)
        found = []
        for number, rollout in enumerate(rollouts):
            reward = score(rollout, prompt, self._settings.reward, rules=rules)
            name = f"{self._model}|{self._settings.draw.seed}|{number}"
            found.append(trajectory(rollout, prompt, reward, name, number))
        return found

    def open_pieces(self, size: int) -> Iterator[tuple[int, list[int]]]:
        """(number, prompts) of each piece of so many prompts that is not done."""
        pieces = [self.chosen[at : at + size] for at in range(0, len(self.chosen), size)]
        for number, prompts in enumerate(track(pieces, "sampling", unit="batch" if size > 1 else "prompt")):
            if number not in self.kept:
                yield number, prompts


class _Local:
    """A model in this process."""

    def __init__(self, settings: SampleSettings) -> None:
        from train.models import check_checkpoint, load_format

        check_checkpoint(str(settings.model))
        self.renderer = Renderer(load_format(str(settings.model), settings.template))
        self._settings = settings

    def draw(self, drawing: Drawing, cache: ToolCache) -> None:
        """Draw what is not done; each piece has a seed of its own, so that going on changes nothing."""
        import torch

        from train.local import LocalGenerate
        from train.models import load_model

        draw, tokenizer = self._settings.draw, self.renderer.format.tokenizer
        loop = CacheAgentLoop(self.renderer, cache, self._settings.rollout)
        model: Any = None
        for piece, numbers in drawing.open_pieces(max(1, draw.batch // draw.samples)):
            model = load_model(str(self._settings.model)) if model is None else model
            prompts = [drawing.store[number] for number in numbers]
            torch.manual_seed(int(hash128("sample", str(draw.seed), str(piece))[:15], 16))
            generate = LocalGenerate(model, tokenizer, draw.temperature, draw.batch)  # one that remembers nothing
            rollouts = iter(loop.run([task for each in prompts for task in drawing.tasks(each)], generate))
            groups = [[next(rollouts) for _ in range(draw.samples)] for _ in prompts]
            rows = [row for each, group in zip(prompts, groups, strict=True) for row in drawing.rows(each, group)]
            drawing.kept.add(piece, rows)


def _draw_served(drawing: Drawing, cache: ToolCache, settings: SampleSettings) -> None:
    loop = ServedLoop(settings.server, cache, settings.rollout, temperature=settings.draw.temperature)
    samples, order = settings.draw.samples, list[int]()
    groups: dict[int, tuple[StoredPrompt, dict[int, Rollout]]] = {}

    def tasks() -> Iterator[RolloutTask]:
        for piece, (number,) in drawing.open_pieces(1):
            prompt = drawing.store[number]
            order.append(piece)
            groups[piece] = prompt, {}
            yield from drawing.tasks(prompt)

    def done(task: int, rollout: Rollout) -> None:
        piece = order[task // samples]
        prompt, found = groups[piece]
        found[task % samples] = rollout
        if len(found) == samples:
            del groups[piece]
            drawing.kept.add(piece, drawing.rows(prompt, [found[at] for at in range(samples)]))

    loop.stream(tasks(), done)


class _Bytes:
    """Measures prompts whose tokens only a server knows."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def prompt(self, part: Part) -> range:
        """Something as long as the prompt is in tokens, about."""
        text = json.dumps([part.history, part.tools], ensure_ascii=False)
        return range(len(text.encode("utf-8", "surrogatepass")) // CHARS)


def _publish(writer: FolderWriter, kept: Kept, settings: SampleSettings, left_out: dict[str, int]) -> dict[str, Any]:
    """Write table, counts and report."""
    outcomes: list[Outcome] = []

    def rows() -> Iterator[Trajectory]:
        for row in kept.rows():
            outcomes.append(outcome_of(row))
            yield row

    writer.table("trajectories", TRAJECTORY).write(rows())
    figures = figures_of(outcomes)
    writer.count(trajectories=len(outcomes), left_out=left_out, **figures)
    writer.add_report(report_of(outcomes, figures, settings, left_out))
    return figures


def _model_name(settings: SampleSettings) -> str:
    from train.model_folder import trained_identity

    if settings.model is None:
        return str(settings.server.served_model)
    return trained_identity(settings.model) or settings.model
