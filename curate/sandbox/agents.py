"""What every scripted agent of the full desk can do: talk, call with its slips, find the customer and the order."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

import orjson

from curate.sandbox import agent_words as words
from curate.sandbox import catalogue as cat
from curate.sandbox.phrases import capital, sentences
from curate.sandbox.skills import Skill
from curate.sandbox.transcript import Call, Transcript
from curate.sandbox.users import ScriptedUser

Json = dict[str, Any]

MAX_CALLS: Final = 30
VOICES: Final = {"quiet": (0.9, 0.07), "talking": (0.45, 0.47), "musing": (0.62, 0.12)}
"""Of each voice: how many of its calls are silent, and how many carry a text to the user; the rest carry analysis."""


class Ended(Exception):
    """The user has gone, or a person has taken over."""


class GivenUp(Exception):
    """The agent cannot go on with this request; carries what it tells the user."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer)
        self.answer = answer


class Agent:
    """One scripted agent in one episode.

    Args:
        log: where its turns go.
        user: whom it serves.
        skill: how it slips.
        rng: what chooses words and slips.
    """

    def __init__(self, log: Transcript, user: ScriptedUser, skill: Skill, rng: random.Random) -> None:
        self.log = log
        self.user = user
        self.skill = skill
        self.rng = rng
        self.customer: Json | None = None
        self.listed: list[Json] | None = None
        self.orders: dict[str, Json] = {}
        self._silent, self._announcing = VOICES[rng.choice(tuple(VOICES))]

    def does(self, habit: str) -> bool:
        """Whether the agent follows a habit of its skill now."""
        chance: float = getattr(self.skill, habit)
        return chance > 0 and self.rng.random() < chance

    def slips(self, weakness: str) -> bool:
        """Whether the agent slips now."""
        return self.does(weakness)

    def say(self, act: str, slots: Mapping[str, object] | None = None) -> str:
        """Word an answer."""
        return capital(words.ANSWER[act].say(self.rng, slots))

    def soften(self) -> str:
        """What may stand before an answer."""
        return words.SOFTENER.say(self.rng)

    def more(self) -> str:
        """The question whether there is anything else."""
        return words.MORE.say(self.rng)

    def tell(self, text: str) -> None:
        """Say something to the user and hear the answer.

        Raises:
            Ended: the user has gone.
        """
        self.log.say(text)
        self.log.user(self.user.reply(text))
        if self.user.done or self.log.calls > MAX_CALLS:
            raise Ended

    def ask(self, what: str, name: str) -> Any:
        """What the user has told under that name, asked for once if need be."""
        if name not in self.user.told:
            self.tell(words.ASK[what].say(self.rng))
        return self.user.told.get(name)

    def beside(self, act: str, slots: Mapping[str, object]) -> str | None:
        """The text beside a call: none, an announcement or analysis, as the agent's voice has it."""
        draw = self.rng.random()
        if draw < self._silent:
            return None
        if draw < self._silent + self._announcing:
            return words.ANNOUNCE[act].say(self.rng, {"order_id": "", **slots}) if act in words.ANNOUNCE else None
        return words.ANALYSIS[act].say(self.rng) if act in words.ANALYSIS else None

    def call(self, tool: str, arguments: Json, act: str | None = None) -> Json | None:
        """Make one call, with slips in its form and after it.

        Returns:
            The parsed result, None for a call that failed and was not mended.
        """
        act = act or tool
        if self.slips("malformed"):
            self.log.call([(tool, _spoiled(arguments, self.rng))], self.beside(act, arguments))
            if not self.does("recover"):
                return None
        wrong = _mistyped(arguments, self.rng) if self.slips("wrong_id") else None
        if wrong is not None:
            text = self.log.call([(tool, wrong)], self.beside(act, wrong))[0]
            if not text.startswith("Error"):
                return _parsed(text)
            if not self.does("recover"):
                return None
        text = self.log.call([(tool, arguments)], self.beside(act, arguments))[0]
        if act == tool and self.slips("repeat"):
            text = self.log.call([(tool, arguments)])[0]
        if act != "transfer" and self.slips("unneeded"):
            self._wander()
        return _parsed(text)

    def _wander(self) -> None:
        """Make a call that nobody needs."""
        told = self.user.told
        choices: list[Call] = [
            ("get_wait_time", {"team": self.rng.choice(cat.TEAMS)}),
            ("search_products", {"query": str(told.get("product", "gift card")).lower()}),
            (
                "think",
                {"thought": self.rng.choice(("What did the customer want again?", "Let me sort this out first."))},
            ),
            ("list_slots", {"service": self.rng.choice(cat.SERVICES)}),
        ]
        self.log.call([self.rng.choice(choices)])

    def identify(self) -> bool:
        """Find the customer's account, asking for it if it was not given.

        Returns:
            Whether the customer is known now.
        """
        if self.customer is not None:
            return True
        told = self.user.told
        if "email" not in told and "first_name" not in told:
            self.tell(words.ASK["identity"].say(self.rng))
            told = self.user.told
        if "email" in told:
            who = {"email": told["email"]}
        elif "first_name" in told:
            who = {"first_name": told["first_name"], "last_name": told["last_name"], "postcode": told["home_postcode"]}
        else:
            return False
        self.customer = self.call("find_customer", who)
        return self.customer is not None

    def need_customer(self) -> Json:
        """The customer's account.

        Raises:
            GivenUp: it cannot be found.
        """
        if not self.identify() or self.customer is None:
            raise GivenUp(self.say("no_account"))
        return self.customer

    def order_id(self) -> str:
        """The number of the order that the user speaks of: told, found in the list by its product, or asked for.

        Raises:
            GivenUp: it cannot be found.
        """
        told = self.user.told
        if "order_id" in told:
            return str(told["order_id"])
        if self.rng.random() < 0.75:
            orders = self.list_orders()
            fitting = [each for each in orders if told.get("product") in each["products"]]
            if self.slips("wrong_pick") and orders:
                return str(self.rng.choice(orders)["order_id"])
            if fitting:
                return str(fitting[0]["order_id"])
        found = self.ask("order", "order_id")
        if found is None:
            raise GivenUp(self.say("not_found"))
        return str(found)

    def list_orders(self) -> list[Json]:
        """The customer's orders; read once."""
        if self.listed is None:
            answer = self.call("list_orders", {"customer_id": self.need_customer()["customer_id"]})
            if answer is None:
                raise GivenUp(self.say("trouble"))
            self.listed = answer["orders"]
        return self.listed or []

    def order(self, fresh: bool = False) -> Json:
        """The order that the user speaks of, as read before or now.

        Raises:
            GivenUp: it cannot be read.
        """
        order_id = self.order_id()
        known = self.orders.get(order_id)
        if known is not None and not fresh:
            return known
        others = [each["order_id"] for each in self.listed or [] if each["order_id"] != order_id]
        if others and not fresh and self.does("parallel"):
            calls: list[Call] = [("get_order", {"order_id": each}) for each in (order_id, *others[:2])]
            for text in self.log.call(calls, self.beside("get_order", {})):
                found = _parsed(text)
                if found:
                    self.orders[found["order_id"]] = found
        else:
            found = self.call("get_order", {"order_id": order_id}, "read_back" if fresh else None)
            if found is None:
                raise GivenUp(self.say("not_found"))
            self.orders[found["order_id"]] = found
            return found
        return self.orders[order_id]

    def confirmed(self, act: str, slots: Mapping[str, object]) -> bool:
        """Ask the user to confirm a write; a hasty agent does not.

        Returns:
            False if the user objected and the agent heeds it: the errand must start anew.
        """
        if self.slips("policy"):
            return True
        before = self.user.told.get("objected")
        self.tell(sentences([self.soften(), capital(words.CONFIRM[act].say(self.rng, slots))]))
        return before == self.user.told.get("objected") or not self.does("recover")

    def write(self, tool: str, arguments: Json) -> Json:
        """Make a write.

        Raises:
            GivenUp: the agent stops early, or the world refused the call.
        """
        if self.slips("early_stop"):
            raise GivenUp(self.say("early"))
        answer = self.call(tool, arguments, "write")
        if answer is None:
            raise GivenUp(self.say("trouble"))
        return answer


def _parsed(text: str) -> Json | None:
    if text.startswith("Error"):
        return None
    found: Json = orjson.loads(text) if text.startswith("{") else {}
    return found


def _spoiled(arguments: Json, rng: random.Random) -> Json | str:
    """Arguments as a careless model writes them: broken JSON, one missing, one of a wrong type or a wrong name."""
    name = rng.choice(list(arguments))
    way = rng.randrange(4)
    if way == 0:
        return orjson.dumps(arguments).decode()[:-1]
    if way == 1:
        return {key: value for key, value in arguments.items() if key != name}
    if way == 2:
        return {**arguments, name: [1] if isinstance(arguments[name], str) else str(arguments[name])}
    return {key.replace("_id", "") if key == name else key: value for key, value in arguments.items()} | {"note": ""}


def _mistyped(arguments: Json, rng: random.Random) -> Json | None:
    """Arguments with two digits of an id swapped; None if they hold no id."""
    names = [name for name, value in arguments.items() if name.endswith(("_id", "_number")) and isinstance(value, str)]
    if not names:
        return None
    name = rng.choice(names)
    value = arguments[name]
    for place in range(len(value) - 1, 2, -1):
        if value[place] != value[place - 1] and value[place].isdigit() and value[place - 1].isdigit():
            return {**arguments, name: value[: place - 1] + value[place] + value[place - 1] + value[place + 1 :]}
    return None
