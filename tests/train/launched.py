"""Runs a training command in one of several processes on the CPU: `launched.py train.sft ARGUMENTS`.

accelerate's FSDP is for GPUs only, so it is told that the processes are of that kind; what it does then is its own.
Prints what the trainer's model was wrapped in.
"""

import importlib
import os
import sys

import accelerate.state
import torch
from accelerate.utils import DistributedType

torch.set_num_threads(1)
begin = accelerate.state.PartialState.__init__


def init(self, *given, **named):
    begin(self, *given, **named)
    if self.distributed_type == DistributedType.MULTI_CPU:
        self.distributed_type = DistributedType.MULTI_GPU


def main(command, arguments):
    from train import trainers

    if os.environ.get("ACCELERATE_USE_FSDP"):
        accelerate.state.PartialState.__init__ = init
    save = trainers._save

    def shown(trainer, *given):
        weight = next(trainer.model_wrapped.parameters())
        sys.stdout.write(f"wrapped: {type(trainer.model_wrapped).__name__} {type(weight).__name__}\n")
        save(trainer, *given)

    trainers._save = shown
    return importlib.import_module(command).main(arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2:]))
