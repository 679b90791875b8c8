import pytest

import cachebuild


def test_public_names_are_imported_when_asked_for():
    from cachebuild import Answer, Session, ToolCache

    assert {Answer, Session, ToolCache} == {getattr(cachebuild, name) for name in cachebuild.__all__}
    assert set(cachebuild.__all__) <= set(dir(cachebuild))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = cachebuild.Nothing
