"""Which trajectory a request goes on from, and that the journal's turns make the same sessions again."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from curate.recording_proxy.exchange import Asked, Scope
from curate.recording_proxy.record_form import trajectory
from curate.recording_proxy.replies import Reply
from curate.recording_proxy.sessions import Sessions


def user(text):
    return {"role": "user", "content": text}


def says(text):
    return {"role": "assistant", "content": text}


class Talk:
    """Sessions fed by hand; `turns` is what a journal would hold."""

    def __init__(self):
        self.sessions, self.turns, self.clock = Sessions(), [], 0.0

    def ask(self, messages, *replies, scope=Scope(), complete=True, retry=False, tools=()):  # noqa: B008
        self.clock += 1
        asked = Asked(json.loads(json.dumps(messages)), list(tools), "m", {})
        reply = Reply(list(replies), [None] * len(replies), complete=complete)
        turn, ended = self.sessions.turn(asked, reply, scope, self.clock, self.clock + 0.5, retry)
        if ended is not None:
            self.sessions.close(ended)
            self.turns.append({"closed": ended})
        self.turns.append(json.loads(json.dumps(turn)))
        return self.sessions.apply(turn)

    def rows(self):
        return [trajectory(session, "x") for session in self.sessions.open.values()]


def test_a_growing_list_is_one_session():
    talk, messages = Talk(), [user("q")]
    sessions = set()
    for number in range(5):
        reply = says(f"a{number}")
        sessions.add(talk.ask(messages, reply).id)
        messages += [reply, user(f"more {number}")]
    assert len(sessions) == 1
    assert talk.rows()[0]["messages"] == messages[:-1]


def test_an_equal_request_is_another_attempt_unless_its_reply_never_came():
    talk = Talk()
    first = talk.ask([user("q")], says("half"), complete=False)
    assert talk.ask([user("q")], says("whole")).id == first.id
    assert talk.ask([user("q")], says("whole")).id != first.id
    assert talk.ask([user("q")], says("again"), retry=True).id == first.id
    assert first.replaced == 2
    assert [row["messages"][1]["content"] for row in talk.rows()] == ["again", "whole"]


def test_equal_sessions_go_on_one_each():
    talk = Talk()
    ids = {talk.ask([user("q")], says("a")).id for _ in range(3)}
    gone_on = [talk.ask([user("q"), says("a"), user(f"{number}")], says("b")).id for number in range(3)]
    assert set(gone_on) == ids


def test_tasks_never_mix():
    talk = Talk()
    one = talk.ask([user("q")], says("a"), scope=Scope("t1"))
    two = talk.ask([user("q")], says("a"), scope=Scope("t2"))
    assert talk.ask([user("q"), says("a"), user("x")], says("b"), scope=Scope("t2")).id == two.id
    assert one.id in talk.sessions.open


def test_the_thought_of_a_reply_stays_although_agents_drop_it():
    talk = Talk()
    talk.ask([user("q")], says("a") | {"reasoning_content": "why"})
    talk.ask([user("q"), says("a"), user("x")], says("b"))
    assert talk.rows()[0]["messages"][1]["reasoning_content"] == "why"


def test_all_tools_ever_offered_are_kept_in_their_last_form():
    talk = Talk()
    tool = lambda name, text: {"type": "function", "function": {"name": name, "description": text}}  # noqa: E731
    talk.ask([user("q")], says("a"), tools=[tool("f", "1"), tool("g", "1")])
    talk.ask([user("q"), says("a"), user("x")], says("b"), tools=[tool("g", "2"), tool("h", "1")])
    assert talk.rows()[0]["tools"] == [tool("f", "1"), tool("g", "2"), tool("h", "1")]
    assert "tools" not in talk.ask([user("q"), says("a"), user("x"), says("b"), user("y")], says("c")).sampling


STEP = st.tuples(st.integers(0, 2), st.integers(0, 1), st.booleans(), st.booleans())


@given(st.lists(STEP, max_size=25))
def test_the_journal_makes_the_same_sessions_again(steps):
    talk, histories = Talk(), {number: [user("q")] for number in range(3)}
    for agent, text, complete, goes_on in steps:
        reply = says(f"a{text}")
        talk.ask(histories[agent], reply, says("other"), complete=complete, scope=Scope(None, agent % 2))
        if goes_on:
            histories[agent] = [*histories[agent], reply, user("more")]
    again, restored = Sessions(), Sessions()
    for turn in talk.turns:
        again.close(turn["closed"]) if "closed" in turn else again.apply(turn)
    for state in talk.sessions.snapshot():
        restored.restore(json.loads(json.dumps(state)))
    live = [trajectory(session, "x") for session in talk.sessions.open.values()]
    assert [trajectory(session, "x") for session in again.open.values()] == live
    assert [trajectory(session, "x") for session in restored.open.values()] == live
    for sessions in (again, restored):
        assert {key: sorted(value) for key, value in sessions._tips.items()} == {
            key: sorted(value) for key, value in talk.sessions._tips.items()
        }


@given(st.lists(STEP, max_size=25))
def test_closed_sessions_leave_nothing_behind(steps):
    talk, history = Talk(), [user("q")]
    for _, text, complete, goes_on in steps:
        talk.ask(history, says(f"a{text}"), complete=complete)
        if goes_on:
            history = [*history, says(f"a{text}"), user("more")]
    for name in list(talk.sessions.open):
        talk.sessions.close(name)
    assert not talk.sessions._tips and not talk.sessions._asked
