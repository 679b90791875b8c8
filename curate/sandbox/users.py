"""Scripted users: they answer what an agent's text asks, so that scripted and trained agents can talk to them alike."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from curate.sandbox import user_words as words
from curate.sandbox.phrases import Phrases, capital, sentences, small
from curate.sandbox.tasks import Task

STOP: Final = "###STOP###"
"""What a user's last message ends with."""

_SENTENCE_END: Final = re.compile(r"(?<=[.?!]) ")
_ASKING: Final = re.compile(r"\b(?:please|let me know|tell me|need)\b")
_ORDER_ID: Final = re.compile(r"\bO-\d{5}\b")
_CUES: Final = {
    "more": r"(?:any|some)thing else|what else|further",
    "confirm": r"confirm|proceed|go ahead|shall i|should i|is that (?:right|correct|okay|ok)",
    "identity": r"e-?mail|full name|your name|verify|identify|who you are|your account",
    "reason": r"reason|why",
    "address": r"new address|street|which address|where (?:should|shall)|delivery address",
    "order": r"order number|order id|which order|number of the order",
    "variant": r"colou?r|size|variant",
    "item": r"which (?:item|product)",
    "day": r"which day|what day|when would",
}
_CUE: Final = re.compile(r"\b(?:" + "|".join(f"(?P<{name}>{cue})" for name, cue in _CUES.items()) + r")\b")
_STANDARD: Final = re.compile(r",? (?:preferably |and )?(?:in )?(?:size )?\(?standard\)?")
_PATIENCE: Final = 3
_IDENTITY: Final = ("email", "first_name", "last_name", "home_postcode")


def _details(kind: str, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """What a request's wording tells beside the order, by kind."""
    if kind.startswith("change"):
        return ("colour", "size")
    if kind in ("search", "book", "address"):
        return tuple(name for name in asked if name not in ("order_id", "product", "article"))
    return ()


def _names_all(text: str, variant: Sequence[str]) -> bool:
    """Whether a text names colour and size, where there is a choice of size."""
    return all(each.lower() in text.lower() for each in variant if each != "standard")


def _without_standard(text: str) -> str:
    """Nobody names the size of what comes in one size only."""
    return _STANDARD.sub("", text) if "standard" in text else text


def _continued(lead: str, text: str) -> str:
    """Two pieces of a message as one; the second goes on in lower case after a comma or a colon."""
    if not lead:
        return text
    return f"{lead} {small(text) if lead[-1] in ',:' else text}"


class ScriptedUser:
    """A customer of the full desk who follows a task.

    `told` holds what the customer has said so far, by name: what a scripted agent may go by.

    Args:
        task: what the customer wants.
        rng: what chooses words.
    """

    def __init__(self, task: Task, rng: random.Random) -> None:
        self.task = task
        self.persona = rng.choice(words.PERSONAS)
        self.told: dict[str, Any] = {}
        self.place = -1
        self.done = False
        self._rng = rng
        self._odd_turns = 0
        self._slots: dict[str, Any] = {}

    def open(self) -> str:
        """The first message: a greeting and the first request, perhaps with who is speaking."""
        rng = self._rng
        opener = words.OPENERS[self.persona].say(rng)
        if len(self.task.requests) > 1 and rng.random() < 0.4:
            count = ("two", "three")[len(self.task.requests) - 2]
            opener = _continued(opener, words.TWO_THINGS.say(rng, {"count": count}))
        core = self._next_request()
        identity = self._identity() if rng.random() < 0.3 else ""
        aside = words.ASIDES[self.persona].say(rng)
        if identity and rng.random() < 0.4:
            return self._styled(sentences([opener, identity, core, aside]))
        return self._styled(sentences([_continued(opener, core), identity, aside]))

    def reply(self, text: str) -> str:
        """Answer an agent's message.

        Args:
            text: what the agent said.

        Returns:
            The user's next message; it ends with the stop message when the user is done.
        """
        cues: list[str | None] = []
        for each in _SENTENCE_END.split(text.lower()):
            if each.endswith("?") or _ASKING.search(each):
                cues += [found.lastgroup for found in _CUE.finditer(each)]
        if "more" in cues or not cues:
            return self._go_on()
        if "confirm" in cues:
            return self._confirm(text)
        answers = [answer for cue in dict.fromkeys(cues) if (answer := self._answer(cue))]
        if not answers:
            return self._odd(words.UNSURE)
        if len(answers) > 1 and self._rng.random() < 0.5:
            answers.reverse()
        return self._styled(" ".join(answers))

    def repeat(self) -> str:
        """Ask again about the request under way."""
        return self._odd(words.REPEAT)

    def _go_on(self) -> str:
        rng = self._rng
        if self.place + 1 < len(self.task.requests):
            lead = words.NEXT[self.persona].say(rng)
            return self._styled(_continued(lead, self._next_request()))
        self.done = True
        return f"{self._styled(words.BYE[self.persona].say(rng))} {STOP}"

    def _odd(self, phrases: Phrases) -> str:
        self._odd_turns += 1
        if self._odd_turns >= _PATIENCE:
            self.done = True
            return f"{self._styled(words.BYE['annoyed'].say(self._rng))} {STOP}"
        return self._styled(phrases.say(self._rng))

    def _next_request(self) -> str:
        self.place += 1
        request = self.task.requests[self.place]
        rng = self._rng
        slots = self._slots = {**self.task.customer, **request.asked}
        order = ""
        self.told = {name: value for name, value in self.told.items() if name in _IDENTITY}
        if "order_id" in request.asked:
            by_number = rng.random() < 0.55
            names_product = request.kind.startswith(("change", "return", "complaint"))
            number, other = words.ORDER_NUMBER, words.ORDER_PRODUCT
            if names_product:
                number, other = words.ORDER_NUMBER_ONLY, words.ORDER_VAGUE
            order = (number if by_number else other).say(rng, request.asked)
            self.told["product"] = request.asked["product"]
            if by_number or request.kind == "other_order":
                self.told["order_id"] = request.asked["order_id"]
        text = words.REQUESTS[request.kind].say(rng, {**slots, "the_order": order})
        if all(str(request.asked[name]) in text for name in _details(request.kind, request.asked)):
            self.told.update({name: request.asked[name] for name in _details(request.kind, request.asked)})
        text = _without_standard(text)
        for name in ("service", "damage", "relation"):
            if name in request.asked:
                self.told[name] = request.asked[name]
        return capital(text) if self.persona != "terse" else text

    def _identity(self) -> str:
        by_email = self._rng.random() < 0.65
        who = self.task.customer
        known = {"first_name": who["first_name"], "last_name": who["last_name"], "home_postcode": who["postcode"]}
        self.told.update({"email": who["email"]} if by_email else known)
        return (words.BY_EMAIL if by_email else words.BY_NAME).say(self._rng, self.task.customer)

    def _confirm(self, text: str) -> str:
        right = self._slots.get("order_id")
        if not self.told.get("objected"):
            if right and any(found != right for found in _ORDER_ID.findall(text)):
                self.told |= {"order_id": right, "objected": True}
                return self._styled(words.OBJECTION.say(self._rng, self._slots))
            request = self.task.requests[self.place]
            variant = [str(request.asked.get(name)) for name in ("colour", "size")]
            if request.kind.startswith("change") and not _names_all(text, variant):
                self.told["objected"] = True
                return self._styled(_without_standard(words.VARIANT_OBJECTION.say(self._rng, self._slots)))
        return self._styled(words.YES.say(self._rng))

    def _answer(self, cue: str | None) -> str:
        slots, rng = self._slots, self._rng
        if cue == "identity":
            lead = words.WILLING.say(rng)
            return _continued(lead, self._identity()) if rng.random() < 0.2 else self._identity()
        if cue == "order" and "order_id" in slots:
            self.told["order_id"] = slots["order_id"]
            return words.ORDER_ANSWER.say(rng, slots)
        if cue == "item" and "product" in slots:
            return words.ITEM_ANSWER.say(rng, slots)
        if cue == "reason" and "reason" in slots:
            self.told["reason"] = slots["reason"]
            return words.REASON_ANSWER[slots["reason"]].say(rng)
        request = self.task.requests[self.place]
        known = {"address": words.ADDRESS_ANSWER, "variant": words.VARIANT_ANSWER, "day": words.DAY_ANSWER}
        names = {"address": ("street", "city", "postcode"), "variant": ("colour", "size"), "day": ("day",)}
        if cue in known and all(name in request.asked for name in names[cue]):
            self.told.update({name: request.asked[name] for name in names[cue]})
            return _without_standard(known[cue].say(rng, slots))
        return ""

    def _styled(self, text: str) -> str:
        if self.persona == "terse":
            return text.replace("Please ", "").replace(" please", "").removesuffix(".")
        if self.persona == "hurried" and self._rng.random() < 0.5:
            return text.replace("please", "pls").replace("Thanks", "Thx")
        return text
