"""Made calls of one search tool: what the fuzzy tier's speed is measured on.

Two to five words of a vocabulary of 20,000, rare ones rarely, and three hard fields; one call in four rewords the one
before. A result tells whether two calls ask for the same: about 200 bytes that their words and hard fields decide.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curate.trajectory import Trajectory

TOOL = "search_places"
FILLER = "the a any good some".split()
CALLS_A_TRAJECTORY = 100
_BATCH = 50_000
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def search_call(rng: random.Random) -> dict[str, Any]:
    """Arguments of a search."""
    words = [f"w{chr(97 + rank % 26)}{rank // 26:x}o".translate(_LETTERS) for rank in _ranks(rng, rng.randint(2, 5))]
    return {
        "query": " ".join(words),
        "city_id": f"C{rng.randrange(200)}",
        "kind": rng.choice(["shop", "cafe", "hotel", "park"]),
        "limit": rng.choice([5, 10, 20]),
    }


def _ranks(rng: random.Random, count: int) -> list[int]:
    return [min(int(rng.paretovariate(0.6)), 20_000) for _ in range(count)]


def reworded(call: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The call as another model might write it; three in ten ask for something else."""
    words = call["query"].split()
    change = rng.random()
    if change < 0.25:
        words.insert(0, rng.choice(FILLER))
    elif change < 0.45:
        words[-1] += "s"
    elif change < 0.7:
        rng.shuffle(words)
        words[0] += "s"
    elif change < 0.85:
        words[rng.randrange(len(words))] = "another"
    else:
        return search_call(rng)
    return call | {"query": " ".join(words)}


def result_of(call: dict[str, Any]) -> str:
    """What the tool says: filler, order and plural of the words change nothing."""
    words = sorted({word.removesuffix("s") for word in call["query"].split()} - set(FILLER))
    rng = random.Random(json.dumps([words, call["city_id"], call["kind"], call["limit"]]))
    places = [{"name": f"{call['kind']} {rng.randrange(10**6)}", "rating": rng.randrange(50) / 10} for _ in range(4)]
    return json.dumps({"places": places})


def recorded_calls_of(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Searches, one in four a rewording of the one before."""
    rng = random.Random(seed)
    call = search_call(rng)
    for number in range(count):
        call = reworded(call, rng) if number % 4 == 3 else search_call(rng)
        yield call


def queries(count: int, recorded: int, seed: int, drawn: int = 1) -> Iterator[str]:
    """Rewordings of recorded calls, as text; `drawn` seeds the draw."""
    rng = random.Random(seed + drawn)
    known = list(recorded_calls_of(min(recorded, 50_000), seed))
    for _ in range(count):
        yield json.dumps(reworded(rng.choice(known), rng))


def recorded_trajectories(count: int, seed: int) -> Iterator[Trajectory]:
    """Rows that hold `count` searches."""
    from curate.canonical import hash128
    from curate.readers.messages import message
    from curate.trajectory import trajectory_of

    calls = recorded_calls_of(count, seed)
    for number in range(count // CALLS_A_TRAJECTORY):
        messages = [message("user", "hi")]
        for at, call in enumerate(islice(calls, CALLS_A_TRAJECTORY)):
            text = json.dumps(call)
            asked = {"id": f"c{at}", "name": TOOL, "arguments": text, "args_status": "json"}
            messages.append(message("assistant") | {"tool_calls": [asked]})
            messages.append(message("tool", result_of(call)) | {"tool_call_id": f"c{at}", "name": TOOL})
        place = {"source": "made", "env_id": "map", "task_id": f"t{number}"}
        yield trajectory_of(hash128(str(number)), messages, source_row=number, **place)


def write_search_index(path: Path, count: int, seed: int) -> None:
    """The index of so many calls, straight through its builder."""
    from cachebuild.index_build import write_index

    with path.open("wb") as handle:
        write_index(_frames(count, seed), handle, path.with_suffix(".spill"), {"manifest": "0" * 64})


def _frames(count: int, seed: int) -> Iterator[Any]:
    import polars as pl

    from cachebuild.index_build import COLUMNS
    from cachebuild.key import Place, exact_key, normalised_key
    from curate.canonical import canonical_json

    place = Place("map", None, "")
    kinds = [pl.String, pl.Int32, *[pl.String] * 10, pl.Boolean]
    calls = enumerate(recorded_calls_of(count, seed))
    while batch := list(islice(calls, _BATCH)):
        rows = []
        for number, call in batch:
            text = canonical_json(call)
            keys = exact_key(place, TOOL, text, ""), normalised_key(place, TOOL, text, "")
            source = f"{number // 100:032x}", number % 100, "map", None, f"t{number // 100}", ""
            rows.append((*source, TOOL, text, "", *keys, result_of(call), True))
        yield pl.DataFrame(rows, schema=dict(zip(COLUMNS, kinds, strict=True)), orient="row")
