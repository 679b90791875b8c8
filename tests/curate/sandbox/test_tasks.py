import pytest

from curate.errors import UsageError
from curate.sandbox import check, task_by_id
from curate.sandbox.checking import has_fact
from curate.sandbox.requests import KINDS
from curate.sandbox.tasks import scene


def gold_end(task):
    world = task.world()
    world.reset()
    texts = [world.call(tool, arguments) for tool, arguments in task.gold_calls]
    end = world.end_state()
    world.close()
    return texts, end


def first_of(kind, preset="full"):
    place = scene(preset, 11, 0)
    return next(task for index in range(400) if (task := place.task(index)).kind == kind)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_gold_calls_lead_to_the_expected_end(kind):
    task = first_of(kind)
    texts, end = gold_end(task)
    assert end == task.expected_end
    assert not any(text.startswith("Error") for text in texts)
    assert check(task, end, " ".join(fact.split("|")[0] for fact in task.required_facts)).reward == 1.0
    assert task.customer["email"] in task.instruction


@pytest.mark.parametrize("kind", ["cancel_refused", "change_refused", "return_refused", "other_order"])
def test_refusals_change_nothing(kind):
    assert first_of(kind).expected_end == {}


def test_the_checker_wants_state_and_facts():
    task = first_of("cancel")
    _, end = gold_end(task)
    code = task.required_facts[0]
    assert check(task, end, f"Your code is {code}.").reward == 1.0
    stale = check(task, end, "It is cancelled.")
    assert (stale.reward, stale.state_ok, stale.facts_missing) == (0.0, True, (code,))
    idle = check(task, {}, f"Your code is {code}.")
    assert (idle.reward, idle.state_ok, idle.facts_found) == (0.0, False, (code,))


@pytest.mark.parametrize(
    ("text", "fact", "found"),
    [
        ("It costs 1,129.5 EUR", "1129.50", True),
        ("It costs 129.49 EUR", "129.50", False),
        ("Sold out, sorry", "out of stock|sold out", True),
        ("code RF-ABCDEFG", "RF-ABCDEF", False),
        ("code rf-abcdef.", "RF-ABCDEF", True),
        ("accounting", "account", False),
    ],
)
def test_facts_are_found_as_whole_words_and_numbers(text, fact, found):
    assert has_fact(text, fact) is found


def test_a_task_can_be_rebuilt_from_its_id():
    for preset in ("full", "mini"):
        task = scene(preset, 2, 1).task(5)
        again = task_by_id(task.task_id)
        assert again == task and again.world().initial_state_id == task.initial_state_id


@pytest.mark.parametrize("task_id", ["full-1", "big-1-2-3", "full-a-b-c", "", "full-1-2-3-4"])
def test_a_wrong_task_id_is_a_usage_error(task_id):
    with pytest.raises(UsageError, match="task id"):
        task_by_id(task_id)


def test_mini_tasks_of_a_state_differ():
    place = scene("mini", 0, 0)
    assert len({place.task(index).instruction for index in range(90)}) == 90
