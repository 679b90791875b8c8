import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachebuild.array_file import ArrayFile, write_arrays
from cachebuild.hash_file import Damaged

MIXED = np.dtype([("mark", np.uint64), ("total", np.float64)])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("arrays") / "made"
    arrays = {
        "numbers": np.arange(12, dtype=np.int32).reshape(4, 3),
        "none": np.empty(0, np.uint64),
        "mixed": np.array([(1, 0.5), (2**63, -1.0)], MIXED),
    }
    with path.open("wb") as handle:
        write_arrays(handle, arrays, {"version": 1, "names": ["a", "\ud800"]})
    return path, arrays


def test_arrays_come_back_as_they_were_and_cannot_be_changed(written):
    path, arrays = written
    file = ArrayFile(path)
    assert file.info == {"version": 1, "names": ["a", "\ud800"]}
    for name, array in arrays.items():
        assert file.arrays[name].dtype == array.dtype and np.array_equal(file.arrays[name], array)
        assert not file.arrays[name].flags.writeable and file.arrays[name].flags.aligned


@given(data=st.data())
def test_a_changed_or_cut_file_is_refused(written, data):
    content = bytearray(written[0].read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    changed = written[0].with_name("changed")
    if data.draw(st.booleans()):
        changed.write_bytes(content[:at])
    else:
        content[at] ^= data.draw(st.integers(1, 255))
        changed.write_bytes(content)
    with pytest.raises(Damaged):
        ArrayFile(changed)
