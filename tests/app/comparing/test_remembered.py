"""Answers about a library that are found once."""

import gc
from weakref import ref

from app.comparing.remembered import MOST, once


class Opened:
    """Stands for a library."""


def test_a_question_is_answered_once_for_each_library():
    asked, one, two = [], Opened(), Opened()
    for library in (one, one, two):
        assert once(library, "shared", lambda: asked.append(1) or len(asked)) in (1, 2)
    assert len(asked) == 2


def test_the_oldest_answers_go_and_a_closed_library_is_forgotten():
    library = Opened()
    for number in range(MOST + 1):
        once(library, number, lambda: "first")
    assert once(library, 0, lambda: "again") == "again" and once(library, MOST, lambda: "again") == "first"
    gone = ref(library)
    del library
    gc.collect()
    assert gone() is None
