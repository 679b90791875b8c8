"""Tasks: what a customer wants, the calls that do it, the facts that the answer must hold, the state it must end in.

A task's id names preset, seed, start state and place, so that it can be rebuilt anywhere from the id alone.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson
import xxhash

from curate.errors import UsageError
from curate.sandbox import mini
from curate.sandbox.requests import KINDS, MULTI_KINDS, Ledger, Request
from curate.sandbox.world import Change, World

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a desk.

    Args:
        task_id: `preset-seed-state-index`.
        preset: which world it plays in.
        state_seed: seed of the world's start state.
        initial_state_id: hash of that start state.
        kind: what is wanted; `multi` for several requests.
        instruction: the task in words, for a simulated user or a reader.
        customer: the row of the customer who asks.
        requests: what is asked for, in order.
        gold_calls: the shortest right calls.
        required_facts: what the answer must say; `a|b` means either.
        expected_end: the world's `end_state()` after the gold calls.
    """

    task_id: str
    preset: str
    state_seed: int
    initial_state_id: str
    kind: str
    instruction: str
    customer: Mapping[str, Any]
    requests: tuple[Request, ...]
    gold_calls: tuple[Call, ...]
    required_facts: tuple[str, ...]
    expected_end: Mapping[str, Change | None] = field(repr=False)

    def noise(self, trial: int) -> int:
        """Seed of the volatile and failing tools in one attempt."""
        return xxhash.xxh3_64_intdigest(f"{self.task_id}|{trial}".encode())

    def world(self, trial: int = 0) -> World:
        """A fresh world in the task's start state, which answers as it did in that recorded attempt."""
        return World(self.state_seed, self.preset, noise=self.noise(trial))


class Scene:
    """One start state of a run: its world and the tasks that play in it.

    Args:
        preset: `full` or `mini`.
        seed: the run's seed.
        state: which of the run's start states.
    """

    def __init__(self, preset: str, seed: int, state: int) -> None:
        self.preset = preset
        self.prefix = f"{preset}-{seed}-{state}"
        self.state_seed = xxhash.xxh3_64_intdigest(self.prefix.encode()) >> 1
        self.world = World(self.state_seed, preset)
        self._ledger = Ledger(self.world) if preset == "full" else None
        self._mini_order = [(kind, customer) for kind in mini.KINDS for customer in mini.CUSTOMERS]
        random.Random(self.prefix).shuffle(self._mini_order)

    def task(self, index: int) -> Task:
        """Build the task at that place in the scene."""
        self.world.reset()
        task_id = f"{self.prefix}-{index}"
        rng = random.Random(f"task|{task_id}")
        if self._ledger is None:
            return self._mini_task(task_id, index, rng)
        ledger = self._ledger
        kind = rng.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
        customer: Mapping[str, Any] = ledger.customers[index * 7 % len(ledger.customers)]
        if kind == "multi":
            requests = _several(ledger, customer, rng)
        else:
            customer, requests = _single(ledger, index, kind, rng)
        gold: list[Call] = [("find_customer", {"email": customer["email"]})] if kind != "search" else []
        for request in requests:
            gold += [call for call in request.gold if call not in gold or call[0] == "get_order"]
        name = f"{customer['first_name']} {customer['last_name']}"
        who = f"You are {name}, {customer['email']}, postcode {customer['postcode']}."
        told = [who, *(request.goal for request in requests)]
        return self._finish(task_id, kind, " ".join(told), customer, requests, gold)

    def _finish(
        self,
        task_id: str,
        kind: str,
        instruction: str,
        customer: Mapping[str, Any],
        requests: Sequence[Request],
        gold: Sequence[Call],
    ) -> Task:
        """Run the gold calls on the start state, and read facts and end state from what happens."""
        world = self.world
        world.reset()
        calls: list[Call] = []
        answers: list[dict[str, Any]] = []
        for tool, arguments in gold:
            filled = {k: answers[-1][v[1:]] if v[:1] == "$" else v for k, v in arguments.items()}
            text = world.call(tool, filled)
            if text.startswith("Error"):
                raise AssertionError(f"gold call {tool} {filled} of {task_id} failed: {text}")
            calls.append((tool, filled))
            answers.append(orjson.loads(text) if text.startswith("{") else {})
        facts = [fact for request in requests for fact in _facts(request, calls, answers)]
        end = world.end_state()
        world.reset()
        return Task(
            task_id=task_id,
            preset=self.preset,
            state_seed=self.state_seed,
            initial_state_id=world.initial_state_id,
            kind=kind,
            instruction=instruction,
            customer=customer,
            requests=tuple(requests),
            gold_calls=tuple(calls),
            required_facts=tuple(facts),
            expected_end=end,
        )

    def _mini_task(self, task_id: str, index: int, rng: random.Random) -> Task:
        kind, customer_id = self._mini_order[index % len(self._mini_order)]
        order = self.world.rows("orders", customer_id=customer_id)[0]
        order_id, item = order["order_id"], order["item_id"]
        gold: list[Call] = [("find", {"customer_id": customer_id}), ("get", {"order_id": order_id})]
        facts: tuple[str, ...] = (order["status"],)
        fresh: tuple[str, ...] = ()
        if kind == "CHANGE":
            item = rng.choice([each for each in mini.ITEMS if each != order["item_id"]])
        if kind != "STATUS":
            facts = ("refused",)
        category = mini.category_of(item)
        refused = order["status"] != "pending"
        if kind == "CHANGE" and not refused:
            gold.append(("list", {"category": category}))
            refused = (self.world.row("items", item) or {})["stock"] == "out"
        if kind != "STATUS" and not refused:
            write: Call = ("cancel", {"order_id": order_id})
            if kind == "CHANGE":
                write = ("change", {"order_id": order_id, "item_id": item})
            gold += [write, ("get", {"order_id": order_id})]
            facts, fresh = (), ("refund_code" if kind == "CANCEL" else "price",)
        text = f"{kind} {customer_id} {item} {category}"
        asked = {"customer_id": customer_id, "item_id": item, "category": category}
        request = Request(kind, text, asked, tuple(gold), facts, fresh)
        return self._finish(task_id, kind, text, {"customer_id": customer_id}, [request], gold)


def _facts(request: Request, calls: Sequence[Call], answers: Sequence[Mapping[str, Any]]) -> list[str]:
    """The request's known facts and those that its last gold call showed."""
    facts = list(request.facts)
    if request.fresh:
        tool = request.gold[-1][0]
        arguments = request.gold[-1][1]
        matches = [
            answer
            for (name, filled), answer in zip(calls, answers, strict=True)
            if name == tool and (filled == arguments or "$" in str(arguments))
        ]
        for name in request.fresh:
            value = matches[-1][name]
            facts.append(f"{value:.2f}" if isinstance(value, float | int) else str(value))
    return facts


def _single(ledger: Ledger, index: int, kind: str, rng: random.Random) -> tuple[Mapping[str, Any], tuple[Request, ...]]:
    """The first customer from the index on who can have a request of that kind, and the request."""
    count = len(ledger.customers)
    for offset in range(count):
        customer = ledger.customers[(index * 7 + offset) % count]
        request = KINDS[kind][1](ledger, customer, rng, set())
        if request is not None:
            return customer, (request,)
    raise AssertionError(f"no customer can ask for {kind}")


def _several(ledger: Ledger, customer: Mapping[str, Any], rng: random.Random) -> tuple[Request, ...]:
    """Two or three requests of one customer about different orders."""
    used: set[str] = set()
    wanted = rng.choice((2, 2, 3))
    found: list[Request] = []
    for kind in rng.sample(MULTI_KINDS, len(MULTI_KINDS)):
        request = KINDS[kind][1](ledger, customer, rng, used)
        if request is not None:
            found.append(request)
        if len(found) == wanted:
            break
    return tuple(found)


@lru_cache(maxsize=16)
def scene(preset: str, seed: int, state: int) -> Scene:
    """The scene of a start state, kept for the next look-up."""
    return Scene(preset, seed, state)


def task_by_id(task_id: str) -> Task:
    """Rebuild a task from its id.

    Raises:
        UsageError: the id is not of the form `preset-seed-state-index`.
    """
    preset, _, numbers = task_id.partition("-")
    parts = numbers.split("-")
    if preset not in ("full", "mini") or len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise UsageError(f"task id {task_id!r} is not of the form preset-seed-state-index, such as full-0-3-17")
    seed, state, index = (int(part) for part in parts)
    return scene(preset, seed, state).task(index)
