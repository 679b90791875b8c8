"""TRL's GRPOTrainer with rollouts of our own: the seam is `rollout_func`, what it gives back goes to the reward."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset
from trl.trainer.grpo_config import GRPOConfig

from cachebuild.cache import ToolCache
from curate.errors import UsageError
from curate.folder import DatasetFolder, FolderWriter, Manifest, folder_input, read_batches
from curate.schema import TRAJECTORY
from curate.table_writer import TableWriter
from curate.trajectory import Trajectory
from synth.judging import Verdict
from train.chat_format import ChatFormat
from train.generation import TrainerGenerate
from train.judging import StepJudge
from train.prompts import PromptStore, StoredPrompt
from train.ranks import InStep, rank, world
from train.rollout import CacheAgentLoop, Rollout, RolloutTask, outcome_seed
from train.scoring import case_of, metrics, score, trajectory
from train.settings import GrpoSettings
from train.timing import TimedSessions
from train.tokens import Renderer
from train.trainers import dtype_of, lora_of, optimiser_arguments, run_arguments, trackers

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # rollout_func is what we build on; a test holds what it does


def _is_short(record: logging.LogRecord) -> bool:
    """Whether a log line of TRL is not the one that prints a whole rollout for a missing reward, which we count."""
    return "All reward functions returned None" not in str(record.msg)


logging.getLogger("trl.trainer.grpo_trainer").addFilter(_is_short)


class Rollouts:
    """Runs the rollouts of each step, pays them, and keeps them.

    Args:
        store: the prompts.
        renderer: makes token ids.
        cache: answers calls.
        judge: scores answers.
        settings: of the run.
        kept: folder for the rollouts of each step.
    """

    def __init__(
        self,
        store: PromptStore,
        renderer: Renderer,
        cache: ToolCache,
        judge: StepJudge,
        settings: GrpoSettings,
        kept: Path,
    ) -> None:
        self.store = store
        self._judge = judge
        self._settings = settings
        self._renderer = renderer
        self._cache = TimedSessions(cache)
        self._loop = CacheAgentLoop(renderer, self._cache, settings.rollout)
        self._kept = kept
        self._spent: dict[str, float] = {}

    def __call__(self, prompts: list[str], trainer: Any) -> dict[str, list[Any]]:
        """What TRL's `rollout_func` gives: one rollout a prompt, in their order."""
        speaker = InStep(trainer) if world() > 1 else trainer
        begin = time.perf_counter()
        known = {prompt: self.store[int(prompt)] for prompt in dict.fromkeys(prompts)}
        stored = [known[prompt] for prompt in prompts]
        in_cache = self._cache.seconds
        seeds = self._seeds(prompts, trainer)
        tasks = [RolloutTask(each.row, each.part, seed) for each, seed in zip(stored, seeds, strict=True)]
        with TrainerGenerate(speaker, alone=speaker is trainer) as generate:
            rollouts = self._loop.run(tasks, generate)
        if speaker is not trainer:
            speaker.rest()
        self._spent = {"cache": self._cache.seconds - in_cache, "generation": generate.seconds}
        self._spent["bookkeeping"] = time.perf_counter() - begin - sum(self._spent.values())
        for each in rollouts:
            if not each.completion_ids:  # one that crashed before it spoke; TRL wants a token, which is not trained
                each.completion_ids, each.mask = [self._renderer.format.tokenizer.eos_token_id], [0]
        logprobs = [each.logprobs for each in rollouts]
        return {
            "prompt_ids": [each.prompt_ids for each in rollouts],
            "completion_ids": [each.completion_ids for each in rollouts],
            "logprobs": logprobs if all(each is not None for each in logprobs) else None,  # type: ignore[dict-item]
            "env_mask": [each.mask for each in rollouts],
            "rollout": rollouts,
            "stored": stored,
        }

    def reward(
        self, prompts: list[str], rollout: list[Rollout], stored: list[StoredPrompt], **given: Any
    ) -> list[float | None]:
        """What TRL calls for the rewards; logs and keeps the rollouts too.

        A rollout whose answer has no score gets None: TRL leaves it out of its group's mean and spread, and gives it
        the advantage 0.
        """
        begin = time.perf_counter()
        cases = [case_of(one, two) for one, two in zip(rollout, stored, strict=True)]
        verdicts = self._judge.judge(cases, given["log_metric"])
        rewards = [
            score(one, two, self._settings.reward, verdict)
            for one, two, verdict in zip(rollout, stored, verdicts, strict=True)
        ]
        self._spent["reward"] = time.perf_counter() - begin
        for name, value in metrics(rollout, rewards).items():
            given["log_metric"](name, value)
        step = given["trainer_state"].global_step
        numbers = _numbers(prompts)
        rows = [
            trajectory(one, two, paid, f"{step}|{number}", number, self._judged(verdict))
            for one, two, paid, number, verdict in zip(rollout, stored, rewards, numbers, verdicts, strict=True)
        ]
        self._keep(step, rows)
        self._spent["keeping"] = time.perf_counter() - begin - self._spent["reward"]
        for name, seconds in self._spent.items():
            given["log_metric"](f"time/{name}_s", seconds)
        return [each.total for each in rewards]

    def _judged(self, verdict: Verdict) -> dict[str, str]:
        """What a saved rollout tells of its judge."""
        return {**self._judge.told, "code": verdict.code, "said": verdict.said}

    def _seeds(self, prompts: Sequence[str], trainer: Any) -> list[int]:
        """One seed a prompt and step; its own for each rollout where outcomes are to vary."""
        varied = self._settings.group.outcomes == "varied"
        base = (str(self._settings.optimiser.seed), str(trainer.state.global_step))
        numbers = _numbers(prompts)
        names = [(*base, each, str(number) if varied else "") for each, number in zip(prompts, numbers, strict=True)]
        return [outcome_seed(*name) for name in names]

    def _keep(self, step: int, rows: Sequence[Trajectory]) -> None:
        """The rollouts of a step as a Parquet file; a step that is done again replaces it, of however many ranks."""
        self._kept.mkdir(exist_ok=True)
        if not rank():
            for path in self._kept.glob(f"step-{step:06d}-*.parquet"):
                if int(path.stem.rpartition("-")[2]) >= world():
                    path.unlink(missing_ok=True)
        table = TableWriter(self._kept, f"step-{step:06d}-{rank():04d}", TRAJECTORY)
        table.write(rows)
        table.close()

    def gather(self, out: Path, data: DatasetFolder) -> None:
        """All kept rollouts as a dataset folder, in the order of the steps."""
        manifest = Manifest("rollouts", "train.grpo", {}, [folder_input(data)])
        with FolderWriter(out, manifest) as writer:
            table, count = writer.table("trajectories", TRAJECTORY), 0
            for path in sorted(self._kept.glob("step-*.parquet")):
                for batch in read_batches(path):
                    table.write(batch.to_pylist())
                    count += batch.num_rows
            writer.count(trajectories=count)


def grpo_trainer(settings: GrpoSettings, form: ChatFormat, rollouts: Rollouts, checkpoints: Path) -> Any:
    """A trainer whose rollouts and rewards are ours."""
    from trl.trainer.grpo_trainer import GRPOTrainer

    tokenizer: Any = form.tokenizer
    tokenizer.padding_side = "left"
    return GRPOTrainer(
        model=settings.model,
        args=grpo_config(settings, checkpoints),
        train_dataset=Dataset.from_dict({"prompt": [str(number) for number in range(len(rollouts.store))]}),
        reward_funcs=rollouts.reward,
        rollout_func=rollouts,
        processing_class=tokenizer,
        peft_config=lora_of(settings.lora),
        callbacks=trackers(settings.run, checkpoints),
    )


def grpo_config(settings: GrpoSettings, checkpoints: Path) -> GRPOConfig:
    """What TRL's trainer is told.

    Raises:
        UsageError: if a step cannot be shared out to the devices.
    """
    group, optimiser = settings.group, settings.optimiser
    arguments = optimiser_arguments(optimiser) | run_arguments(settings.run)
    arguments["gradient_accumulation_steps"] = _accumulation(settings, world())
    return GRPOConfig(
        output_dir=str(checkpoints),
        model_init_kwargs={"dtype": dtype_of(optimiser)},
        num_generations=group.generations,
        max_completion_length=settings.rollout.max_completion,
        temperature=group.temperature,
        beta=group.beta,
        loss_type=group.loss,
        use_bias_correction_kl=False,
        **_vllm_arguments(settings),
        **arguments,
    )


def _vllm_arguments(settings: GrpoSettings) -> dict[str, Any]:
    """What TRL needs for vLLM, whose probabilities differ a little from the trainer's: a ratio corrects that.

    Token by token, since the ratio of a whole sequence, TRL's default, drifts with its length, and what has drifted
    far is left out: that would take the long rollouts first.
    """
    engine = settings.group.engine
    if world() % engine.vllm_tensor_parallel:
        raise UsageError(f"--vllm-tensor-parallel {engine.vllm_tensor_parallel} does not divide {world()} processes")
    if engine.vllm == "off":
        return {"use_vllm": False}
    told: dict[str, Any] = {
        "use_vllm": True,
        "vllm_mode": engine.vllm,
        "vllm_importance_sampling_correction": True,
        "vllm_importance_sampling_mode": "token_truncate",
    }
    if engine.vllm == "server":
        return told | {"vllm_server_base_url": engine.vllm_server, "vllm_server_timeout": engine.vllm_timeout}
    return told | {
        "vllm_gpu_memory_utilization": engine.vllm_memory,
        "vllm_tensor_parallel_size": engine.vllm_tensor_parallel,
        "vllm_enable_sleep_mode": False,  # each turn would push all weights anew
        "vllm_max_model_length": settings.prompt.max_prompt + settings.rollout.max_completion,
    }


def _accumulation(settings: GrpoSettings, world: int) -> int:
    wanted, at_once = settings.group.prompts * settings.group.generations, settings.optimiser.batch_size * world
    if wanted % at_once:
        raise UsageError(
            f"--prompts x --generations is {wanted} rollouts a step, which {at_once} at once (--batch-size on {world} "
            "devices) do not divide"
        )
    return wanted // at_once


def _numbers(prompts: Sequence[str]) -> list[int]:
    """Of each rollout, how many of the same prompt stand before it; other numbers on each rank."""
    seen: Counter[str] = Counter(dict.fromkeys(prompts, rank() * len(prompts)))
    numbers = []
    for prompt in prompts:
        numbers.append(seen[prompt])
        seen[prompt] += 1
    return numbers
