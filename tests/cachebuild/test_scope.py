import pytest

from cachebuild.scope import Agreement, ScopeSettings, decide_scope, expected_agreement, tool_policy
from curate.env import EnvRules

NONE = Agreement(0, None)


@pytest.mark.parametrize(
    ("within", "across", "scope", "volatile"),
    [
        (NONE, NONE, "env", False),
        (Agreement(9, 1.0), Agreement(9, 1.0), "env", False),
        (Agreement(9, 1.0), Agreement(9, 0.5), "task", False),
        (Agreement(9, 1.0), Agreement(4, 0.0), "env", False),  # too few keys to say
        (NONE, Agreement(9, 0.1), "task", False),  # nothing speaks against the task
        (Agreement(9, 0.1), Agreement(9, 0.1), "env", True),
        (Agreement(3, 0.0), Agreement(9, 0.0), "env", True),  # few repeats, but they disagree as the tasks do
        (Agreement(3, 0.0), NONE, "env", True),
        (Agreement(2, 0.0), NONE, "env", True),
        (Agreement(4, 0.5), NONE, "env", True),
        (Agreement(1, 0.0), NONE, "env", False),  # one key may be an accident
        (Agreement(2, 0.5), NONE, "env", False),
        (Agreement(4, 0.75), NONE, "env", False),
        (Agreement(9, 0.7), Agreement(9, 0.1), "task", True),
    ],
)
def test_scope_and_volatility(within, across, scope, volatile):
    found = decide_scope("read_file", within, across, EnvRules(), ScopeSettings())
    assert (found[0], found[2]) == (scope, volatile)
    user = decide_scope("read_file", within, across, EnvRules(scopes={"read_file": "task"}), ScopeSettings())
    assert user == ("task", "user", volatile)


def test_expected_agreement_starts_at_the_prior_and_follows_the_data():
    assert expected_agreement(NONE) == pytest.approx(0.95)
    assert expected_agreement(Agreement(1000, 1.0)) > 0.999
    assert expected_agreement(Agreement(1000, 0.0)) < 0.01


def test_policies():
    assert tool_policy("write", False) == ["exact", "normalised"]
    assert tool_policy("read", True) == ["exact", "normalised", "fuzzy"]
    assert tool_policy("read", False)[-1] == tool_policy("terminal", True)[-1] == "best_effort"
    assert "best_effort" not in tool_policy("pure", False)
