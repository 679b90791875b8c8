"""Several ranks: errors of the first end all, and a vLLM server is asked in step."""

import os
import subprocess
import sys
from pathlib import Path

from train.ranks import InStep, first, rank, together, world

ROOT = Path(__file__).parents[2]

IN_STEP = '''
import sys
from types import SimpleNamespace
from accelerate import PartialState
from accelerate.utils import gather_object
from train.generation import TrainerGenerate
from train.ranks import InStep, part, rank

PartialState(cpu=True)


class Server:
    """Answers as TRL's server mode: each rank gets the slice that its own number of prompts names."""
    use_vllm = True
    processing_class = SimpleNamespace(eos_token_id=0, decode=str, get_added_vocab=dict)
    vllm_generation = SimpleNamespace(generation_kwargs={})
    calls = 0

    def _generate_single_turn(self, prompts, *_):
        self.calls += 1
        told = gather_object([dict(self.vllm_generation.generation_kwargs)])
        assert all(each == told[0] for each in told), told
        everyone = gather_object(prompts)
        mine = everyone[rank() * len(prompts) : (rank() + 1) * len(prompts)]
        length = self.vllm_generation.generation_kwargs["max_tokens"]
        return [[prompt[0]] * length for prompt in mine], [[-1.0] * length for _ in mine]


server = Server()
step = InStep(server)
generate = TrainerGenerate(step)
live, turns = (3, 4) if rank() else (1, 2)
for number in range(turns):
    prompts = [[10 * rank() + at + 1] for at in range(live)]
    said = generate(prompts, 2 if number == 0 else 0, [5 + rank() + at for at in range(live)])
    for at, (prompt, turn) in enumerate(zip(prompts, said)):
        assert turn.ids == prompt * (5 + rank() + at), (turn, prompt)
        assert len(turn.logprobs) == len(turn.ids)
    live = max(1, live - 1)
step.rest()
assert gather_object([server.calls]) == [5, 5]
sys.stdout.write("done\\n")
part()
'''

FAILS = """
from curate.cli import run
from curate.errors import UsageError
from train.ranks import first, rank, together

def command():
    assert first(lambda: 7) == (None if rank() else 7)
    together()
    def refuses():
        raise UsageError("no room")
    first(refuses)
    return 0

raise SystemExit(run(command))
"""


def launch(tmp_path, text):
    script = tmp_path / "script.py"
    script.write_text(text)
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run([*start, str(script)], env=env, capture_output=True, text=True, timeout=120)


def test_ranks_of_other_lengths_ask_a_server_as_often_and_get_their_own_answers(tmp_path):
    done = launch(tmp_path, IN_STEP)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("done") == 2


def test_what_the_first_rank_refuses_ends_all_and_is_said_once(tmp_path):
    done = launch(tmp_path, FAILS)
    assert done.returncode != 0
    assert done.stderr.count("error: no room") == 1
    assert "exitcode: 2" in done.stderr or "exitcode  : 2" in done.stderr


def test_one_process_needs_no_others():
    assert (world(), rank(), first(lambda: 3)) == (1, 0, 3)
    together()
    assert InStep(type("Trainer", (), {"name": "here"})()).name == "here"
