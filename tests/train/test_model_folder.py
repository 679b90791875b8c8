"""The folder of a trained model after a crash, and one that is damaged."""

import pytest

from curate.errors import FolderError
from train.model_folder import STATE, TRAINING, ModelFolder, trained_identity


@pytest.mark.parametrize("torn", ["", '{"global_step": 2', "[]"])
def test_a_checkpoint_whose_state_was_cut_off_is_not_gone_on_from(tmp_path, torn):
    place = ModelFolder(tmp_path / "out", {}, overwrite=False)
    for name, text in ("checkpoint-9", '{"global_step": 9}'), ("checkpoint-10", torn):
        (place.checkpoints / name).mkdir(parents=True)
        (place.checkpoints / name / STATE).write_text(text)
    assert place.last_checkpoint() == place.checkpoints / "checkpoint-9"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"identity": 3}'])
def test_a_damaged_model_folder_is_told_by_name(tmp_path, text):
    (tmp_path / TRAINING).write_text(text)
    with pytest.raises(FolderError, match=r"training\.json cannot be read"):
        trained_identity(tmp_path)
