from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import UsageError
from synth.prices import TABLE, price_of
from synth.teachers.asks import Usage

OWN = """
looked_up: 2026-01-02
providers:
  openai:
    models:
      Qwen/Qwen3-32B: {input: 0.1, output: 0.3}
      gpt-4o-mini: {input: 9, output: 9}
"""


def every_model() -> list[tuple[str, str, str]]:
    table = yaml.safe_load(TABLE.read_text())["providers"]
    return [(name, model, item["hosts"][0]) for name, item in table.items() for model in item["models"]]


@pytest.mark.parametrize(("provider", "model", "host"), every_model())
def test_every_price_in_the_table_has_a_source_and_a_sensible_order(provider: str, model: str, host: str) -> None:
    price = price_of(f"openai:{model}", f"https://{host}/v1")
    assert price.source is not None and price.source.startswith("https://")
    assert price.looked_up == "2026-11-24"
    assert 0 < price.cached <= price.input <= price.write_5m <= price.write_1h < price.output


def test_a_dated_name_is_its_model_and_a_longer_name_is_not() -> None:
    assert price_of("openai:gpt-4o-mini-2024-07-18").model == "gpt-4o-mini"
    assert price_of("openai:gpt-4o-2024-05-13").input == 5
    assert price_of("anthropic:claude-sonnet-4-5-20250929").model == "claude-sonnet-4-5"
    assert price_of("anthropic:claude-sonnet-4-20250514").model == "claude-sonnet-4"
    with pytest.raises(UsageError, match=r"openai:gpt-5-pro; near it are .*gpt-5.*--prices FILE"):
        price_of("openai:gpt-5-pro")


def test_a_server_of_ones_own_is_free_unless_a_table_names_the_model(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(OWN)
    url = "http://127.0.0.1:8000/v1"
    free = price_of("openai:gpt-4o-mini", url)
    assert not free.known and free.cost(Usage(10**6, 10**6)) == 0 and free.worst(10**6, 10**6) == 0
    assert free.about() == "gpt-4o-mini: no price known, counted as 0"
    assert price_of("openai:Qwen/Qwen3-32B", url, tmp_path / "p.yaml").input == Decimal("0.1")
    assert price_of("openai:gpt-4o-mini", None, tmp_path / "p.yaml").input == 9
    assert price_of("openai:gpt-4o", None, tmp_path / "p.yaml").input == Decimal("2.5")
    assert price_of("openai:deepseek-flash", "https://api.deepseek.com").known
    assert not price_of("offline").known


@pytest.mark.parametrize(
    "text", ["[1]", "looked_up: 1", ":\n:", OWN.replace("0.1", "x"), OWN.replace("output", "outputs")]
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"--prices .*p\.yaml is no table of prices"):
        price_of("openai:gpt-4o", None, tmp_path / "p.yaml")
    with pytest.raises(UsageError, match=r"none\.yaml cannot be read"):
        price_of("openai:gpt-4o", None, tmp_path / "none.yaml")


def test_each_kind_of_token_costs_what_the_table_says() -> None:
    price = price_of("anthropic:claude-sonnet-4-5")
    usage = Usage(input=1_000_000, output=100_000, cached=300_000, written=200_000, written_1h=100_000)
    dollars = 0.4 * 3 + 0.3 * 0.3 + 0.2 * 3.75 + 0.1 * 6 + 0.1 * 15
    assert price.cost(usage) == round(dollars * 10**9)
    assert price.cost(usage, batch=True) == round(dollars * 10**9 / 2)
    assert price_of("openai:gpt-5-nano").cost(Usage(input=1, cached=1), batch=True) == 3, "2.5, rounded up"


def test_a_long_prompt_costs_more_for_all_its_tokens() -> None:
    price = price_of("anthropic:claude-haiku-5-5")
    assert price.cost(Usage(100_000, 1_000)) == 10_500_000
    assert price.cost(Usage(100_001, 1_000)) == 52_500_500


@given(st.integers(0, 500_000), st.integers(0, 2_000), st.booleans(), st.data())
def test_no_request_costs_more_than_its_worst_case(tokens: int, output: int, batch: bool, data: st.DataObject) -> None:
    provider, model, host = data.draw(st.sampled_from(every_model()))
    price = price_of(f"{provider}:{model}", f"https://{host}")
    cached = data.draw(st.integers(0, tokens))
    usage = Usage(tokens, output, cached, data.draw(st.integers(0, tokens - cached)))
    assert price.cost(usage, batch) <= price.worst(tokens, output, batch)
