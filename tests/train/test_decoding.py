import pytest

torch = pytest.importorskip("torch")

from transformers import Qwen3Config, Qwen3ForCausalLM  # noqa: E402

from train.decoding import Sampler, Sampling  # noqa: E402

END, PAD, CALL = 1, 0, 2


def build(**given):
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=40,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=256,
        initializer_range=0.3,
        **given,
    )
    return Qwen3ForCausalLM(config).eval()


@pytest.fixture(scope="module")
def model():
    return build()


def by_transformers(model, prompt, most):
    """What transformers itself says, one prompt at a time."""
    ids = torch.tensor([prompt])
    said = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=most,
        do_sample=False,
        eos_token_id=END,
        pad_token_id=PAD,
    )
    return said[0, len(prompt) :].tolist()


def likeliest(**given):
    return Sampler(Sampling(END, PAD, 0.0, (CALL,), **given))


PROMPTS = [[5, 6, 7, 8, 9], [10, 11], [12, 13, 14], [15]]


def test_the_likeliest_turns_are_those_of_transformers(model):
    turns = likeliest().turns(model, PROMPTS, 0, [12] * 4)
    assert turns == [by_transformers(model, prompt, 12) for prompt in PROMPTS]


WINDOWS = {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 0}


@pytest.mark.parametrize("given", [{}, WINDOWS, WINDOWS | {"max_window_layers": 1}])
def test_a_rollout_that_goes_on_is_read_as_if_from_its_start(given):
    model, sampler = build(**given), likeliest()
    live = [list(prompt) for prompt in PROMPTS]
    for number in range(4):
        most = [3 + number, 9, 1, 6][: len(live)]
        turns = sampler.turns(model, live, 0, most)
        assert turns == [by_transformers(model, prompt, limit) for prompt, limit in zip(live, most, strict=True)]
        live = [
            [*prompt, *turn, *range(20, 21 + at)] for at, (prompt, turn) in enumerate(zip(live, turns, strict=True))
        ]
        del live[number % len(live)]


def test_the_past_is_read_once(model):
    sampler = likeliest()
    (first,) = sampler.turns(model, [[5, 6, 7, 8, 9]], 0, [4])
    assert sampler.read == 5 + len(first) - 1
    sampler.turns(model, [[5, 6, 7, 8, 9, *first, 30, 31]], 0, [1])
    assert sampler.read == 5 + len(first) + 2


def test_other_prompts_are_read_from_their_start(model):
    sampler = likeliest()
    sampler.turns(model, PROMPTS, 0, [4] * 4)
    other = [[30, 31, 32], [33]]
    assert sampler.turns(model, other, 0, [5, 5]) == [by_transformers(model, prompt, 5) for prompt in other]


def test_no_turn_ends_and_no_call_begins_before_the_least_number_of_tokens(model):
    torch.manual_seed(1)
    sampler = Sampler(Sampling(END, PAD, 5.0, (CALL,)))
    turns = sampler.turns(model, PROMPTS * 8, 10, [14] * 32)
    assert all(len(turn) >= 10 and not {END, CALL} & set(turn[:10]) for turn in turns)
    assert all(turn.index(END) == len(turn) - 1 for turn in turns if END in turn)


def test_tokens_are_drawn_as_often_as_they_are_likely(model):
    torch.manual_seed(2)
    turns = Sampler(Sampling(END, PAD, 1.0)).turns(model, [[5, 6, 7]] * 20_000, 0, [1] * 20_000)
    with torch.no_grad():
        wanted = model(torch.tensor([[5, 6, 7]])).logits[0, -1].softmax(-1)
    drawn = torch.bincount(torch.tensor([turn[0] for turn in turns]), minlength=40) / 20_000
    assert (drawn - wanted).abs().max() < 0.02


def test_a_long_result_of_one_rollout_leaves_no_lasting_holes_in_the_others(model):
    sampler = likeliest()
    live = [list(prompt) for prompt in PROMPTS]
    for number in range(8):
        turns = sampler.turns(model, live, 0, [3] * 4)
        assert turns == [by_transformers(model, prompt, 3) for prompt in live]
        columns = sampler._held.cache.get_seq_length()
        assert columns <= 2 * max(map(len, live)) + 43
        added = [[20 + number] * (40 if at == number % 4 else 1) for at in range(4)]
        live = [prompt + turn + some for prompt, turn, some in zip(live, turns, added, strict=True)]
    assert columns < 8 * 40


def test_what_is_remembered_is_let_go(model):
    sampler = likeliest()
    (first,) = sampler.turns(model, [[5, 6, 7]], 0, [4])
    sampler.forget()
    sampler.turns(model, [[5, 6, 7, *first, 30]], 0, [1])
    assert sampler.read == 2 * (3 + len(first)) - 1 + 1


def test_a_tokenizer_without_a_token_to_fill_up_fills_up_with_its_end(model):
    class Marks:
        eos_token_id, pad_token_id = END, None

        def get_added_vocab(self):
            return {"<tool_call>": CALL}

    sampler = Sampler(Sampling.of(Marks(), 0.0))
    assert sampler.turns(model, PROMPTS, 0, [3] * 4) == [by_transformers(model, prompt, 3) for prompt in PROMPTS]


def test_a_turn_ends_too_where_the_model_ends_its_texts():
    model = build()
    (long,) = likeliest().turns(model, [[5, 6, 7]], 0, [12])
    stop = long[4]
    model.generation_config.eos_token_id = [END, stop]
    (short,) = likeliest().turns(model, [[5, 6, 7]], 0, [12])
    assert short == long[: long.index(stop) + 1]
    (held,) = likeliest().turns(model, [[5, 6, 7]], 8, [12])
    assert stop not in held[:8]
