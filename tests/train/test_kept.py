import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.errors import UsageError
from train.kept import Kept

PIECES = {3: [{"a": "é\n\t"}], 0: [{"b": 1}, {"b": 2}], 11: []}


def write(folder, identity="x"):
    kept = Kept(folder, identity)
    for number, rows in PIECES.items():
        kept.add(number, rows)
    kept.close()
    return folder / "segment-000001.jsonl"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(0, 80))
def test_what_was_whole_when_it_was_cut_is_there_and_the_rest_can_be_done_again(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("kept")
    path = write(folder)
    data = path.read_bytes()[:cut]
    path.write_bytes(data)
    kept = Kept(folder, "x")
    whole = list(PIECES)[: data.count(b"\n")]
    assert [number for number in PIECES if number in kept] == whole and len(kept) == len(whole)
    for number in PIECES.keys() - set(whole):
        kept.add(number, PIECES[number])
    kept.close()
    assert list(Kept(folder, "x").rows()) == [{"b": 1}, {"b": 2}, {"a": "é\n\t"}]


def test_pieces_of_another_run_are_refused_or_dropped(tmp_path):
    write(tmp_path)
    with pytest.raises(UsageError, match="other settings"):
        Kept(tmp_path, "y")
    assert len(Kept(tmp_path, "y", discard=True)) == 0 and len(Kept(tmp_path, "y")) == 0
